/**
 * The messages of form 1: what existing FERAL nodes speak.
 *
 * Reading is lenient, as far as safety allows: unknown keys are ignored, clock entries that make no sense are left out, an
 * operation that cannot be read is set aside with its reason. Writing is strict: an operation goes out with exactly the eight keys that
 * the oldest nodes know.
 */
import { Option, Predicate, Result, Schema } from "effect"
import { ProtocolViolation } from "../Failure.ts"
import * as Hlc from "../Hlc.ts"
import { canonical, CanonicalJson, parse } from "../Json.ts"
import { NodeId } from "../NodeId.ts"
import * as Operation from "../Operation.ts"
import * as VectorClock from "../VectorClock.ts"
import { type Malformed, limits } from "../Wire.ts"

/** Operations in one frame: an old node sends all that it has in one. */
const operationsPerFrame = 250_000

/** Bytes of a frame that the oldest nodes still take. One mebibyte is their limit; this leaves room for the envelope. */
export const maxFrameBytes = 1024 * 1024 - 16 * 1024

/** The first message of the dialler. */
export interface Request {
  readonly type: "sync_request"
  readonly nodeId: NodeId
  readonly clock: VectorClock.VectorClock
  readonly passphrase: string
}

/** The answer to it. */
export interface Response {
  readonly type: "sync_response"
  readonly nodeId: NodeId
  readonly clock: VectorClock.VectorClock
}

/** Operations. Only the newest nodes number their frames and label operations with a scope. */
export interface Data {
  readonly type: "sync_data"
  readonly operations: ReadonlyArray<Operation.Operation>
  readonly malformed: ReadonlyArray<Malformed>
  readonly more: boolean
  readonly isNewest: boolean
}

/** A refusal. */
export interface Refusal {
  readonly type: "sync_error"
  readonly message: string
  readonly reason: string
}

export type Message = Request | Response | Data | Refusal

const Text = Schema.String.check(Schema.isMaxLength(limits.text))
const ClockWire = Schema.Record(Schema.String, Schema.Unknown)
const MessageWire = Schema.Union([
  Schema.Struct({
    type: Schema.Literal("sync_request"),
    node_id: NodeId,
    vector_clock: ClockWire,
    passphrase: Schema.optionalKey(Text)
  }),
  Schema.Struct({ type: Schema.Literal("sync_response"), node_id: NodeId, vector_clock: ClockWire }),
  Schema.Struct({
    type: Schema.Literal("sync_data"),
    changes: Schema.Array(Schema.Unknown).check(Schema.isMaxLength(operationsPerFrame)),
    seq: Schema.optionalKey(Schema.Unknown),
    more: Schema.optionalKey(Schema.Unknown)
  }),
  Schema.Struct({
    type: Schema.Literal("sync_error"),
    message: Schema.optionalKey(Schema.Unknown),
    reason: Schema.optionalKey(Schema.Unknown)
  })
])
type MessageWire = typeof MessageWire.Type

const decodeMessage = Schema.decodeUnknownResult(MessageWire)
const isNodeId = Schema.is(NodeId)
const violation = (detail: string) => new ProtocolViolation({ detail })

/** Reads a frame. */
export const decode = (text: string): Result.Result<Message, ProtocolViolation> =>
  Result.mapError(parse(text, limits.depth), violation).pipe(
    Result.flatMap((value) =>
      Result.mapError(decodeMessage(value), (error) =>
        violation(`not a message: ${error.message.slice(0, limits.text)}`)
      )
    ),
    Result.flatMap(fromWire)
  )

const fromWire = (wire: MessageWire): Result.Result<Message, ProtocolViolation> => {
  switch (wire.type) {
    case "sync_request":
      return Result.map(readClock(wire.vector_clock), (clock) => ({
        type: wire.type,
        nodeId: wire.node_id,
        clock,
        passphrase: wire.passphrase ?? ""
      }))
    case "sync_response":
      return Result.map(readClock(wire.vector_clock), (clock) => ({ type: wire.type, nodeId: wire.node_id, clock }))
    case "sync_data": {
      const operations: Array<Operation.Operation> = []
      const malformed: Array<Malformed> = []
      for (const change of wire.changes) {
        const read = Operation.fromWire(change)
        if (Result.isSuccess(read)) operations.push(read.success)
        else malformed.push({ reason: read.failure, text: JSON.stringify(change).slice(0, limits.quarantinedText) })
      }
      const isNewest =
        "seq" in wire || "more" in wire || wire.changes.some((change) => Predicate.hasProperty(change, "scope"))
      return Result.succeed({ type: wire.type, operations, malformed, more: wire.more === true, isNewest })
    }
    case "sync_error":
      return Result.succeed({ type: wire.type, message: shortText(wire.message), reason: shortText(wire.reason) })
  }
}

const shortText = (value: unknown): string => (Predicate.isString(value) ? value.slice(0, limits.text) : "")

const readClock = (record: typeof ClockWire.Type): Result.Result<VectorClock.VectorClock, ProtocolViolation> => {
  const entries = Object.entries(record)
  if (entries.length > limits.origins) return Result.fail(violation(`a clock of more than ${limits.origins} origins`))
  return Result.succeed(
    VectorClock.fromEntries(
      entries.flatMap(([node, text]) => {
        const parsed = Predicate.isString(text) ? Option.getOrUndefined(Hlc.parseReading(text)) : undefined
        return parsed === undefined || !isNodeId(node) ? [] : [[node, parsed.reading] as const]
      })
    )
  )
}

/** A message as text. */
export const encode = (message: Request | Response | Refusal): string => {
  switch (message.type) {
    case "sync_request":
      return JSON.stringify({
        type: message.type,
        node_id: message.nodeId,
        vector_clock: VectorClock.toRecord(message.clock),
        passphrase: message.passphrase
      })
    case "sync_response":
      return JSON.stringify({
        type: message.type,
        node_id: message.nodeId,
        vector_clock: VectorClock.toRecord(message.clock)
      })
    case "sync_error":
      return JSON.stringify({ type: message.type, message: message.message, reason: message.reason })
  }
}

/**
 * An operation as an old node takes it: every write is an `insert`, `tags` is a text. With a scope only for nodes that know
 * of scopes.
 */
export const operationText = (operation: Operation.Operation, scope: string | undefined): string => {
  const text = Operation.toWire({
    ...operation,
    op_type: operation.op_type === "delete" ? "delete" : "insert",
    data: withTextTags(operation.data)
  })
  return scope === undefined ? text : `${text.slice(0, -1)},"scope":${JSON.stringify(scope)}}`
}

const withTextTags = (data: CanonicalJson): CanonicalJson => {
  if (!data.includes('"tags":[')) return data
  const value = Result.getOrElse(parse(data, Operation.maxDataDepth), () => undefined)
  if (!Predicate.isObject(value) || !Array.isArray(value["tags"])) return data
  return Option.getOrElse(
    canonical({ ...value, tags: JSON.stringify(value["tags"]) }, Operation.maxDataDepth),
    () => data
  )
}

/** A frame of operations for the oldest nodes. */
export const onlyFrame = (changes: ReadonlyArray<string>): string =>
  `{"type":"sync_data","changes":[${changes.join(",")}]}`

/** One of several frames, for the newest nodes. */
export const numberedFrame = (changes: ReadonlyArray<string>, seq: number, more: boolean): string =>
  `{"type":"sync_data","seq":${seq},"more":${more},"changes":[${changes.join(",")}]}`
