/**
 * The lines of an export: a header, then one operation in its wire form on each line. The last line has their number
 * and their digest, so that a truncated or modified export is detected. Exports of the first releases have no last
 * line.
 *
 * The input is untrusted. `readHeader` and `readOperation` return a value or a reason for every text,
 * and `readOperation` gives back every operation that `Operation.toWire` wrote.
 */
import { Option, Result, Schema } from "effect"
import * as Digest from "./Digest.ts"
import * as ClockOffset from "../text/ClockOffset.ts"
import { parse, parseExact } from "./Json.ts"
import { type NodeId, utf8Length } from "./NodeId.ts"
import * as Operation from "./Operation.ts"
import * as VectorClock from "./VectorClock.ts"

/** The limits of an operation. */
export interface Limits {
  readonly bytes: number
  /** How far ahead of `now` its wall time may be. Both in ms. */
  readonly driftMs: number
  readonly now: number
}

const HeaderWire = Schema.Struct({
  format: Schema.Literal("feral-sync"),
  version: Schema.Natural,
  rows: Schema.optionalKey(Schema.Natural)
})
const EndWire = Schema.Struct({
  format: Schema.Literal("feral-sync end"),
  operations: Schema.Natural,
  digest: Schema.String.check(Schema.isPattern(/^[0-9a-f]{16}$/))
})
const decodeEnd = Schema.decodeUnknownOption(EndWire)
const decodeHeader = Schema.decodeUnknownResult(HeaderWire)
const version = 1

/**
 * The first line. `exportedAt` is in ms; in the line it is in Unix seconds. `clock` is what the node claimed when the
 * export began, for information: an import claims nothing.
 */
export const header = (nodeId: NodeId, exportedAt: number, clock: VectorClock.VectorClock, rows: number): string =>
  JSON.stringify({
    format: "feral-sync",
    version,
    node_id: nodeId,
    exported_at: exportedAt / 1000,
    rows,
    vector_clock: VectorClock.toRecord(clock)
  })

/**
 * Reads the first line. Other keys are ignored. Gives about how many rows follow, where the last line says how many
 * they were; none for an export without a last line.
 */
export const readHeader = (text: string): Result.Result<Option.Option<number>, string> =>
  Result.flatMap(parse(text, Operation.maxDataDepth), (value) => {
    const read = decodeHeader(value)
    if (Result.isFailure(read)) return Result.fail("its first line is not the header of an export")
    return read.success.version === version
      ? Result.succeed(Option.fromUndefinedOr(read.success.rows))
      : Result.fail(`it has version ${read.success.version}, written by a newer feral-sync: upgrade this one`)
  })

/** The operation lines of an export together, whatever their order. */
export interface Sum {
  readonly operations: number
  readonly digest: Digest.Digest
}

export const emptySum: Sum = { operations: 0, digest: Digest.empty }

/** The sum with one more line. */
export const add = ({ operations, digest }: Sum, line: string): Sum => ({
  operations: operations + 1,
  digest: Digest.add(digest, Digest.fingerprint(line))
})

/** The last line. */
export const end = ({ operations, digest }: Sum): string =>
  JSON.stringify({ format: "feral-sync end", operations, digest: Digest.toText(digest) })

/** Reads the last line; none when the text is something else. */
export const readEnd = (text: string): Option.Option<Sum> =>
  text.startsWith('{"format":"feral-sync end"')
    ? Option.map(Option.flatMap(Result.getSuccess(parse(text, 1)), decodeEnd), ({ operations, digest }) => ({
        operations,
        digest: Digest.fromText(digest)
      }))
    : Option.none()

/**
 * The problem of an export with `rows` in its header, `sum` over its lines, and the last line `end`; none if it is
 * complete.
 */
export const shortcoming = (
  rows: Option.Option<number>,
  sum: Sum,
  end: Option.Option<Sum>
): "incomplete" | "changed" | undefined => {
  if (Option.isNone(rows)) return undefined
  if (Option.isNone(end) || end.value.operations > sum.operations) return "incomplete"
  return end.value.operations === sum.operations && Digest.equals(end.value.digest, sum.digest) ? undefined : "changed"
}

/** Reads the line of an operation. */
export const readOperation = (
  text: string,
  { bytes, driftMs, now }: Limits
): Result.Result<Operation.Operation, string> =>
  Result.flatMap(parseExact(text, Operation.maxDataDepth + 1), Operation.fromWire).pipe(
    Result.flatMap((operation) => {
      // What is written shorter than its canonical text may be too large for every peer all the same.
      const size = utf8Length(Operation.toWire(operation))
      if (size > bytes) return Result.fail(`an operation of ${size} bytes is over the limit of ${bytes}`)
      const ahead = operation.hlc.wall - now
      return ahead > driftMs
        ? Result.fail(`its clock is ${ClockOffset.amount(ahead)} ahead of ours (allowed: ${driftMs / 1000} s)`)
        : Result.succeed(operation)
    })
  )
