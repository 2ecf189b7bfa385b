/**
 * `peers pause`, `peers resume` and `peers sync`: whether and when a running node syncs with a peer.
 */
import { Effect } from "effect"
import { Argument, Command } from "effect/cli"
import * as Config from "../services/node/Config.ts"
import { commandLine } from "../services/node/Invocation.ts"
import * as Access from "./Access.ts"
import * as Globals from "./Globals.ts"
import { oneLine, writeJson, writeLine } from "./Output.ts"

const node = Argument.String("node").pipe(Argument.withDescription("The id of the node, as `peers` shows it"))
const peer = Argument.String("peer").pipe(
  Argument.withDescription("The id or the address of the peer, as `peers` shows it")
)

/** The running node, and its data directory. */
const running = Effect.gen(function* () {
  const home = yield* Config.loadHome(yield* Globals.Home)
  const { pausing } = yield* Access.client(home)
  return { pausing }
})

export const pause = Command.make(
  "pause",
  { node },
  Effect.fnUntraced(function* ({ node }) {
    const { pausing } = yield* running
    const shown = yield* pausing.pause(node.trim())
    if (yield* Globals.Json) return yield* writeJson(shown)
    yield* writeLine(
      [
        `Paused ${oneLine(node)}. Its connections are closed, and nothing is exchanged with it, even after a restart.`,
        `To resume: ${commandLine(`peers resume ${oneLine(node)}`)}`
      ].join("\n")
    )
  }, Effect.scoped)
).pipe(
  Command.withDescription("Stop syncing with a node until it is resumed. It stays listed. Needs a running node."),
  Command.withShortDescription("Stop syncing with a node for a while"),
  Command.withExamples([{ command: "feral-sync peers pause cc67104d01bb055f" }])
)

export const resume = Command.make(
  "resume",
  { node },
  Effect.fnUntraced(function* ({ node }) {
    const { pausing } = yield* running
    const shown = yield* pausing.resume(node.trim())
    yield* (yield* Globals.Json) ? writeJson(shown) : writeLine(`Resumed ${oneLine(node)}.`)
  }, Effect.scoped)
).pipe(
  Command.withDescription("Sync again with a node that was paused. Needs a running node."),
  Command.withShortDescription("Sync again with a paused node"),
  Command.withExamples([{ command: "feral-sync peers resume cc67104d01bb055f" }])
)

export const sync = Command.make(
  "sync",
  { peer },
  Effect.fnUntraced(function* ({ peer }) {
    const { pausing } = yield* running
    const { result, ...of } = yield* pausing.sync(peer.trim())
    if (yield* Globals.Json) return yield* writeJson({ ...of, result })
    const words = {
      dialling: `Connecting to it now; see ${commandLine("peers")}.`,
      connecting: `Already connecting to it; see ${commandLine("peers")}.`,
      waiting:
        "This node cannot dial it, because it knows no address of it: that node connects by itself when it runs.",
      paused: `It is paused; to sync with it, run ${commandLine(`peers resume ${oneLine(peer)}`)}.`,
      equal: "It has the same rows.",
      repaired: "It has the same rows now: differences were repaired.",
      differs: `Its rows differ; see ${commandLine("verify")}.`,
      behind: "Operations are still being sent.",
      deferred: "One of the two defers rows that are ahead of its clock.",
      "not comparable": "It does not support comparing rows; it syncs at its next exchange."
    }
    yield* writeLine(words[result])
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Sync with a peer now: connect to it at once, or compare its rows with ours. Needs a running node."
  ),
  Command.withShortDescription("Sync with a peer now"),
  Command.withExamples([
    { command: "feral-sync peers sync cc67104d01bb055f" },
    { command: "feral-sync peers sync 192.168.1.5:9090" }
  ])
)
