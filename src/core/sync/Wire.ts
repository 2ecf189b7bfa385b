/**
 * The messages of the wire, form 2, and their limits.
 *
 * A frame is one JSON object. `decode` gives a message or a typed failure for every text whatsoever; `encode` gives a text
 * that `decode` reads back. An operation that cannot be read does not fail its frame: it is returned as malformed, with
 * the reason, beside the others. Keys that this version does not know are ignored.
 */
import { HashMap, Option, Result, Schema } from "effect"
import type * as Cut from "../replica/Cut.ts"
import * as Digest from "../replica/Digest.ts"
import { ProtocolViolation } from "./SyncFailure.ts"
import type { Timestamp } from "../replica/Hlc.ts"
import { parseExact } from "../replica/Json.ts"
import { NodeId, utf8Length } from "../replica/NodeId.ts"
import * as Operation from "../replica/Operation.ts"
import * as Relayed from "../replica/Relayed.ts"
import type { Part, Position } from "../replica/Ranges.ts"
import type { Holdings } from "../replica/Replica.ts"
import * as VectorClock from "../replica/VectorClock.ts"
import * as TraceParent from "./TraceParent.ts"

/** Limits on the data of a peer that is held at once. Bytes are limited by the transport, before a frame gets here. */
export const limits = {
  /** Nesting of a frame: the envelope, the list of changes, and the data of an operation. */
  depth: Operation.maxDataDepth + 4,
  operationsPerFrame: 20_000,
  origins: 10_000,
  /**
   * Bytes of the first frame of a side that has not proved itself. The sender chooses the form and the revision, so all of them
   * have the same limit. Where the clock comes before the proof, it is room for some 700 origins.
   */
  greetingBytes: 65_536,
  /** Rows that are named because they are too large. */
  deferredRows: 256,
  features: 32,
  /** Origins whose rows a greeting sums up. */
  uncovered: 1_000,
  rangesPerFrame: 8_192,
  /** Characters of a reason, message or proof. */
  text: 1_000,
  /** Characters of a malformed operation that are kept. */
  quarantinedText: 4_096
} as const

/** Reasons of a refusal, and the close code that goes with each. */
export const closeCodes = {
  going_away: 1001,
  internal_error: 1011,
  protocol: 4400,
  invalid_passphrase: 4401,
  removed: 4403,
  duplicate_node_id: 4409,
  duplicate_connection: 4410,
  too_large: 4413,
  too_long_away: 4411,
  timeout: 4408,
  rate_limited: 4429
} as const
export type Reason = keyof typeof closeCodes

/** The feature of a dialler that only wants to know whether both sides would let each other in. */
export const probe = "probe"

/** The limits of a side, in bytes: of a frame, and of the text of one operation. */
export interface Takes {
  readonly frame: number
  readonly operation: number
}

/** The limits of a side that does not report them. */
export const defaultTakes: Takes = { frame: 8 * 1024 * 1024, operation: 8 * 1024 * 1024 - 1_024 }

/** The node id and its vector clock: the first message of each side. A request inside a session restarts the pump. */
export interface Hello {
  readonly type: "sync_request" | "sync_response"
  /** None in a request inside a session. */
  readonly nodeId: NodeId | undefined
  /** None in a greeting that names the hash of the clock instead, or nothing but the proof. */
  readonly clock: VectorClock.VectorClock | undefined
  readonly clockHash?: string | undefined
  /** Whether the clock goes on in the next message. */
  readonly more?: boolean
  readonly takes?: Takes | undefined
  /** HMAC proof of the passphrase; empty in a request inside a session. */
  readonly proof: string
  /** The digest of the state at `clock`; none while more is held than `clock` covers. */
  readonly digest: Option.Option<string>
  /** The digest of all rows, where it is not that of `clock`. */
  readonly rows: Option.Option<string>
  /** The clock of origins with rows beyond `clock`. */
  readonly uncovered: Holdings
  readonly features: ReadonlyArray<string>
  /** A ticket for the receiver; see `Handshake.ts`. */
  readonly ticket?: string | undefined
  /** Which run of the sender's store this is, and how long it has lasted (ms); see `Instances.ts`. */
  readonly instance?: { readonly id: string; readonly age: number } | undefined
  /** The digest of all rows but tombstones, where some were collected. */
  readonly live?: string | undefined
  /** Up to where the sender drops tombstones; see `core/replica/Cut.ts`. */
  readonly cut?: Cut.Told | undefined
  /** The sender's wall time in ms. */
  readonly time: number
}

/** Operations, in order. */
export interface Data {
  readonly type: "sync_data"
  /** Counts the frames of one direction of a session, from 0. */
  readonly seq: number
  /** Whether more frames of this round follow. */
  readonly more: boolean
  /** Whether this is the first frame after the pump (re)started. */
  readonly fresh: boolean
  /** The coverage of the receiver once this frame and all before it are committed. */
  readonly through: VectorClock.VectorClock
  readonly operations: ReadonlyArray<Operation.Operation>
  readonly malformed: ReadonlyArray<Malformed>
  /** The trace of the sender, when it makes one. */
  readonly trace?: TraceParent.TraceParent | undefined
}

/** A part of a frame that is not an operation. */
export interface Malformed {
  readonly reason: string
  readonly text: string
}

/** The clock that the sender has committed. */
export interface Ack {
  readonly type: "sync_ack"
  /** The last frame that is committed; none when this only tells of progress made elsewhere. */
  readonly seq: Option.Option<number>
  /** Entries of the sender's clock that changed since it last told. */
  readonly clock: VectorClock.VectorClock
  readonly digest: Option.Option<string>
  readonly rows: Option.Option<string>
  /** Origins whose operations are held back for their clock, with the first reading held. */
  readonly held: VectorClock.VectorClock
  /** Whether the sender knows of rows that one of the two does not have yet, or cannot have. */
  readonly underWay?: boolean
  /** The first operation of some origins that the sender keeps out because its quota for rows of unknown kinds is used up. */
  readonly overQuota?: VectorClock.VectorClock
  /** How many rows of the receiver the sender has purged, where that is all in which they differ. */
  readonly purged?: number
  /** As in a greeting. */
  readonly live?: string | undefined
  readonly cut?: Cut.Told | undefined
  /** All writes that the sender asks about now; none where they are the same as before. */
  readonly asks?: Relayed.Questions
  /** Nodes that have writes that the receiver asked about. */
  readonly holders?: ReadonlyArray<Holder>
}

/** A node that has the write with this HLC: when it was last heard of (ms ago), and the nodes that passed this on to the sender. */
export interface Holder {
  readonly hlc: string
  readonly node: NodeId
  readonly age: number
  readonly via: ReadonlyArray<NodeId>
}

/** Summaries of some ranges of rows of the sender. Only for peers that name the feature `repair`. */
export interface Ranges {
  readonly type: "sync_ranges"
  /** Counts the messages of a dialogue, from 0. */
  readonly round: number
  readonly ranges: ReadonlyArray<AnnouncedRange>
  /** Whether tombstones are left out. */
  readonly isLive?: boolean
}

/** A range; when it is settled, each side sends what it has of it, and nothing more is said about it. */
export interface AnnouncedRange extends Part {
  readonly settle: boolean
}

/** The rows that the sender leaves out because they are larger than the receiver takes: how many, and some of them. */
export interface Deferred {
  readonly type: "sync_deferred"
  readonly count: number
  readonly rows: ReadonlyArray<{ readonly table: string; readonly row_id: string; readonly bytes: number }>
}

/** A refusal. */
export interface Refusal {
  readonly type: "sync_error"
  readonly reason: string
  readonly message: string
  /** With `rate_limited`: when another try may be made, in seconds from now. */
  readonly retryAfter?: number | undefined
  /** With `too_long_away`: the node that has to rejoin. */
  readonly nodeId?: NodeId | undefined
}

export type Message = Hello | Data | Ack | Ranges | Deferred | Refusal

const ShortText = Schema.String.check(Schema.isMaxLength(limits.text))
const ClockRecord = Schema.Record(Schema.String, Schema.String)

const DigestText = Schema.String.check(Schema.isPattern(/^[0-9a-f]{16}$/))
/** By origin: the number of its rows, and their digest. */
const HoldingsRecord = Schema.Record(NodeId, Schema.Tuple([Schema.Natural, DigestText]))

const CutWire = Schema.Struct({
  confirmed: ClockRecord,
  collected: ClockRecord,
  since: Schema.optionalKey(Schema.Natural),
  filling: Schema.optionalKey(Schema.Boolean)
})

const HelloWire = Schema.Struct({
  type: Schema.Literals(["sync_request", "sync_response"]),
  node_id: Schema.optionalKey(NodeId),
  vector_clock: Schema.optionalKey(ClockRecord),
  clock_hash: Schema.optionalKey(ShortText),
  more: Schema.optionalKey(Schema.Boolean),
  takes: Schema.optionalKey(Schema.Struct({ frame: Schema.Natural, operation: Schema.Natural })),
  proof: Schema.optionalKey(ShortText),
  digest: Schema.optionalKey(ShortText),
  rows: Schema.optionalKey(DigestText),
  uncovered: Schema.optionalKey(HoldingsRecord),
  features: Schema.optionalKey(Schema.Array(ShortText).check(Schema.isMaxLength(limits.features))),
  ticket: Schema.optionalKey(ShortText),
  instance: Schema.optionalKey(Schema.Struct({ id: ShortText, age: Schema.Natural })),
  live: Schema.optionalKey(DigestText),
  cut: Schema.optionalKey(CutWire),
  time: Schema.optionalKey(Schema.Finite)
})
const DataWire = Schema.Struct({
  type: Schema.Literal("sync_data"),
  seq: Schema.Natural,
  more: Schema.Boolean,
  fresh: Schema.optionalKey(Schema.Boolean),
  through: Schema.optionalKey(ClockRecord),
  traceparent: Schema.optionalKey(ShortText),
  changes: Schema.Array(Schema.Unknown).check(Schema.isMaxLength(limits.operationsPerFrame))
})
const AckWire = Schema.Struct({
  type: Schema.Literal("sync_ack"),
  seq: Schema.optionalKey(Schema.Natural),
  vector_clock: ClockRecord,
  digest: Schema.optionalKey(ShortText),
  rows: Schema.optionalKey(DigestText),
  held: Schema.optionalKey(ClockRecord),
  under_way: Schema.optionalKey(Schema.Boolean),
  over_quota: Schema.optionalKey(ClockRecord),
  purged: Schema.optionalKey(Schema.Natural),
  live: Schema.optionalKey(DigestText),
  cut: Schema.optionalKey(CutWire),
  asks: Schema.optionalKey(
    Schema.Record(ShortText, Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: Relayed.limits.hops }))).check(
      Schema.isMaxProperties(Relayed.limits.questions)
    )
  ),
  holders: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({
        hlc: ShortText,
        node: NodeId,
        age: Schema.Natural,
        via: Schema.optionalKey(Schema.Array(NodeId).check(Schema.isMaxLength(Relayed.limits.hops)))
      })
    ).check(Schema.isMaxLength(Relayed.limits.words))
  )
})
const PositionWire = Schema.Tuple([ShortText, ShortText, ShortText])
const RangesWire = Schema.Struct({
  type: Schema.Literal("sync_ranges"),
  round: Schema.Natural,
  live: Schema.optionalKey(Schema.Boolean),
  ranges: Schema.Array(
    Schema.Struct({
      after: Schema.optionalKey(PositionWire),
      until: Schema.optionalKey(PositionWire),
      count: Schema.Natural,
      digest: DigestText,
      settle: Schema.optionalKey(Schema.Boolean)
    })
  ).check(Schema.isMaxLength(limits.rangesPerFrame))
})
const DeferredWire = Schema.Struct({
  type: Schema.Literal("sync_deferred"),
  count: Schema.Natural,
  rows: Schema.Array(Schema.Struct({ table: Operation.Kind, row_id: Operation.RowId, bytes: Schema.Natural })).check(
    Schema.isMaxLength(limits.deferredRows)
  )
})
const RefusalWire = Schema.Struct({
  type: Schema.Literal("sync_error"),
  reason: Schema.optionalKey(ShortText),
  message: Schema.optionalKey(ShortText),
  retry_after: Schema.optionalKey(Schema.Natural),
  node_id: Schema.optionalKey(NodeId)
})
const MessageWire = Schema.Union([HelloWire, DataWire, AckWire, RangesWire, DeferredWire, RefusalWire])
type MessageWire = typeof MessageWire.Type

const decodeMessage = Schema.decodeUnknownResult(MessageWire)
const isNodeId = Schema.is(NodeId)

const violation = (detail: string) => new ProtocolViolation({ detail })

/** Reads a frame. */
export const decode = (text: string): Result.Result<Message, ProtocolViolation> =>
  Result.mapError(parseExact(text, limits.depth), violation).pipe(
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
    case "sync_response":
      return Result.map(
        Result.all([
          wire.vector_clock === undefined ? Result.succeed(undefined) : readClock(wire.vector_clock),
          readCut(wire.cut)
        ]),
        ([clock, cut]) => ({
          type: wire.type,
          nodeId: wire.node_id,
          clock,
          clockHash: wire.clock_hash,
          more: wire.more ?? false,
          takes: wire.takes,
          proof: wire.proof ?? "",
          digest: Option.fromUndefinedOr(wire.digest),
          rows: Option.fromUndefinedOr(wire.rows),
          uncovered: HashMap.fromIterable(
            Object.entries(wire.uncovered ?? {}).flatMap(([node, [rows, digest]]) =>
              isNodeId(node) ? [[node, { rows, digest: Digest.fromText(digest) }] as const] : []
            )
          ),
          features: wire.features ?? [],
          ticket: wire.ticket,
          instance: wire.instance,
          ...(wire.live !== undefined && { live: wire.live }),
          ...(cut && { cut }),
          time: wire.time ?? 0
        })
      )
    case "sync_data":
      return Result.map(readClock(wire.through ?? {}), (through) => ({
        type: wire.type,
        seq: wire.seq,
        more: wire.more,
        fresh: wire.fresh ?? false,
        through,
        trace: TraceParent.fromText(wire.traceparent),
        ...readChanges(wire.changes)
      }))
    case "sync_ack":
      return Result.map(
        Result.all([
          readClock(wire.vector_clock),
          readClock(wire.held ?? {}),
          readClock(wire.over_quota ?? {}),
          readCut(wire.cut)
        ]),
        ([clock, held, overQuota, cut]) => ({
          type: wire.type,
          seq: Option.fromUndefinedOr(wire.seq),
          clock,
          digest: Option.fromUndefinedOr(wire.digest),
          rows: Option.fromUndefinedOr(wire.rows),
          held,
          underWay: wire.under_way ?? false,
          overQuota,
          purged: wire.purged ?? 0,
          ...(wire.live !== undefined && { live: wire.live }),
          ...(cut && { cut }),
          ...(wire.asks && { asks: new Map(Object.entries(wire.asks)) }),
          ...(wire.holders && { holders: wire.holders.map(({ via = [], ...holder }) => ({ ...holder, via })) })
        })
      )
    case "sync_deferred":
      return Result.succeed(wire)
    case "sync_ranges":
      return Result.succeed({
        type: wire.type,
        round: wire.round,
        ...(wire.live === true && { isLive: true }),
        ranges: wire.ranges.map(({ after, until, count, digest, settle = false }) => ({
          after: after && position(after),
          until: until && position(until),
          count,
          digest: Digest.fromText(digest),
          settle
        }))
      })
    case "sync_error":
      return Result.succeed({
        type: wire.type,
        reason: wire.reason ?? "",
        message: wire.message ?? "",
        ...(wire.retry_after === undefined ? {} : { retryAfter: wire.retry_after }),
        ...(wire.node_id === undefined ? {} : { nodeId: wire.node_id })
      })
  }
}

const position = ([table, row_id, twin]: typeof PositionWire.Type): Position => ({ table, row_id, twin })

const readClock = (record: typeof ClockRecord.Type): Result.Result<VectorClock.VectorClock, ProtocolViolation> =>
  Object.keys(record).length > limits.origins
    ? Result.fail(violation(`a clock of more than ${limits.origins} origins`))
    : Result.mapError(VectorClock.fromRecord(record, isNodeId), (key) =>
        violation(`a clock entry is not valid: ${key.slice(0, 200)}`)
      )

const readCut = (wire: typeof CutWire.Type | undefined): Result.Result<Cut.Told | undefined, ProtocolViolation> =>
  wire === undefined
    ? Result.succeed(undefined)
    : Result.map(
        Result.all([readClock(wire.confirmed), readClock(wire.collected)]),
        ([confirmed, collected]): Cut.Told => ({
          confirmed,
          collected,
          since: wire.since,
          isFilling: wire.filling === true
        })
      )

const readChanges = (changes: ReadonlyArray<unknown>): Pick<Data, "operations" | "malformed"> => {
  const operations: Array<Operation.Operation> = []
  const malformed: Array<Malformed> = []
  for (const change of changes) {
    const read = Operation.fromWire(change)
    if (Result.isSuccess(read)) operations.push(read.success)
    else malformed.push({ reason: read.failure, text: JSON.stringify(change).slice(0, limits.quarantinedText) })
  }
  return { operations, malformed }
}

/** A message as text. Malformed operations are not sent on. */
export const encode = (message: Message): string => {
  switch (message.type) {
    case "sync_request":
    case "sync_response":
      return JSON.stringify({
        type: message.type,
        node_id: message.nodeId,
        vector_clock: message.clock && VectorClock.toRecord(message.clock),
        clock_hash: message.clockHash,
        ...(message.more === true ? { more: true } : {}),
        takes: message.takes,
        ...(message.proof === "" ? {} : { proof: message.proof }),
        digest: Option.getOrUndefined(message.digest),
        rows: Option.getOrUndefined(message.rows),
        ...(HashMap.isEmpty(message.uncovered) ? {} : { uncovered: holdingsToWire(message.uncovered) }),
        ...(message.clock === undefined && message.features.length === 0 ? {} : { features: message.features }),
        ticket: message.ticket,
        instance: message.instance,
        live: message.live,
        cut: message.cut && cutToWire(message.cut),
        ...(message.time === 0 ? {} : { time: message.time })
      })
    case "sync_data":
      return encodeData(message, message.operations.map(Operation.toWire))
    case "sync_ack":
      return JSON.stringify({
        type: message.type,
        seq: Option.getOrUndefined(message.seq),
        vector_clock: VectorClock.toRecord(message.clock),
        digest: Option.getOrUndefined(message.digest),
        rows: Option.getOrUndefined(message.rows),
        ...(HashMap.isEmpty(message.held) ? {} : { held: VectorClock.toRecord(message.held) }),
        ...(message.underWay === true ? { under_way: true } : {}),
        ...(message.overQuota === undefined || HashMap.isEmpty(message.overQuota)
          ? {}
          : { over_quota: VectorClock.toRecord(message.overQuota) }),
        ...(message.purged === undefined || message.purged === 0 ? {} : { purged: message.purged }),
        live: message.live,
        cut: message.cut && cutToWire(message.cut),
        asks: message.asks && Object.fromEntries(message.asks),
        holders: message.holders?.map(({ via, ...holder }) => (via.length === 0 ? holder : { ...holder, via }))
      })
    case "sync_deferred":
      return JSON.stringify(message)
    case "sync_ranges":
      return encodeRanges(message.round, message.ranges.map(rangeToWire), message.isLive)
    case "sync_error":
      return JSON.stringify({
        type: message.type,
        reason: message.reason,
        message: message.message,
        retry_after: message.retryAfter,
        node_id: message.nodeId
      })
  }
}

const cutToWire = ({ confirmed, collected, since, isFilling }: Cut.Told) => ({
  confirmed: VectorClock.toRecord(confirmed),
  collected: VectorClock.toRecord(collected),
  ...(since === undefined ? {} : { since: Math.floor(since) }),
  ...(isFilling ? { filling: true } : {})
})

const holdingsToWire = (holdings: Holdings) =>
  Object.fromEntries(
    Array.from(HashMap.entries(holdings), ([node, { rows, digest }]) => [node, [rows, Digest.toText(digest)]])
  )

/** A `sync_data` frame around operations that are texts already. */
export const encodeData = (
  { seq, more, fresh, through }: Pick<Data, "seq" | "more" | "fresh" | "through">,
  changes: ReadonlyArray<string>
): string =>
  `{"type":"sync_data","seq":${seq},"more":${more}${fresh ? ',"fresh":true' : ""},` +
  `"through":${JSON.stringify(VectorClock.toRecord(through))},"changes":[${changes.join(",")}]}`

/** The wire text of a range. */
export const rangeToWire = ({ after, until, count, digest, settle }: AnnouncedRange): string =>
  JSON.stringify({
    after: after && positionToWire(after),
    until: until && positionToWire(until),
    count,
    digest: Digest.toText(digest),
    ...(settle ? { settle } : {})
  })

const positionToWire = ({ table, row_id, twin }: Position) => [table, row_id, twin]

/** A `sync_ranges` frame around ranges that are texts already. */
export const encodeRanges = (round: number, ranges: ReadonlyArray<string>, isLive = false): string =>
  `{"type":"sync_ranges","round":${round},${isLive ? '"live":true,' : ""}"ranges":[${ranges.join(",")}]}`

/**
 * The operations that fit into a frame of about `maxBytes` bytes, as texts: a leading part, and at least one of them however
 * large it is. Those that are larger than `maxOperation` are left out. `taken` counts both.
 */
export const fill = (
  operations: ReadonlyArray<Operation.Operation>,
  maxBytes: number,
  maxOperation: number
): Filled => {
  const changes: Array<string> = []
  const tooLarge: Array<{ readonly operation: Operation.Operation; readonly bytes: number }> = []
  let bytes = 0
  for (const operation of operations) {
    const text = Operation.toWire(operation)
    const size = utf8Length(text) + 1
    if (size > maxOperation) {
      tooLarge.push({ operation, bytes: size })
      continue
    }
    if (changes.length > 0 && bytes + size > maxBytes) break
    changes.push(text)
    bytes += size
  }
  return { changes, bytes, tooLarge, taken: changes.length + tooLarge.length }
}

export interface Filled {
  readonly changes: ReadonlyArray<string>
  readonly bytes: number
  readonly tooLarge: ReadonlyArray<{ readonly operation: Operation.Operation; readonly bytes: number }>
  readonly taken: number
}

/**
 * Cuts a clock into parts whose wire text has about `maxBytes` bytes each, and no more entries than a message may have; at least one
 * entry in each, and one part at least.
 */
export const partsOf = (clock: VectorClock.VectorClock, maxBytes: number): ReadonlyArray<VectorClock.VectorClock> => {
  const parts: Array<Array<readonly [NodeId, Timestamp]>> = [[]]
  let bytes = 0
  for (const [node, reading] of HashMap.entries(clock)) {
    // The id stands there twice, and may have to be escaped.
    const size = 2 * utf8Length(JSON.stringify(node)) + 40
    let part = parts.at(-1) ?? []
    if (part.length >= limits.origins || (part.length > 0 && bytes + size > maxBytes)) {
      parts.push((part = []))
      bytes = 0
    }
    part.push([node, reading])
    bytes += size
  }
  return parts.length === 1 ? [clock] : parts.map(VectorClock.fromEntries)
}
