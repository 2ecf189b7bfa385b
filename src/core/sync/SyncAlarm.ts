/**
 * What an operator has to know of two replicas while their sessions go on, as tagged errors like those of
 * `SyncFailure.ts`.
 */
import { Schema } from "effect"
import * as ClockOffset from "../text/ClockOffset.ts"
import { counted, messageOf, sizeOf, some } from "../text/Explained.ts"
import { nextSteps } from "./SyncNextSteps.ts"

/** A peer defers what this node writes, because it lies in the future. Times in milliseconds. */
export class DeferredByPeer extends Schema.TaggedError<DeferredByPeer>()("DeferredByPeer", {
  wall: Schema.Number,
  local: Schema.Number
}) {
  readonly ahead = Math.round((this.wall - this.local) / 1000)
  readonly problem = `the peer defers what this node wrote: ${
    this.ahead > 0 ? `its timestamps are ${this.ahead} s ahead of the clock here` : "the clock there is behind"
  }`
  readonly nextStep = this.ahead > 0 ? nextSteps.DeferredByPeer : nextSteps.ClockDrift
  override readonly message = messageOf(this)
}

/** The clock of this machine is ahead of those of most peers (ms). */
export class ClockFast extends Schema.TaggedError<ClockFast>()("ClockFast", {
  ahead: Schema.Number,
  peers: Schema.Number,
  of: Schema.Number
}) {
  readonly problem = `the clock of this machine is ${ClockOffset.amount(this.ahead)} ahead of ${
    this.of === 1 ? "that of the connected peer" : `those of ${this.peers} of ${this.of} connected peers`
  }`
  readonly nextStep = nextSteps.ClockFast
  override readonly message = messageOf(this)
}

/**
 * This node wrote under a clock that was ahead (ms). It refuses writes until that time has come: peers would not take
 * them.
 */
export class ClockAhead extends Schema.TaggedError<ClockAhead>()("ClockAhead", { ahead: Schema.Number }) {
  readonly problem = `the last timestamp of this node is ${ClockOffset.amount(this.ahead)} ahead of the clock of this machine, and writes are refused`
  readonly nextStep = nextSteps.ClockAhead
  override readonly message = messageOf(this)
}

/** One timestamp belongs to two different operations: two nodes used one id. */
export class TimestampReused extends Schema.TaggedError<TimestampReused>()("TimestampReused", {
  count: Schema.Number,
  node: Schema.String
}) {
  readonly problem = `${counted(this.count, "operation")} had the timestamp of another operation (from ${this.node}): two nodes used one id`
  readonly nextStep = nextSteps.TimestampReused
  override readonly message = messageOf(this)
}

/** Peers sent operations with this node's id that it did not write. */
export class OwnOperationsForeign extends Schema.TaggedError<OwnOperationsForeign>()("OwnOperationsForeign", {
  count: Schema.Number,
  first: Schema.String
}) {
  readonly problem = `peers sent ${counted(this.count, "operation")} with this node's id that this node did not write (${this.first})`
  readonly nextStep = nextSteps.OwnOperationsForeign
  override readonly message = messageOf(this)
}

/** Peers sent back operations of this node that its database did not have. */
export class OwnOperationsReturned extends Schema.TaggedError<OwnOperationsReturned>()("OwnOperationsReturned", {
  count: Schema.Number,
  first: Schema.String
}) {
  readonly problem = `peers sent back ${counted(this.count, "operation")} of this node that its database did not have (${this.first})`
  readonly nextStep = nextSteps.OwnOperationsReturned
  override readonly message = messageOf(this)
}

/** A peer brings more new origins than are taken at once. The rest is left out for now; the session goes on. */
export class OriginsLeftOut extends Schema.TaggedError<OriginsLeftOut>()("OriginsLeftOut", {
  count: Schema.Number,
  /** Some of them. */
  origins: Schema.optionalKey(Schema.Array(Schema.String))
}) {
  readonly problem = `the peer brings ${this.count} new origins${
    this.origins === undefined || this.origins.length === 0 ? "" : ` (${some(this.origins, this.count)})`
  } more than are accepted at once, and their rows wait`
  readonly nextStep = nextSteps.OriginsLeftOut
  override readonly message = messageOf(this)
}

/** This node has rows of as many origins as the limit allows: rows of further origins wait. */
export class OriginsFull extends Schema.TaggedError<OriginsFull>()("OriginsFull", { count: Schema.Number }) {
  readonly problem = `this node has rows of ${this.count} origins, which is the limit; rows of further origins wait`
  readonly nextStep = nextSteps.OriginsFull
  override readonly message = messageOf(this)
}

/**
 * Rows are larger than one side accepts: they stay where they are, and all others go on. The first of them are named.
 */
export class RowsTooLarge extends Schema.TaggedError<RowsTooLarge>()("RowsTooLarge", {
  peer: Schema.String,
  where: Schema.Literals(["here", "there"]),
  count: Schema.Number,
  rows: Schema.Array(Schema.Struct({ table: Schema.String, row_id: Schema.String, bytes: Schema.Number }))
}) {
  readonly problem = `${counted(this.count, "row")} ${this.count === 1 ? "is" : "are"} larger than ${
    this.where === "there" ? `${this.peer} accepts` : `this node accepts from ${this.peer}`
  }: ${rowsOf(this)}`
  readonly nextStep = `raise FERAL_SYNC_MAX_RECV_BYTES ${this.where}`
  override readonly message = messageOf(this)
}

const rowsOf = ({ rows, count }: Pick<RowsTooLarge, "rows" | "count">): string => {
  const named = rows.slice(0, 3).map(({ table, row_id, bytes }) => `${table} ${row_id}, ${sizeOf(bytes)}`)
  return [...named, ...(count > named.length ? [`${count - named.length} more`] : [])].join("; ")
}

/** Rows of unknown kinds exceed the quota. They are kept out, and all other rows go on. */
export class OverQuota extends Schema.TaggedError<OverQuota>()("OverQuota", {
  peer: Schema.String,
  where: Schema.Literals(["here", "there"]),
  /** Whose rows they are; the first of them. */
  origins: Schema.Array(Schema.String)
}) {
  readonly problem = `rows of unknown kinds from ${some(this.origins)} are held back${
    this.where === "here"
      ? ", because the quota of this node is used up"
      : ` by ${this.peer}, because its quota is used up`
  }`
  readonly nextStep = this.where === "here" ? nextSteps.OverQuota : nextSteps.OverQuotaThere
  override readonly message = messageOf(this)
}

/** The address of a peer exceeds its rate limit: its operations wait, and are accepted gradually. */
export class PeerSlowed extends Schema.TaggedError<PeerSlowed>()("PeerSlowed", { peer: Schema.String }) {
  readonly problem = `${this.peer} sends more than the rate limit of one address, and is slowed down`
  readonly nextStep = nextSteps.PeerSlowed
  override readonly message = messageOf(this)
}

/** One of two nodes has purged rows that the other one holds. Nothing else is different. */
export class RowsPurged extends Schema.TaggedError<RowsPurged>()("RowsPurged", {
  peer: Schema.String,
  where: Schema.Literals(["here", "there"]),
  count: Schema.Number
}) {
  readonly problem =
    this.where === "here"
      ? `${this.peer} holds ${counted(this.count, "row")} that this node has purged`
      : `${this.peer} has purged ${counted(this.count, "row")} that this node holds`
  readonly nextStep = this.where === "here" ? nextSteps.RowsPurgedHere : nextSteps.RowsPurged
  override readonly message = messageOf(this)
}
