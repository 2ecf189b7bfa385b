/**
 * `rejoin`: begins anew with an empty database, after this node was too long away.
 */
import { Effect } from "effect"
import { Command } from "effect/cli"
import * as Config from "../services/node/Config.ts"
import * as Access from "./Access.ts"
import * as Globals from "./Globals.ts"
import { counted, quoted, writeJson, writeLine } from "./Output.ts"

export const command = Command.make(
  "rejoin",
  {},
  Effect.fnUntraced(function* () {
    const home = yield* Config.loadHome(yield* Globals.Home)
    yield* Access.exists(home)
    const { rejoin } = yield* Effect.promise(() => import("../services/store/SqliteRejoin.ts"))
    const { kept, nodeId, waiting } = yield* rejoin(home)
    yield* (yield* Globals.Json)
      ? writeJson({ node_id: nodeId, kept, waiting })
      : writeLine(
          `The old database is ${quoted(kept)} now. Start the node: it gets all rows from the others.\n` +
            `Rows that no other node has seen (of ${counted(waiting, "old row")}) are written again.`
        )
  })
).pipe(
  Command.withDescription(
    "Start over after other nodes collected deletions while this node was away (status shows TooLongAway). Stop the node first.\n\n" +
      "The old database is kept under another name. Rows that no other node has seen are written again."
  ),
  Command.withShortDescription("Start over after this node was away for too long"),
  Command.withExamples([{ command: "feral-sync rejoin" }])
)
