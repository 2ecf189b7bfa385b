/**
 * `mcp`: gives the memory to an agent, over standard input and output.
 */
import { Clock, Context, Effect, Layer, Option, RcRef, type Scope, Semaphore } from "effect"
import { Command, Flag } from "effect/cli"
import { type Opened, type Purpose, Reach } from "../mcp/Reach.ts"
import * as Watching from "../mcp/Watching.ts"
import * as Invocation from "../services/node/Invocation.ts"
import * as Config from "../services/node/Config.ts"
import { absoluteCommandLine } from "../services/node/Invocation.ts"
import * as Logging from "../services/node/Logging.ts"
import * as Access from "./Access.ts"
import * as Globals from "./Globals.ts"
import { OutputFailed } from "./Output.ts"
import * as Start from "./Start.ts"

/** What the way to the memory needs, besides a scope for each call. */
type Needs = Exclude<Effect.Services<ReturnType<typeof Access.open>>, Scope.Scope>

/** How long a call waits for other processes that use the same database without a node. */
const patience = "50 seconds"

/** Calls of one client that a node answers at once: it has room for the connections of many. */
const atOnce = 4

/**
 * How long writes of one client may keep the database open, when more and more of them come (ms): others wait for it.
 */
const turnMs = 1_000

/** How long the client of a node is kept after a call. */
const keptFor = "1 minute"

const openedBy = ({ isRunning, memory, status }: Access.Access): Opened => ({ isRunning, memory, status })

/** The memory of the data directory: through the node that runs there, else on its database, for one call each. */
const layerReach = (home: string, isReadOnly: boolean) =>
  Layer.effect(
    Reach,
    Effect.gen(function* () {
      // What belongs to this layer, like its scope, must not get into a call.
      const context = Context.pick(Globals.Home, Globals.Json)(yield* Effect.context<Needs>())
      const opened = (purpose: Purpose) =>
        Access.open(purpose, patience).pipe(
          // The first call of a new user may be a search.
          Effect.catchTag("HomeNotFound", (error) =>
            isReadOnly ? Effect.fail(error) : Access.open("write", patience)
          ),
          Effect.map(openedBy),
          Effect.provideContext(context)
        )
      // Without a node, reads of one client take turns here: each may bring the index up to date, under the lock.
      const turn = yield* Semaphore.make(1)
      const turned = Effect.acquireRelease(turn.take(1), () => turn.release(1))
      // Writes that come together share one opening, so that a crowd of clients waits for the lock a few times, not for
      // each write.
      let since = 0
      const shared = yield* RcRef.make({
        acquire: Effect.tap(opened("write"), () => Effect.map(Clock.currentTimeMillis, (now) => (since = now)))
      })
      const share = Effect.gen(function* () {
        if ((yield* Clock.currentTimeMillis) - since > turnMs) yield* RcRef.invalidate(shared)
        return yield* RcRef.get(shared)
      })
      // To make a client takes longer than most calls: it is kept, and works with the node that has started again, too.
      const client = yield* RcRef.make({
        acquire: Effect.provideContext(Access.running(home), context),
        idleTimeToLive: keptFor
      })
      const places = yield* Semaphore.make(atOnce)
      const throughNode = Effect.gen(function* () {
        if (!(yield* Access.isRunning(home))) return Option.none<Opened>()
        yield* Effect.acquireRelease(places.take(1), () => places.release(1))
        const found = yield* RcRef.get(client)
        if (Option.isNone(found)) yield* RcRef.invalidate(client)
        return Option.map(found, openedBy)
      })
      return Reach.of({
        open: Effect.fnUntraced(function* (purpose: Purpose) {
          const found = yield* throughNode
          if (Option.isSome(found)) return found.value
          if (purpose === "change" || purpose === "write") return yield* share
          yield* turned
          return yield* opened(purpose)
        }),
        events: Watching.events(
          Effect.map(
            Access.running(home),
            Option.map(({ memory }) => memory)
          )
        )
      })
    })
  )

/** The names of `mcp/Profile.ts`, which is not loaded for other commands. */
const profiles = ["memory", "reference", "files"] as const

export const command = Command.make(
  "mcp",
  {
    tools: Flag.Literals("tools", profiles).pipe(
      Flag.withMetavar("memory|reference|files"),
      Flag.withDescription(
        "Which tools to offer: those of this memory (default), of the reference memory server, or files"
      ),
      Flag.withDefault("memory")
    ),
    readOnly: Globals.Switch("read-only").pipe(
      Flag.withDescription("Offer no tool that writes"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(
    function* ({ tools, readOnly }) {
      const settings = yield* Config.load(yield* Start.overrides({}))
      Invocation.serves(settings.home)
      const { serve } = yield* Effect.promise(() => import("../mcp/Stdio.ts"))
      yield* serve({ profile: tools, isReadOnly: readOnly }).pipe(
        Effect.provide(layerReach(settings.home, readOnly)),
        Effect.provide(Logging.layer(settings)),
        Effect.mapError(({ detail }) => new OutputFailed({ detail }))
      )
    },
    // A client ends its server with a signal.
    Effect.onInterrupt(() => Effect.sync(() => (process.exitCode = 0)))
  )
).pipe(
  Command.withDescription(
    "Give the memory to an agent: a Model Context Protocol server on standard input and output. The agent's MCP client starts it.\n\n" +
      "It works with and without a running node, and any number may run at once."
  ),
  Command.withShortDescription("Give the memory to an agent (MCP server)"),
  Command.withExamples([
    { command: `claude mcp add memory -- ${absoluteCommandLine("mcp")}` },
    { command: "feral-sync mcp --read-only" }
  ])
)
