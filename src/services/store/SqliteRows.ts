/**
 * Rows of `sync.db` as values, and back. A row that cannot be read was not written by this program: the file is
 * corrupt.
 */
import { Effect, Schema, Struct } from "effect"
import * as SchemaJITCompiler from "effect/schema/SchemaJITCompiler"
import { CanonicalJson } from "../../core/replica/Json.ts"
import { countNames } from "../../core/replica/Kind.ts"
import { variantOf } from "../../core/replica/Merge.ts"
import { NodeId } from "../../core/replica/NodeId.ts"
import { Kind, OpId, type Operation, OpType, RowId } from "../../core/replica/Operation.ts"
import * as Purge from "../../core/replica/Purge.ts"
import * as Replica from "../../core/replica/Replica.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import { StoreUnavailable } from "../node/NodeFailure.ts"
import * as CutText from "./CutText.ts"
import * as Opaque from "./Opaque.ts"
import type { State } from "./StoreState.ts"

const OperationRow = Schema.Struct({
  kind: Kind,
  row_id: RowId,
  origin: NodeId,
  wall: Schema.Natural,
  counter: Schema.Natural,
  op_id: OpId,
  op_type: OpType,
  data: CanonicalJson,
  timestamp: Schema.Finite
})
const SizeRow = Schema.Struct({ wall: Schema.Natural, counter: Schema.Natural, size: Schema.Natural })
const QuarantineRow = Schema.Struct({ peer: NodeId, reason: Schema.String, text: Schema.String })
const ClockRow = Schema.Struct({
  origin: NodeId,
  wall: Schema.Natural,
  counter: Schema.Natural,
  top_wall: Schema.Natural,
  top_counter: Schema.Natural,
  // A file that was not brought up to date, because it is only read, has none of these.
  held_rows: Schema.optionalKey(Schema.Natural),
  held_high: Schema.optionalKey(Schema.Natural),
  held_low: Schema.optionalKey(Schema.Natural),
  opaque_bytes: Schema.optionalKey(Schema.Natural)
})
const PurgedRow = Schema.Struct({
  run: Schema.Natural,
  kind: Schema.String,
  origin: NodeId,
  wall: Schema.Natural,
  counter: Schema.Natural,
  held_rows: Schema.Natural,
  held_bytes: Schema.Natural,
  held_high: Schema.Natural,
  held_low: Schema.Natural
})
const MetaRow = Schema.Struct({
  node_id: NodeId,
  digest_high: Schema.Natural,
  digest_low: Schema.Natural,
  // A file that is only read lacks those of kinds that an earlier version did not know.
  ...Struct.Record(countNames, Schema.optionalKey(Schema.Natural)),
  quarantine: Schema.Natural,
  // As above.
  live_high: Schema.optionalKey(Schema.Natural),
  live_low: Schema.optionalKey(Schema.Natural),
  cut: Schema.optionalKey(Schema.String),
  feed_id: Schema.optionalKey(Schema.String),
  feed_removals: Schema.optionalKey(Schema.Natural),
  feed_horizon: Schema.optionalKey(Schema.Natural),
  /** None before the first row. */
  feed_last: Schema.optionalKey(Schema.NullOr(Schema.Natural)),
  known: Schema.optionalKey(Schema.String),
  of_applications: Schema.optionalKey(Schema.Natural)
})

const decode = <Row>(row: Schema.Decoder<Row>) => {
  const rows = Schema.Array(row)
  SchemaJITCompiler.enable(rows.ast)
  const decodeRows = Schema.decodeUnknownEffect(rows)
  return (rows: ReadonlyArray<unknown>): Effect.Effect<ReadonlyArray<Row>, StoreUnavailable> =>
    Effect.mapError(
      decodeRows(rows),
      (error) => new StoreUnavailable({ reason: "corrupt", detail: error.message, cause: error })
    )
}

const decodeOperations = decode(OperationRow)
const decodeMeta = decode(MetaRow)
const decodeClock = decode(ClockRow)
const decodePurged = decode(PurgedRow)

/** Rows of the quarantine. */
export const quarantined = decode(QuarantineRow)

/** Timestamps and sizes. */
export const sizes = decode(SizeRow)

/** Rows of `operations`. */
export const operations = (rows: ReadonlyArray<unknown>): Effect.Effect<ReadonlyArray<Operation>, StoreUnavailable> =>
  Effect.map(decodeOperations(rows), (decoded) =>
    decoded.map(({ kind, row_id, origin, wall, counter, op_id, op_type, data, timestamp }) => ({
      op_id,
      table: kind,
      op_type,
      row_id,
      data,
      hlc: { wall, counter, node: origin },
      timestamp
    }))
  )

/** The columns of an operation, as they are inserted. */
export const parameters = (operation: Operation): ReadonlyArray<string | number> => {
  const { op_id, table, op_type, row_id, data, hlc, timestamp } = operation
  return [table, row_id, variantOf(operation), hlc.node, hlc.wall, hlc.counter, op_id, op_type, data, timestamp]
}

/** The row of `clock` for one origin. */
export const clockEntry = (
  { vectorClock: clock, frontier, holdings, opaque }: State,
  node: NodeId
): ReadonlyArray<string | number> => {
  const claim = VectorClock.get(clock, node)
  const top = VectorClock.get(frontier, node)
  const { rows, digest } = Replica.holdingOf(holdings, node)
  return [
    node,
    claim.wall,
    claim.counter,
    top.wall,
    top.counter,
    rows,
    digest.high,
    digest.low,
    Opaque.bytesOf(opaque, node)
  ]
}

/** The rows of `purged`. */
export const purgedEntry = ({ run, kind, origin, through, rows, bytes, digest }: Purge.Purge) => [
  run,
  kind ?? "",
  origin,
  through.wall,
  through.counter,
  rows,
  bytes,
  digest.high,
  digest.low
]

const isKind = Schema.is(Kind)

/** The identity and the state that a file holds, from all its rows of `meta`, `clock` and `purged`. */
export const state = Effect.fnUntraced(function* (
  metaRows: ReadonlyArray<unknown>,
  clockRows: ReadonlyArray<unknown>,
  purgedRows: ReadonlyArray<unknown>,
  declared: Opaque.Declared = Opaque.noKinds
) {
  const [meta] = yield* decodeMeta(metaRows)
  if (meta === undefined) return yield* new StoreUnavailable({ reason: "corrupt", detail: "the table meta is empty" })
  const entries = yield* decodeClock(clockRows)
  const purged = yield* decodePurged(purgedRows)
  const { node_id, digest_high, digest_low, quarantine, live_high, live_low, cut: cutText = "", ...others } = meta
  const {
    feed_id: feedId,
    feed_removals: removals = 0,
    feed_horizon: horizon = 0,
    feed_last: last,
    known: _,
    of_applications = 0,
    ...counters
  } = others
  const cut = yield* CutText.fromText(cutText)
  const state: State = {
    vectorClock: VectorClock.fromEntries(entries.map(({ origin, wall, counter }) => [origin, { wall, counter }])),
    frontier: VectorClock.fromEntries(
      entries.map(({ origin, top_wall, top_counter }) => [origin, { wall: top_wall, counter: top_counter }])
    ),
    digest: { high: digest_high, low: digest_low },
    holdings: Replica.addHoldings(
      Replica.noHoldings,
      entries.map(({ origin, held_rows: rows = 0, held_high: high = 0, held_low: low = 0 }) => [
        origin,
        { rows, digest: { high, low } }
      ])
    ),
    counts: { ...Struct.Record(countNames, 0), ...counters, quarantine },
    opaque: entries.reduce(
      (usage, { origin, opaque_bytes: bytes = 0 }) => (bytes === 0 ? usage : Opaque.withBytes(usage, origin, bytes)),
      Opaque.nothing
    ),
    declared,
    ofApplications: of_applications,
    purges: Purge.fromList(
      purged.map(({ run, kind, origin, wall, counter, held_rows, held_bytes, held_high, held_low }) => ({
        run,
        kind: isKind(kind) ? kind : undefined,
        origin,
        through: { wall, counter },
        rows: held_rows,
        bytes: held_bytes,
        digest: { high: held_high, low: held_low }
      }))
    ),
    live: { high: live_high ?? digest_high, low: live_low ?? digest_low },
    cut,
    feed: { last: last ?? 0, removals, horizon }
  }
  // A file that is only read may have none of its own yet.
  return { nodeId: node_id, feedId: feedId || node_id, state }
})
