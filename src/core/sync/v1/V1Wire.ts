/**
 * The messages of form 1: what existing FERAL nodes speak.
 *
 * Reading is as lenient as safety allows. Unknown keys are ignored, invalid clock entries are left out, and an
 * unreadable operation is quarantined with its reason. Python writes and reads text that is not JSON (`NaN`,
 * `Infinity`, any depth), so an operation is found in its frame by brackets and strings, and what is in it concerns no
 * other. Writing is strict: an operation goes out with exactly the eight keys that the oldest nodes know.
 *
 * An existing node may send all that it has in one frame. It is read piece by piece, so that no more than a piece of it
 * is ever held as values.
 */
import { Option, Predicate, Result, Schema } from "effect"
import { ProtocolViolation } from "../SyncFailure.ts"
import * as Hlc from "../../replica/Hlc.ts"
import {
  canonical,
  CanonicalJson,
  endOfValue,
  membersOf,
  parse,
  parseExact,
  skipSpace,
  wellFormedText
} from "../../replica/Json.ts"
import { NodeId } from "../../replica/NodeId.ts"
import * as Operation from "../../replica/Operation.ts"
import * as VectorClock from "../../replica/VectorClock.ts"
import { type Malformed, limits } from "../Wire.ts"

/** The limits of one read of a frame: operations, and their characters. */
const piece = { operations: 2_000, characters: 1024 * 1024 } as const

/**
 * Bytes of a frame that the oldest nodes still take. One mebibyte is their limit; this leaves room for the envelope.
 */
export const maxFrameBytes = 1024 * 1024 - 16 * 1024

/** Bytes of the largest operation that the newest nodes take: 8 MiB in a frame, less the envelope. */
export const maxNewestBytes = 8 * 1024 * 1024 - 16 * 1024

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

/** Operations, to be read with `readChanges`. Only the newest nodes number their frames. */
export interface Data {
  readonly type: "sync_data"
  readonly changes: Changes
  readonly more: boolean
  readonly isNumbered: boolean
}

/** The operations of a frame that are still to be read: the text of the frame, and where the next one begins. */
export interface Changes {
  readonly text: string
  readonly at: number
}

/** A piece of the operations of a frame. */
export interface Piece {
  readonly operations: ReadonlyArray<Labelled>
  readonly malformed: ReadonlyArray<Malformed>
  /** The rest; none after the last one. */
  readonly rest: Changes | undefined
}

/** An operation, and the scope that the newest nodes label it with. */
export interface Labelled {
  readonly operation: Operation.Operation
  readonly scope: string | undefined
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
export const decode = (text: string): Result.Result<Message, ProtocolViolation> => {
  const members = membersOf(text)
  if (members === undefined) return Result.fail(violation("not JSON"))
  const values: Record<string, unknown> = {}
  for (const [key, { start, end }] of members) {
    if (key === "changes") continue
    const value = parse(text.slice(start, end), limits.depth)
    // An unknown key is ignored, whatever it holds; a known one is missed below.
    if (Result.isSuccess(value)) Object.defineProperty(values, key, { value: value.success, enumerable: true })
  }
  if (values["type"] !== "sync_data") {
    return Result.mapError(decodeMessage(values), (error) =>
      violation(`not a message: ${error.message.slice(0, limits.text)}`)
    ).pipe(Result.flatMap(fromWire))
  }
  const changes = members.get("changes")
  if (changes === undefined || text[changes.start] !== "[") return Result.fail(violation("sync_data without changes"))
  return Result.succeed({
    type: "sync_data",
    changes: { text, at: changes.start + 1 },
    more: values["more"] === true,
    isNumbered: members.has("seq") || members.has("more")
  })
}

/** Reads the next operations of a frame. An operation that cannot be read does not keep the others from being read. */
export const readChanges = ({ text, at }: Changes): Piece => {
  const operations: Array<Labelled> = []
  const malformed: Array<Malformed> = []
  let index = at
  for (let count = 0; count < piece.operations && index - at < piece.characters; count++) {
    const start = skipSpace(text, index)
    const end = endOfValue(text, start)
    // The brackets of the frame were matched when it was decoded: this is its end, or nothing between two commas.
    if (end === undefined || (end === start && text[start] !== ",")) return { operations, malformed, rest: undefined }
    const source = text.slice(start, end)
    const read = readOperation(source)
    if (Result.isSuccess(read)) operations.push(read.success)
    else malformed.push({ reason: read.failure, text: source.slice(0, limits.quarantinedText) })
    index = skipSpace(text, end)
    if (text[index] !== ",") return { operations, malformed, rest: undefined }
    index++
  }
  return { operations, malformed, rest: { text, at: index } }
}

const readOperation = (source: string): Result.Result<Labelled, string> => {
  const value = parseExact(source, Operation.maxDataDepth + 1)
  if (Result.isFailure(value)) {
    return Result.fail(notFinite.test(source) ? "it contains NaN or Infinity, which are not valid JSON" : value.failure)
  }
  return Result.map(Operation.fromWire(value.success), (operation) => ({
    operation,
    scope: Predicate.hasProperty(value.success, "scope") ? shortText(value.success.scope) : undefined
  }))
}

/** What Python's `json` writes for numbers that JSON does not have. */
const notFinite = /[[:,\s]-?(?:NaN|Infinity)\s*[\],}]/

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
        const parsed = Predicate.isString(text) ? Option.getOrUndefined(Hlc.parseTimestamp(text)) : undefined
        return parsed === undefined || !isNodeId(node) ? [] : [[node, parsed.timestamp] as const]
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
 * An operation as an old node takes it: every write is an `insert`, `tags` is a text, and half a surrogate pair, which
 * its database cannot store, is U+FFFD. With a scope only for nodes that know of scopes.
 */
export const operationText = (operation: Operation.Operation, scope: string | undefined): string => {
  const text = Operation.toWire({
    ...operation,
    op_type: operation.op_type === "delete" ? "delete" : "insert",
    data: withTextTags(wellFormedText(operation.data))
  })
  return scope === undefined ? text : `${text.slice(0, -1)},"scope":${JSON.stringify(scope)}}`
}

const withTextTags = (data: CanonicalJson): CanonicalJson => {
  if (!data.includes('"tags":[')) return data
  const value = Result.getOrElse(parseExact(data, Operation.maxDataDepth), () => undefined)
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
