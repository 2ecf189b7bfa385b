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
      Flag.withDescription("Also rewrite the rows that this node wrote while its clock was ahead")
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
    // It was copied as well. The next start makes a unique one.
    const { key, cert } = Material.ownPaths(home)
    const fs = yield* FileSystem.FileSystem
    for (const path of [cert, key]) yield* Effect.mapError(fs.remove(path, { force: true }), unusable(path))
    yield* (yield* Globals.Json)
      ? writeJson({ node_id: nodeId, previous_node_id: before, ...(reissue ? { reissued } : {}) })
      : writeLine(
          `The node id is now ${nodeId}. It was ${before}.\n` +
            (reissue ? `Rewrote ${counted(reissued, "row")} that had timestamps in the future.\n` : "") +
            "All rows are kept. Rows written under the old id reach the peers when this node connects to them."
        )
  }, Effect.provide(NodeFileSystem.layer))
).pipe(
  Command.withDescription(
    "Give a copied data directory a new node id. Use it when another node runs with the same id. Stop the node first. No rows are lost."
  ),
  Command.withShortDescription("Give a copied data directory a new node id"),
  Command.withExamples([
    { command: "feral-sync identity new --home ./copy" },
    { command: "feral-sync identity new --reissue", description: "After writes while the clock was ahead" }
  ])
)

export const command = Command.make("identity").pipe(
  Command.withDescription("The identity of this node. `status` shows its id."),
  Command.withShortDescription("Give a copied data directory a new node id"),
  Command.withSubcommands([renew])
)
