/**
 * `export`: writes all rows as lines of JSON.
 */
import { Effect, FileSystem, type PlatformError } from "effect"
import { Argument, Command } from "effect/cli"
import * as ExportFormat from "../core/replica/ExportFormat.ts"
import type { Archive, Page } from "../services/admin/Archive.ts"
import * as Access from "./Access.ts"
import { WrongUsage } from "./Failure.ts"
import * as Globals from "./Globals.ts"
import * as NewFile from "./NewFile.ts"
import { counted, quoted, write, writeJson, writeLine } from "./Output.ts"
import * as Progress from "./Progress.ts"

export const command = Command.make(
  "export",
  { file: Argument.String("file").pipe(Argument.withDescription("The file to create; - writes to standard output")) },
  Effect.fnUntraced(function* ({ file }) {
    const isJson = yield* Globals.Json
    if (file === "-" && isJson) {
      return yield* new WrongUsage({
        message: "export - writes its lines to standard output: leave out --json, or give the name of a file"
      })
    }
    const { archive } = yield* Access.open("read")
    const source = yield* archive
    if (file === "-") return yield* Effect.asVoid(send(source, isJson, write))
    const operations = yield* toFile(file, (append) => send(source, isJson, append))
    yield* isJson
      ? writeJson({ file, operations })
      : writeLine(`Exported ${counted(operations, "operation")} to ${quoted(file)}`)
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Export all rows of this node to a new file, as lines of JSON. After a header comes the latest operation of each row, deleted rows included. An existing file is never replaced."
  ),
  Command.withShortDescription("Export all rows to a file, as lines of JSON"),
  Command.withExamples([
    { command: "feral-sync export memory.jsonl" },
    { command: "feral-sync export - | gzip > memory.jsonl.gz" }
  ])
)

/** Sends everything, page by page. Gives the number of operations. */
const send = Effect.fnUntraced(function* <E, R>(
  { header, page }: Archive,
  isJson: boolean,
  append: (text: string) => Effect.Effect<void, E, R>
) {
  const progress = yield* Progress.make(isJson)
  yield* append(`${yield* header}\n`)
  let sum = ExportFormat.emptySum
  let next: Page["after"] = null
  do {
    const { lines, after }: Page = yield* page(next)
    if (lines.length > 0) yield* append(`${lines.join("\n")}\n`)
    sum = lines.reduce(ExportFormat.add, sum)
    next = after
    yield* progress(`${counted(sum.operations, "operation")} exported`)
  } while (next !== null)
  yield* append(`${ExportFormat.end(sum)}\n`)
  return sum.operations
})

type Append = (text: string) => Effect.Effect<void, PlatformError.PlatformError>

const toFile = (file: string, body: (append: Append) => ReturnType<typeof send<PlatformError.PlatformError, never>>) =>
  NewFile.make(
    file,
    Effect.fnUntraced(function* (temporary: string) {
      const fs = yield* FileSystem.FileSystem
      const handle = yield* fs.open(temporary, { flag: "r+" })
      const encoder = new TextEncoder()
      return yield* body((text) => handle.writeAll(encoder.encode(text)))
    })
  )
