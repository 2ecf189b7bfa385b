/**
 * `compact`: rewrites the database to free disk space.
 */
import { Effect } from "effect"
import { Command } from "effect/cli"
import * as Config from "../services/node/Config.ts"
import { sized } from "../services/node/Home.ts"
import * as Access from "./Access.ts"
import * as Globals from "./Globals.ts"
import { writeJson, writeLine } from "./Output.ts"

export const command = Command.make(
  "compact",
  {},
  Effect.fnUntraced(function* () {
    const home = yield* Config.loadHome(yield* Globals.Home)
    yield* Access.exists(home)
    const { compact } = yield* Effect.promise(() => import("../services/store/SqliteCompact.ts"))
    const { before, after } = yield* compact(home)
    yield* (yield* Globals.Json)
      ? writeJson({ bytes_before: before, bytes_after: after })
      : writeLine(`Compacted sync.db: ${sized(before)} before, ${sized(after)} after.`)
  })
).pipe(
  Command.withDescription(
    "Rewrite the database to free the space of deleted rows. Stop the node first. It needs as much free disk space as the rows take up. If it fails, the database is unchanged."
  ),
  Command.withShortDescription("Rewrite the database to free disk space"),
  Command.withExamples([{ command: "feral-sync compact" }, { command: "feral-sync compact --json | jq .bytes_after" }])
)
