/**
 * `identity`: who this node is to others.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Clock, Effect, FileSystem } from "effect"
import { Command, Flag } from "effect/cli"
import * as Config from "../services/node/Config.ts"
import { unusable } from "../services/node/Home.ts"
import * as Access from "./Access.ts"
import * as Globals from "./Globals.ts"
import { counted, writeJson, writeLine } from "./Output.ts"

const renew = Command.make(
  "new",
  {
    reissue: Globals.Switch("reissue").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Write anew, at the present, what this node wrote while its clock was ahead")
    )
  },
  Effect.fnUntraced(function* ({ reissue }) {
    const home = yield* Config.loadHome(yield* Globals.Home)
    yield* Access.exists(home)
    const [SqliteIdentity, Material] = yield* Effect.promise(() =>
      Promise.all([import("../services/store/SqliteIdentity.ts"), import("../services/transport/tls/Material.ts")])
    )
    const { before, nodeId, reissued } = yield* SqliteIdentity.renew(
      home,
      reissue ? yield* Clock.currentTimeMillis : undefined
    )
    // It was copied as well. The next start makes one that nobody else has.
    const { key, cert } = Material.ownPaths(home)
    const fs = yield* FileSystem.FileSystem
    for (const path of [cert, key]) yield* Effect.mapError(fs.remove(path, { force: true }), unusable(path))
    yield* (yield* Globals.Json)
      ? writeJson({ node_id: nodeId, previous_node_id: before, ...(reissue ? { reissued } : {}) })
      : writeLine(
          `This node is ${nodeId} now; it was ${before}.\n` +
            (reissue ? `${counted(reissued, "row")} from the future written anew, with the time of now.\n` : "") +
            "All its rows stay. What it wrote under the old name reaches the others once it is connected to them."
        )
  }, Effect.provide(NodeFileSystem.layer))
).pipe(
  Command.withDescription(
    "Give this data directory a node id of its own, when it is a copy of one that another node uses. The node must not run. Nothing that either of them wrote is lost."
  ),
  Command.withShortDescription("Give a copied data directory a node id of its own"),
  Command.withExamples([
    { command: "feral-sync identity new --home ./copy" },
    { command: "feral-sync identity new --reissue", description: "After writes under a clock that was ahead" }
  ])
)

export const command = Command.make("identity").pipe(
  Command.withDescription("Who this node is to others. `status` shows its id."),
  Command.withShortDescription("Give a copied data directory a node id of its own"),
  Command.withSubcommands([renew])
)
