/**
 * The replicated operation: one write to one row of one kind, named by the HLC of its origin.
 *
 * An operation is plain, immutable data. `data` is canonical JSON text, so that equal content is equal text, a database
 * binds it as it is, and a relay forwards keys that it does not know. The origin of an operation is the node of its
 * HLC.
 */
import { Option, Order, Predicate, Result, Schema } from "effect"
import * as Hlc from "./Hlc.ts"
import { asDouble, canonical, CanonicalJson, isExactNumber, parse } from "./Json.ts"
import { isPlainText, NodeId, plainTextHint } from "./NodeId.ts"

/** Nesting that the `data` of an operation may have. */
export const maxDataDepth = 32

const plainText = (maxBytes: number) =>
  Schema.String.pipe(
    Schema.check(
      Schema.makeFilter(
        (text) => isPlainText(text, maxBytes) || `1 to ${maxBytes} bytes of printable text`,
        plainTextHint(maxBytes)
      )
    )
  )

/** The name of a replicated collection, `table` on the wire. A kind that this version does not know is relayed. */
export const Kind = plainText(64).pipe(Schema.brand("Kind"))
export type Kind = typeof Kind.Type

/** The identity of a row within its kind. */
export const RowId = plainText(256).pipe(Schema.brand("RowId"))
export type RowId = typeof RowId.Type

/** The identity of an operation, unique for its origin. */
export const OpId = plainText(256).pipe(Schema.brand("OpId"))
export type OpId = typeof OpId.Type

export const OpType = Schema.Literals(["insert", "update", "delete"])
export type OpType = typeof OpType.Type

/** One write. `timestamp` is in Unix seconds, as its origin wrote it. */
export const Operation = Schema.Struct({
  op_id: OpId,
  table: Kind,
  op_type: OpType,
  row_id: RowId,
  data: CanonicalJson,
  hlc: Hlc.Hlc,
  timestamp: Schema.Finite
})
export interface Operation extends Schema.Schema.Type<typeof Operation> {}

/** The members of a JSON object. */
export interface Content {
  readonly [name: string]: unknown
}

/** What the data of an operation holds, numbers as doubles; nothing when it is no object. */
export const contentOf = ({ data }: Pick<Operation, "data">): Content => contentIn(parse(data, maxDataDepth))

/** The members of a value that was read. */
export const contentIn = (parsed: Result.Result<unknown, string>): Content =>
  Result.isSuccess(parsed) && Predicate.isObject(parsed.success) ? { ...parsed.success } : {}

/** Orders operations by HLC: the order of last-writer-wins. */
export const OperationOrder: Order.Order<Operation> = Order.mapInput(Hlc.HlcOrder, (operation) => operation.hlc)

/** An operation as it travels: exactly these eight keys; others are ignored. */
export const WireOperation = Schema.Struct({
  op_id: OpId,
  table: Kind,
  op_type: OpType,
  row_id: RowId,
  data: Schema.Unknown,
  hlc: Schema.String,
  origin_node: NodeId,
  timestamp: Schema.Finite
})

const decodeWire = Schema.decodeUnknownResult(WireOperation)

/** The operation in a decoded JSON value, or the reason why it is none. `data` is `null` on some deletes. */
export const fromWire = (value: unknown): Result.Result<Operation, string> =>
  Result.flatMap(
    Result.mapError(decodeWire(withPlainTime(value)), (error) => error.message),
    ({ op_id, table, op_type, row_id, data, hlc, origin_node, timestamp }) => {
      const position = Option.getOrUndefined(Hlc.parseTimestamp(hlc))
      if (position === undefined) return Result.fail("hlc is not <wall_ms>:<counter>:<node_id>")
      if (Hlc.TimestampOrder(position.timestamp, Hlc.zero) === 0) return Result.fail("hlc is zero")
      if (position.node !== origin_node) return Result.fail("hlc and origin_node name different nodes")
      const content = data ?? {}
      if (!Predicate.isObject(content) || isExactNumber(content)) return Result.fail("data is not an object")
      if ("id" in content && content.id !== row_id) return Result.fail("data.id is not row_id")
      return Option.match(canonical(content, maxDataDepth), {
        onNone: () => Result.fail(`data is nested more than ${maxDataDepth} deep`),
        onSome: (text) =>
          Result.succeed({
            op_id,
            table,
            op_type,
            row_id,
            data: text,
            hlc: { ...position.timestamp, node: origin_node },
            timestamp
          })
      })
    }
  )

/** Digits are kept in `data` alone. */
const withPlainTime = (value: unknown): unknown =>
  Predicate.hasProperty(value, "timestamp") && isExactNumber(value.timestamp)
    ? { ...value, timestamp: asDouble(value.timestamp) }
    : value

/** The wire text of an operation. `data` is already JSON and goes in as it is. */
export const toWire = ({ op_id, table, op_type, row_id, data, hlc, timestamp }: Operation): string => {
  const id = JSON.stringify(hlc.node)
  return (
    `{"op_id":${JSON.stringify(op_id)},"table":${JSON.stringify(table)},"op_type":"${op_type}",` +
    `"row_id":${JSON.stringify(row_id)},"data":${data},"hlc":"${hlc.wall}:${hlc.counter}:${id.slice(1)},` +
    `"origin_node":${id},"timestamp":${timestamp}}`
  )
}
