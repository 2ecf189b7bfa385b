/**
 * `import`: takes in the operations of an export.
 *
 * The file is untrusted. A line that is not a valid operation is counted and shown with its number and the reason, and does not
 * keep the others out. Only a batch of lines is in memory.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import { Effect, Option, Result, Schema, Stream } from "effect"
import { Argument, Command } from "effect/cli"
import { createReadStream } from "node:fs"
import { commandLine } from "../services/node/Invocation.ts"
import * as ExportFormat from "../core/replica/ExportFormat.ts"
import { utf8Length } from "../core/replica/NodeId.ts"
import { type Archive, batch } from "../services/admin/Archive.ts"
import * as Config from "../services/node/Config.ts"
import { FileUnusable } from "../services/node/NodeFailure.ts"
import { elsewhere, explain } from "../services/node/FileError.ts"
import * as Access from "./Access.ts"
import * as Globals from "./Globals.ts"
import * as Lines from "./Lines.ts"
import { counted, oneLine, writeError, writeJson, writeLine } from "./Output.ts"
import * as Progress from "./Progress.ts"

/** Refused lines that are shown. */
const shown = 100

/** Some lines could not be taken. */
class LinesRefused extends Schema.TaggedError<LinesRefused>()("LinesRefused", { count: Schema.Natural }) {
  override get message(): string {
    return `${counted(this.count, "line")} refused; all others were imported: correct these lines and import again`
  }
}

/** The export was cut or changed since it was made. What could be read of it was taken. */
class ExportIncomplete extends Schema.TaggedError<ExportIncomplete>()("ExportIncomplete", {
  file: Schema.String,
  shortcoming: Schema.Literals(["incomplete", "changed"]),
  read: Schema.Natural,
  of: Schema.Natural
}) {
  override get message(): string {
    return this.shortcoming === "incomplete"
      ? `${this.file} is incomplete (${this.read} of ${counted(this.of, "row")}, which were imported): export it again, or copy it again`
      : `${this.file} was changed after the export; its rows were imported: compare it with the original`
  }
}

export const command = Command.make(
  "import",
  { file: Argument.String("file").pipe(Argument.withDescription("An exported file; - reads standard input")) },
  Effect.fnUntraced(function* ({ file }) {
    const isJson = yield* Globals.Json
    const { maxRecvBytes } = yield* Config.load()
    // Opened only after a valid header: a file that cannot be imported makes no data directory.
    let archive: Archive | undefined
    const progress = yield* Progress.make(isJson)
    const lines = Lines.make(maxRecvBytes)
    const refused: Array<{ readonly line: number; readonly reason: string }> = []
    let rows = Option.none<number>()
    let sum = ExportFormat.emptySum
    let end = Option.none<ExportFormat.Sum>()
    let read = 0
    let applied = 0
    let refusals = 0
    let pending: Array<Lines.Line> = []
    let pendingBytes = 0

    const refuse = (line: number, reason: string) => {
      if (refusals++ < shown) refused.push({ line, reason })
    }
    /** The last call makes all of it last. */
    const flush = Effect.fnUntraced(function* ({ take }: Archive, isLast: boolean) {
      const taking = pending
      pending = []
      pendingBytes = 0
      const taken = yield* take(
        taking.map(({ text }) => text),
        isLast
      )
      applied += taken.applied
      for (const { index, reason } of taken.refused) refuse(taking[index]?.number ?? 0, reason)
      yield* progress(`${counted(read, "operation")} read`)
    })
    const next = Effect.fnUntraced(function* (line: Lines.Line) {
      if (archive === undefined) {
        const header = line.problem === undefined ? ExportFormat.readHeader(line.text) : Result.fail(line.problem)
        if (Result.isFailure(header)) {
          const problem = `it cannot be imported (${header.failure}): use a file written by ${commandLine("export")}`
          return yield* new FileUnusable({ file, problem })
        }
        archive = yield* (yield* Access.open("write")).archive
        rows = header.success
        return
      }
      const last = line.problem === undefined ? ExportFormat.readEnd(line.text) : Option.none()
      if (Option.isSome(last)) {
        end = last
        return
      }
      read++
      sum = ExportFormat.add(sum, line.text)
      if (line.problem !== undefined) return refuse(line.number, line.problem)
      const bytes = utf8Length(line.text)
      if (pending.length >= batch.lines || pendingBytes + bytes > batch.bytes) yield* flush(archive, false)
      pending.push(line)
      pendingBytes += bytes
    })

    yield* Stream.runForEach(bytesOf(file), (bytes) => Effect.forEach(lines.push(bytes), next, { discard: true }))
    yield* Effect.forEach(lines.end(), next, { discard: true })
    if (archive === undefined) {
      return yield* new FileUnusable({ file, problem: `it is empty: use a file written by ${commandLine("export")}` })
    }
    yield* flush(archive, true)
    refused.sort((a, b) => a.line - b.line)
    const ignored = read - applied - refusals
    const shortcoming = ExportFormat.shortcoming(rows, sum, end)
    const complete = Option.isNone(rows) ? null : shortcoming === undefined
    if (isJson) yield* writeJson({ read, applied, ignored, refused, refused_count: refusals, complete })
    else {
      for (const { line, reason } of refused) yield* writeError(`line ${line}: ${oneLine(reason)}`)
      if (refusals > refused.length) yield* writeError(`and ${refusals - refused.length} more`)
      yield* writeLine(
        `Read ${counted(read, "operation")}: ${applied} new, ${ignored} already known, ${refusals} refused`
      )
      if (complete === null)
        yield* writeError(
          "this export has no end line, so it may be incomplete: an earlier version of feral-sync wrote it"
        )
    }
    // Lines that were spoilt make the sum wrong as well, and say more.
    if (refusals > 0) return yield* new LinesRefused({ count: refusals })
    if (shortcoming !== undefined) {
      const of = Option.match(end, {
        onNone: () => Option.getOrElse(rows, () => read),
        onSome: ({ operations }) => operations
      })
      return yield* new ExportIncomplete({ file, shortcoming, read, of })
    }
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Import the rows of an export. They are merged like rows from a peer: the newest version of each row wins. Importing a file twice changes nothing."
  ),
  Command.withShortDescription("Import the rows of an export"),
  Command.withExamples([
    { command: "feral-sync import memory.jsonl" },
    { command: "gunzip -c memory.jsonl.gz | feral-sync import -" }
  ])
)

const bytesOf = (file: string) =>
  NodeStream.fromReadable<Uint8Array, FileUnusable>({
    evaluate: () => (file === "-" ? process.stdin : createReadStream(file)),
    onError: (error) => {
      const { problem, nextStep } = explain(error, file, elsewhere.file) ?? {
        problem: error instanceof Error ? error.message : String(error),
        nextStep: "check the name"
      }
      return new FileUnusable({ file, problem: `it cannot be read (${problem})`, nextStep })
    },
    chunkSize: 4
  })
