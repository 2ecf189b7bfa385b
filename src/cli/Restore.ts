/**
 * `restore`: puts a backup in the place of the database.
 */
import { Effect } from "effect"
import { Argument, Command } from "effect/cli"
import * as Config from "../services/node/Config.ts"
import * as Globals from "./Globals.ts"
import { quoted, writeJson, writeLine } from "./Output.ts"

export const command = Command.make(
  "restore",
  { file: Argument.String("file").pipe(Argument.withDescription("A file written by feral-sync backup")) },
  Effect.fnUntraced(function* ({ file }) {
    const home = yield* Config.loadHome(yield* Globals.Home)
    const { restore } = yield* Effect.promise(() => import("../services/store/SqliteRestore.ts"))
    const { kept } = yield* restore(home, file)
    yield* (yield* Globals.Json)
      ? writeJson({ file, kept: kept ?? null })
      : writeLine(
          `Restored ${quoted(file)}.` +
            (kept === undefined ? "" : ` The previous database is now ${quoted(kept)}.`) +
            " Later changes come back from the peers."
        )
  })
).pipe(
  Command.withDescription(
    "Replace the database with a backup. Stop the node first. The backup is checked, and the old database is kept under another name."
  ),
  Command.withShortDescription("Replace the database with a backup"),
  Command.withExamples([{ command: "feral-sync restore feral-2026-11-28.db" }])
)
