/**
 * `export`: writes all rows as lines of JSON.
 */
import { Effect, Option, Result } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as RowFormat from "../core/foreign/RowFormat.ts"
import * as ExportFormat from "../core/replica/ExportFormat.ts"
import { type Archive, forEachPage } from "../services/admin/Archive.ts"
import * as Access from "./Access.ts"
import * as ExportRows from "./ExportRows.ts"
import { WrongUsage } from "./Failure.ts"
import * as Fields from "./Fields.ts"
import * as Globals from "./Globals.ts"
import * as NewFile from "./NewFile.ts"
import { counted, quoted, write, writeJson, writeLine } from "./Output.ts"
import * as Progress from "./Progress.ts"

export const command = Command.make(
  "export",
  {
    file: Argument.String("file").pipe(
      Argument.withDescription("The file to create, or the directory for csv and markdown; - writes to standard output")
    ),
    format: Fields.maybe(
      Flag.Literals("format", RowFormat.formats).pipe(
        Flag.withDescription("Write the rows for other programs; by default, write all operations for import")
      )
    ),
    kind: Fields.maybe(Fields.textFlag("kind", "KIND", "With --format: only the rows of one kind"))
  },
  Effect.fnUntraced(function* ({ file, format, kind }) {
    const isJson = yield* Globals.Json
    if (file === "-" && isJson) {
      return yield* new WrongUsage({
        problem: "export - writes its lines to standard output",
        nextStep: "leave out --json, or give the name of a file"
      })
    }
    if (format === undefined && kind !== undefined) {
      return yield* new WrongUsage({ problem: "--kind needs --format: the default format has the rows of all kinds" })
    }
    if (format !== undefined) yield* ExportRows.check({ format, file, kind })
    const { archive } = yield* Access.open("read")
    const source = yield* archive
    if (format !== undefined) {
      const rows = yield* ExportRows.run(source, { format, file, kind }, yield* Progress.make(isJson))
      if (file === "-") return
      return yield* isJson
        ? writeJson({ file, format, rows })
        : writeLine(`Exported ${counted(rows, "row")} to ${quoted(file)}`)
    }
    if (file === "-") return yield* Effect.asVoid(send(source, isJson, write))
    const operations = yield* NewFile.make(file, (temporary) =>
      Effect.flatMap(NewFile.appender(temporary, "r+"), (append) => send(source, isJson, append))
    )
    yield* isJson
      ? writeJson({ file, operations })
      : writeLine(`Exported ${counted(operations, "operation")} to ${quoted(file)}`)
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Export all rows of this node to a new file, as lines of JSON: a header, then the latest operation of each row. Deleted rows are included.\n\n" +
      "With --format, write the rows for other programs, without the deleted ones. " +
      "ndjson is one file, csv a directory with a table for each kind, and markdown a directory with a file for each note.\n\n" +
      "The import command reads all of them. An existing file is never replaced."
  ),
  Command.withShortDescription("Export all rows to a file, as lines of JSON"),
  Command.withExamples([
    { command: "feral-sync export memory.jsonl" },
    { command: "feral-sync export - | gzip > memory.jsonl.gz" },
    { command: "feral-sync export tables --format csv", description: "Write a table for each kind" },
    { command: "feral-sync export - --format ndjson --kind notes | jq .content" }
  ])
)

/** Sends everything, page by page. Gives the number of operations. */
const send = Effect.fnUntraced(function* <E, R>(
  { header, page }: Archive,
  isJson: boolean,
  append: (text: string) => Effect.Effect<void, E, R>
) {
  const progress = yield* Progress.make(isJson)
  const first = yield* header
  const total = Option.getOrUndefined(Option.flatten(Result.getSuccess(ExportFormat.readHeader(first))))
  yield* append(`${first}\n`)
  let sum = ExportFormat.emptySum
  yield* forEachPage(page, (lines) => {
    sum = lines.reduce(ExportFormat.add, sum)
    const report = progress({ text: `${counted(sum.operations, "operation")} exported`, done: sum.operations, total })
    return Effect.andThen(lines.length === 0 ? Effect.void : append(`${lines.join("\n")}\n`), report)
  })
  yield* append(`${ExportFormat.end(sum)}\n`)
  return sum.operations
})
