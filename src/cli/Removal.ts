/**
 * `peers remove` and `peers readmit`: whether a node with this id may connect. The output says how to lock a device
 * out.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, Schema } from "effect"
import { Argument, Command } from "effect/cli"
import { NodeId } from "../core/replica/NodeId.ts"
import * as Config from "../services/node/Config.ts"
import { commandLine } from "../services/node/Invocation.ts"
import * as Access from "./Access.ts"
import { WrongUsage } from "./Failure.ts"
import * as Globals from "./Globals.ts"
import { oneLine, writeJson, writeLine } from "./Output.ts"

const node = Argument.String("node").pipe(Argument.withDescription("The id of the node, as `peers` shows it"))

/** Changes the list, and returns the ids that are on it now. */
const change = Effect.fnUntraced(function* (
  text: string,
  isKnown: boolean,
  edit: (removed: Set<NodeId>, id: NodeId) => boolean
) {
  const home = yield* Config.loadHome(yield* Globals.Home)
  yield* Access.exists(home)
  const id = text.trim()
  const Removed = yield* Effect.promise(() => import("../services/peers/Removed.ts"))
  const removed = new Set(yield* Removed.read(home))
  // A misspelt id that removes no node would look like a success.
  if (!Schema.is(NodeId)(id) || !(isKnown || removed.has(id))) {
    return yield* new WrongUsage({
      problem: `no known node has the id ${oneLine(text)}`,
      nextStep: `see ${commandLine("peers")}`
    })
  }
  const isNews = edit(removed, id)
  const NodeList = yield* Effect.promise(() => import("../services/peers/NodeList.ts"))
  if (removed.size > NodeList.most) {
    return yield* new WrongUsage({ problem: NodeList.noRoom("removed"), nextStep: NodeList.makeRoom("removed") })
  }
  if (isNews) yield* Removed.write(home, removed)
  return { id, isNews, removed: [...removed] }
}, Effect.provide(NodeFileSystem.layer))

export const remove = Command.make(
  "remove",
  { node },
  Effect.fnUntraced(function* ({ node }) {
    const status = yield* Effect.flatMap(Access.open("read"), ({ status }) => status).pipe(Effect.scoped)
    if (node.trim() === status.node_id) {
      return yield* new WrongUsage({ problem: `${node} is this node itself`, nextStep: "give the id of another one" })
    }
    const isKnown = Object.keys(status.vector_clock)
      .concat(status.peers.flatMap(({ node_id: id }) => id ?? []))
      .concat(status.tombstones?.waiting_for.map(({ node_id: id }) => id) ?? [])
      .includes(node.trim())
    const { id, isNews, removed } = yield* change(
      node,
      isKnown,
      (removed, id) => !removed.has(id) && Boolean(removed.add(id))
    )
    if (yield* Globals.Json) return yield* writeJson({ node_id: id, was_removed: !isNews, removed })
    const out =
      status.tls === "ca"
        ? `revoke its certificate: ${commandLine("tls revoke CERT")}`
        : `change the passphrase, and do not give it the new one: ${commandLine("passphrase rotate")}`
    yield* writeLine(
      [
        `${isNews ? "Removed" : "Already removed:"} ${id}. This node closes its connections within seconds, and no longer lists it.`,
        "Its rows stay here, and it keeps its own copy. Remove it on the other nodes too.",
        "",
        "It knows the passphrase, so it can come back under another id. To lock the device out:",
        `  ${out}`,
        ...(status.tls === "ca" ? [] : [`  When all nodes have it: ${commandLine("passphrase drop")}`]),
        `To undo this: ${commandLine(`peers readmit ${id}`)}`
      ].join("\n")
    )
  })
).pipe(
  Command.withDescription(
    "Stop syncing with a node. Its connections are closed, and it is no longer listed. Its rows stay."
  ),
  Command.withExamples([{ command: "feral-sync peers remove cc67104d01bb055f" }])
)

export const readmit = Command.make(
  "readmit",
  { node },
  Effect.fnUntraced(function* ({ node }) {
    const { id, isNews, removed } = yield* change(node, true, (removed, id) => removed.delete(id))
    yield* (yield* Globals.Json)
      ? writeJson({ node_id: id, was_removed: isNews, removed })
      : writeLine(isNews ? `${id} is allowed again.` : `${id} was not removed.`)
  })
).pipe(
  Command.withDescription("Undo the removal of a node."),
  Command.withExamples([{ command: "feral-sync peers readmit cc67104d01bb055f" }])
)
