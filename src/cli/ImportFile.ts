/**
 * Imports an export of feral-sync.
 *
 * The file is untrusted. A line that is not a valid operation is counted and shown with its number and the reason, and
 * does not keep the others out. Only a batch of lines is in memory.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import { Effect, Option, Result, Schema, Stream } from "effect"
import { createReadStream, statSync } from "node:fs"
import { type Advised, messageOf } from "../core/text/Explained.ts"
import * as RowFormat from "../core/foreign/RowFormat.ts"
import { commandLine } from "../services/node/Invocation.ts"
import * as ExportFormat from "../core/replica/ExportFormat.ts"
import * as Config from "../services/node/Config.ts"
import { FileUnusable } from "../services/node/NodeFailure.ts"
import { elsewhere, explain } from "../services/node/FileError.ts"
import { sized } from "../services/node/Home.ts"
import * as Globals from "./Globals.ts"
import * as Lines from "./Lines.ts"
import { counted, oneLine, writeError, writeJson, writeLine } from "./Output.ts"
import * as Progress from "./Progress.ts"
import * as Taking from "./Taking.ts"

/** The export was cut or changed since it was made. What could be read of it was taken. */
export class ExportIncomplete extends Schema.TaggedError<ExportIncomplete>()("ExportIncomplete", {
  file: Schema.String,
  shortcoming: Schema.Literals(["incomplete", "changed"]),
  read: Schema.Natural,
  of: Schema.Natural,
  isDry: Schema.Boolean
}) {
  readonly explained = shortOf(this)
  readonly problem = this.explained.problem
  readonly nextStep = this.explained.nextStep
  override readonly message = messageOf(this, ": ")
}

type Short = Pick<ExportIncomplete, "file" | "shortcoming" | "read" | "of" | "isDry">

const shortOf = ({ file, shortcoming, read, of, isDry }: Short): Advised => {
  if (shortcoming === "incomplete") {
    const taken = isDry ? "" : ", which were imported"
    return {
      problem: `${file} is incomplete (${read} of ${counted(of, "row")}${taken})`,
      nextStep: "export it again, or copy it again"
    }
  }
  const taken = isDry ? "" : "; its rows were imported"
  return { problem: `${file} was changed after the export${taken}`, nextStep: "compare it with the original" }
}

/** What to do about a file that is no export. */
const useExport = () => `use a file written by ${commandLine("export")}`

/** Imports `file`, or only looks at it. */
export const run = Effect.fnUntraced(function* (file: string, isDry: boolean) {
  const isJson = yield* Globals.Json
  const settings = yield* Config.load()
  const progress = yield* Progress.make(isJson)
  const lines = Lines.make(settings.maxRecvBytes)
  const refused: Array<{ readonly line: number; readonly reason: string }> = []
  let rows = Option.none<number>()
  let sum = ExportFormat.emptySum
  let end = Option.none<ExportFormat.Sum>()
  let read = 0
  let applied = 0
  let bytes = 0
  const size = file === "-" ? undefined : statSync(file, { throwIfNoEntry: false })?.size
  let refusals = 0

  const refuse = (line: number, reason: string) => {
    if (refusals++ < Taking.shown) refused.push({ line, reason })
  }
  // Opened only after a valid header: a file that cannot be imported makes no data directory.
  const begin = Effect.map(Taking.open(isDry, settings), (take) =>
    Taking.make<number, never, never>(take, (_, count, wrong) => {
      applied += count
      for (const { label, reason } of wrong) refuse(label, reason)
      return progress({ text: `${counted(read, "operation")} read`, done: bytes, total: size, amount: sized })
    })
  )
  /** Lines of rows, as `export --format ndjson` writes them, have no header. */
  let isRows = false
  let taking: Effect.Success<typeof begin> | undefined
  const takeRow = (into: Effect.Success<typeof begin>, { number, text, problem }: Lines.Line) => {
    read++
    const found = problem === undefined ? RowFormat.fromJsonLine(text, `line ${number}`) : undefined
    if (found?._tag === "Operation") return into.push({ label: number, text: found.line })
    return Effect.sync(() => refuse(number, found?._tag === "Refused" ? found.reason : (problem ?? "not a row")))
  }
  const next = Effect.fnUntraced(function* (line: Lines.Line) {
    if (taking === undefined) {
      if (line.problem === undefined && RowFormat.isJsonLine(line.text)) {
        isRows = true
        taking = yield* begin
        return yield* takeRow(taking, line)
      }
      const header = line.problem === undefined ? ExportFormat.readHeader(line.text) : Result.fail(line.problem)
      if (Result.isFailure(header)) {
        const problem = `it cannot be imported (${header.failure})`
        return yield* new FileUnusable({ file, problem, nextStep: useExport() })
      }
      taking = yield* begin
      rows = header.success
      return
    }
    if (isRows) return yield* takeRow(taking, line)
    const last = line.problem === undefined ? ExportFormat.readEnd(line.text) : Option.none()
    if (Option.isSome(last)) {
      end = last
      return
    }
    read++
    sum = ExportFormat.add(sum, line.text)
    if (line.problem !== undefined) return refuse(line.number, line.problem)
    yield* taking.push({ label: line.number, text: line.text })
  })

  yield* Stream.runForEach(bytesOf(file), (part) => {
    bytes += part.length
    return Effect.forEach(lines.push(part), next, { discard: true })
  })
  yield* Effect.forEach(lines.end(), next, { discard: true })
  if (taking === undefined) {
    return yield* new FileUnusable({ file, problem: "it is empty", nextStep: useExport() })
  }
  yield* taking.flush(true)
  refused.sort((a, b) => a.line - b.line)
  const ignored = read - applied - refusals
  const shortcoming = ExportFormat.shortcoming(rows, sum, end)
  const complete = Option.isNone(rows) ? null : shortcoming === undefined
  const refusal = { refused, refused_count: refusals, complete }
  if (isJson) yield* writeJson(isDry ? { read, ...refusal, is_dry_run: true } : { read, applied, ignored, ...refusal })
  else {
    for (const { line, reason } of refused) yield* writeError(`line ${line}: ${oneLine(reason)}`)
    if (refusals > refused.length) yield* writeError(`and ${refusals - refused.length} more`)
    yield* writeLine(
      isDry
        ? `Read ${counted(read, "operation")}, ${refusals} of which would be refused. Nothing was imported`
        : `Read ${counted(read, "operation")}: ${applied} new, ${ignored} already known, ${refusals} refused`
    )
    if (complete === null && !isRows)
      yield* writeError(
        "this export has no end line, so it may be incomplete: an earlier version of feral-sync wrote it"
      )
  }
  // Lines that were spoilt make the sum wrong as well, and say more.
  if (refusals > 0) return yield* new Taking.LinesRefused({ count: refusals, isDry })
  if (shortcoming !== undefined) {
    const of = Option.match(end, {
      onNone: () => Option.getOrElse(rows, () => read),
      onSome: ({ operations }) => operations
    })
    return yield* new ExportIncomplete({ file, shortcoming, read, of, isDry })
  }
})

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
