/**
 * Reads the frames of a peer: a message or a typed failure for every text whatsoever.
 */
import { HashMap, Option, Result, Schema } from "effect"
import type * as Cut from "../replica/Cut.ts"
import * as Digest from "../replica/Digest.ts"
import { parseExact } from "../replica/Json.ts"
import { NodeId } from "../replica/NodeId.ts"
import * as Operation from "../replica/Operation.ts"
import type { Position } from "../replica/Ranges.ts"
import * as Relayed from "../replica/Relayed.ts"
import * as VectorClock from "../replica/VectorClock.ts"
import { ProtocolViolation } from "./SyncFailure.ts"
import * as TraceParent from "./TraceParent.ts"
import { type Data, limits, type Malformed, type Message } from "./WireMessages.ts"

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
  node_id: Schema.optionalKey(NodeId),
  paused: Schema.optionalKey(Schema.Boolean),
  proof: Schema.optionalKey(ShortText)
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
        ...(wire.node_id === undefined ? {} : { nodeId: wire.node_id }),
        ...(wire.paused === true ? { isPaused: true } : {}),
        ...(wire.proof === undefined ? {} : { proof: wire.proof })
      })
  }
}

const position = ([table, row_id, variant]: typeof PositionWire.Type): Position => ({ table, row_id, variant })

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
