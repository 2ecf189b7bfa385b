/**
 * `export`: writes all rows as lines of JSON.
 *
 * A file is there whole or not at all: it gets its name when it is complete. A file that exists is never replaced.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, FileSystem, type PlatformError } from "effect"
import { Argument, Command } from "effect/cli"
import type { Archive, Page } from "../services/Archive.ts"
import { FileUnusable } from "../services/Failure.ts"
import * as Access from "./Access.ts"
import * as Globals from "./Globals.ts"
import { counted, quoted, write, writeJson, writeLine } from "./Output.ts"
import * as Progress from "./Progress.ts"

export const command = Command.make(
  "export",
  { file: Argument.String("file").pipe(Argument.withDescription("The file to make; - writes to stdout")) },
  Effect.fnUntraced(function* ({ file }) {
    const isJson = yield* Globals.Json
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
    "Write all that this node holds to a file, as lines of JSON: a header, then the last operation of each row, also of deleted ones. Never replaces a file."
  ),
  Command.withShortDescription("Write all rows to a file, as lines of JSON"),
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
  let sent = 0
  let next: Page["after"] = null
  do {
    const { lines, after }: Page = yield* page(next)
    if (lines.length > 0) yield* append(`${lines.join("\n")}\n`)
    sent += lines.length
    next = after
    yield* progress(`${counted(sent, "operation")} exported`)
  } while (next !== null)
  return sent
})

type Append = (text: string) => Effect.Effect<void, PlatformError.PlatformError>

const toFile = (file: string, body: (append: Append) => ReturnType<typeof send<PlatformError.PlatformError, never>>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const exists = new FileUnusable({ file, problem: "it exists already: choose another name, or remove it" })
    if (yield* fs.exists(file)) return yield* exists
    const temporary = `${file}.${process.pid}.tmp`
    const handle = yield* fs.open(temporary, { flag: "wx", mode: 0o600 })
    yield* Effect.addFinalizer(() => Effect.ignore(fs.remove(temporary, { force: true })))
    const encoder = new TextEncoder()
    const operations = yield* body((text) => handle.writeAll(encoder.encode(text)))
    yield* handle.sync
    // A link is never made over what exists. Where files cannot have two names, looking before has to do.
    yield* Effect.catch(fs.link(temporary, file), () =>
      Effect.flatMap(fs.exists(file), (isThere): Effect.Effect<void, FileUnusable | PlatformError.PlatformError> =>
        isThere ? Effect.fail(exists) : fs.rename(temporary, file)
      )
    )
    return operations
  }).pipe(
    Effect.catchTag("PlatformError", (error) =>
      Effect.fail(new FileUnusable({ file, problem: `it cannot be written (${error.message}): choose another place` }))
    ),
    Effect.scoped,
    Effect.provide(NodeFileSystem.layer)
  )
