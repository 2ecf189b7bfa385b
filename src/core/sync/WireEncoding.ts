/**
 * Writes messages as frames, which `WireDecoding.ts` reads back.
 */
import { HashMap, Option } from "effect"
import type * as Cut from "../replica/Cut.ts"
import * as Digest from "../replica/Digest.ts"
import * as Operation from "../replica/Operation.ts"
import type { Position } from "../replica/Ranges.ts"
import type { Holdings } from "../replica/Replica.ts"
import * as VectorClock from "../replica/VectorClock.ts"
import type { AnnouncedRange, Data, Message } from "./WireMessages.ts"

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
        node_id: message.nodeId,
        paused: message.isPaused,
        proof: message.proof
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

const positionToWire = ({ table, row_id, variant }: Position) => [table, row_id, variant]

/** A `sync_ranges` frame around ranges that are texts already. */
export const encodeRanges = (round: number, ranges: ReadonlyArray<string>, isLive = false): string =>
  `{"type":"sync_ranges","round":${round},${isLive ? '"live":true,' : ""}"ranges":[${ranges.join(",")}]}`
