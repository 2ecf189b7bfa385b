/**
 * `mcp`: gives the memory to an agent, over standard input and output.
 */
import { Context, Effect, Layer, Option, Schedule, type Scope, Semaphore } from "effect"
import { Command, Flag } from "effect/cli"
import { existsSync } from "node:fs"
import { type Opened, type Purpose, Reach } from "../mcp/Reach.ts"
import * as Watching from "../mcp/Watching.ts"
import * as Config from "../services/node/Config.ts"
import * as Home from "../services/node/Home.ts"
import * as Logging from "../services/node/Logging.ts"
import * as Access from "./Access.ts"
import * as Globals from "./Globals.ts"
import * as Start from "./Start.ts"

/** What the way to the memory needs, besides a scope for each call. */
type Needs = Exclude<Effect.Services<ReturnType<typeof Access.open>>, Scope.Scope>

/** How long a call waits for other processes that use the same database without a node. */
const patience = "20 seconds"

/** The memory of the data directory: through the node that runs there, else on its database, for one call each. */
const layerReach = (home: string, isReadOnly: boolean) =>
  Layer.effect(
    Reach,
    Effect.gen(function* () {
      // What belongs to this layer, like its scope, must not get into a call.
      const context = Context.pick(Globals.Home, Globals.Json)(yield* Effect.context<Needs>())
      // Without a node, the calls of one client take turns here, and need not wait for the lock of each other.
      const turn = yield* Semaphore.make(1)
      const turned = Effect.acquireRelease(turn.take(1), () => turn.release(1))
      const attempt = (purpose: Purpose) =>
        Access.open(purpose).pipe(
          // The first call of a new user may be a search.
          Effect.catchTag("HomeNotFound", (error) => (isReadOnly ? Effect.fail(error) : Access.open("write")))
        )
      return Reach.of({
        open: (purpose) =>
          Effect.gen(function* () {
            if (!existsSync(Home.paths(home).socket)) yield* turned
            return yield* Effect.retry(attempt(purpose), {
              while: (error) => error._tag === "StoreUnavailable" && error.reason === "locked",
              schedule: Schedule.spaced("50 millis").pipe(Schedule.upTo({ duration: patience }))
            })
          }).pipe(
            Effect.map(({ isRunning, memory, status }): Opened => ({ isRunning, memory, status })),
            Effect.provideContext(context)
          ),
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
      const { serve } = yield* Effect.promise(() => import("../mcp/Stdio.ts"))
      yield* serve({ profile: tools, isReadOnly: readOnly }).pipe(
        Effect.provide(layerReach(settings.home, readOnly)),
        Effect.provide(Logging.layer(settings))
      )
    },
    // A client ends its server with a signal.
    Effect.onInterrupt(() => Effect.sync(() => (process.exitCode = 0)))
  )
).pipe(
  Command.withDescription(
    "Give the memory to an agent: a server of the Model Context Protocol on standard input and output. The client of the agent starts it. It works with and without a running node, and any number may run at once."
  ),
  Command.withShortDescription("Give the memory to an agent (MCP server)"),
  Command.withExamples([
    { command: "claude mcp add memory -- /usr/local/bin/feral-sync mcp" },
    { command: "feral-sync mcp --read-only" }
  ])
)
