/**
 * The lines of an export: a header, and then one operation in each line, in its wire form.
 *
 * What is read was written by anybody. `readHeader` and `readOperation` give a value or a reason for every text whatsoever,
 * and `readOperation` gives back every operation that `Operation.toWire` wrote.
 */
import { Result, Schema } from "effect"
import * as ClockOffset from "./ClockOffset.ts"
import { parse, parseExact } from "./Json.ts"
import { type NodeId, utf8Length } from "./NodeId.ts"
import * as Operation from "./Operation.ts"
import * as VectorClock from "./VectorClock.ts"

/** What an operation may be, to be taken. */
export interface Limits {
  readonly bytes: number
  /** How far ahead of `now` its wall time may be. Both in ms. */
  readonly driftMs: number
  readonly now: number
}

const HeaderWire = Schema.Struct({ format: Schema.Literal("feral-sync"), version: Schema.Natural })
const decodeHeader = Schema.decodeUnknownResult(HeaderWire)
const version = 1

/** The first line. `exportedAt` is in ms; in the line it is in Unix seconds. `clock` is what the node claimed when the export began, for information: an import claims nothing. */
export const header = (nodeId: NodeId, exportedAt: number, clock: VectorClock.VectorClock): string =>
  JSON.stringify({
    format: "feral-sync",
    version,
    node_id: nodeId,
    exported_at: exportedAt / 1000,
    vector_clock: VectorClock.toRecord(clock)
  })

/** Reads the first line. Other keys are ignored. */
export const readHeader = (text: string): Result.Result<void, string> =>
  Result.flatMap(parse(text, Operation.maxDataDepth), (value) => {
    const read = decodeHeader(value)
    if (Result.isFailure(read)) return Result.fail("its first line is no header of an export")
    return read.success.version === version
      ? Result.succeed(undefined)
      : Result.fail(`it has version ${read.success.version}, made by a newer feral-sync: upgrade this one`)
  })

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
