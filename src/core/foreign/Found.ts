/**
 * What is found in the memory of another program, as an import takes it.
 *
 * The same memory gives the same operations on every machine and at every time. A row without an HLC gets one from its
 * content and the time that it was written, never from the current time. So an import never wins over newer rows, and
 * importing one memory twice gives the same rows.
 */
import { Option, Predicate, Result } from "effect"
import * as Digest from "../replica/Digest.ts"
import type { Hlc } from "../replica/Hlc.ts"
import { canonical, parseExact } from "../replica/Json.ts"
import { NodeId } from "../replica/NodeId.ts"
import * as Operation from "../replica/Operation.ts"

/** One thing that was found. */
export type Found =
  | {
      readonly _tag: "Operation"
      readonly kind: string
      readonly where: string
      /** The operation in its wire form. */
      readonly line: string
    }
  /** Not taken, for a reason that many share. */
  | { readonly _tag: "LeftOut"; readonly kind: string; readonly reason: string; readonly count: number }
  /** Something that should be an operation, and cannot be read. */
  | { readonly _tag: "Refused"; readonly kind: string; readonly where: string; readonly reason: string }

/** The origin of rows that have none. */
export const origin = NodeId.make("feral-import")

export const leftOut = (kind: string, reason: string, count = 1): Found => ({ _tag: "LeftOut", kind, reason, count })

/** The operation in a value of the wire form, or what is wrong with it. */
export const fromWire = (kind: string, where: string, wire: unknown): Found =>
  Result.match(Operation.fromWire(wire), {
    onFailure: (reason): Found => ({ _tag: "Refused", kind, where, reason }),
    onSuccess: (operation): Found => ({ _tag: "Operation", kind, where, line: Operation.toWire(operation) })
  })

/** A row without an operation of its own. `at` is when it was written, in Unix seconds. */
export interface Bare {
  readonly kind: string
  readonly where: string
  readonly rowId: string
  readonly opType: "insert" | "delete"
  readonly data: { readonly [column: string]: unknown }
  readonly at: number
  /** Where the row has an HLC, but no operation. */
  readonly hlc?: Hlc | undefined
}

/** The operation of a row that has none. */
export const fromBare = ({ kind, where, rowId, opType, data, at, hlc }: Bare): Found => {
  const text = Option.getOrElse(canonical(data, Operation.maxDataDepth), () => "{}")
  const name = Digest.toText(Digest.fingerprint([kind, rowId, opType, text, hlc?.wall ?? at].join("\0")))
  const { wall, counter, node } = hlc ?? {
    wall: Math.max(0, Math.floor(at * 1000)),
    // 48 bits, so that rows of one millisecond have HLCs of their own. Zero is no HLC.
    counter: Number.parseInt(name.slice(0, 12), 16) + 1,
    node: origin
  }
  return fromWire(kind, where, {
    op_id: `feral-import:${name}`,
    table: kind,
    op_type: opType,
    row_id: rowId,
    data,
    hlc: `${wall}:${counter}:${node}`,
    origin_node: node,
    timestamp: Math.max(0, at)
  })
}

const tokens = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/gs

/** Reads JSON as Python writes it: NaN and Infinity, which JSON does not have, become null. */
export const parseMended = (text: string): Result.Result<unknown, string> => {
  const read = parseExact(text, Operation.maxDataDepth + 1)
  return Result.isSuccess(read)
    ? read
    : parseExact(
        text.replace(tokens, (token) => (token.startsWith('"') ? token : "null")),
        Operation.maxDataDepth + 1
      )
}

/** A time in the forms that databases have, in Unix seconds: a number, digits, or a date; none for anything else. */
export const secondsOf = (value: unknown): number | undefined => {
  const number = Predicate.isString(value) && value.trim() !== "" ? Number(value) : value
  if (Predicate.isNumber(number) && Number.isFinite(number)) {
    // So many seconds are the year 5138: these are milliseconds.
    return Math.abs(number) > 1e11 ? number / 1000 : number
  }
  return Predicate.isString(value) ? secondsOfDate(value) : undefined
}

const date = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d(?:\.\d+)?))?)?\s*(?:Z|([+-])(\d\d):?(\d\d))?$/

/** A date of ISO 8601, in UTC where it names no offset. */
const secondsOfDate = (text: string): number | undefined => {
  const match = date.exec(text.trim())
  if (match === null) return undefined
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1, 7)
    .map((part: string | undefined) => Number(part ?? 0))
  const offset = (match[7] === "-" ? -60 : 60) * (Number(match[8] ?? 0) * 60 + Number(match[9] ?? 0))
  // Years begin in March: a leap day is the last one of its year.
  const from = month <= 2 ? year - 1 : year
  const days = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const epoch = from * 365 + Math.floor(from / 4) - Math.floor(from / 100) + Math.floor(from / 400) + days - 719_468
  return epoch * 86_400 + hour * 3_600 + minute * 60 + second - offset
}
