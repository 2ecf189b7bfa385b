/**
 * Hybrid logical clock: wall time that never runs backwards and respects causality.
 *
 * A timestamp is a pair (wall, counter): milliseconds since the Unix epoch, and a counter that orders timestamps within
 * one millisecond. With the node id it is an HLC, unique in the network and totally ordered by (wall, counter, node).
 * The text form is `<wall>:<counter>:<node>`, split at the first two colons, for node ids may hold colons.
 *
 * Guarantees: `send` is after the local timestamp; `receive` is after both timestamps; nothing throws; text
 * round-trips, and every HLC has exactly one text.
 *
 * Source: Kulkarni, Demirbas, Madappa, Avva, Leone, "Logical Physical Clocks" (2014).
 */
import { Option, Order, Result, Schema } from "effect"
import { ClockDrift } from "../sync/SyncFailure.ts"
import { byCodePoint, NodeId } from "./NodeId.ts"

/** A position in one node's history. */
export const Timestamp = Schema.Struct({ wall: Schema.Natural, counter: Schema.Natural })
export interface Timestamp extends Schema.Schema.Type<typeof Timestamp> {}

/** A timestamp and the node that made it. */
export const Hlc = Schema.Struct({ ...Timestamp.fields, node: NodeId })
export interface Hlc extends Schema.Schema.Type<typeof Hlc> {}

/** Before every timestamp: what a node has of an origin that it has never heard of. */
export const zero: Timestamp = { wall: 0, counter: 0 }

/** Orders timestamps of one node. */
export const TimestampOrder: Order.Order<Timestamp> = Order.make((a, b) =>
  a.wall !== b.wall ? (a.wall < b.wall ? -1 : 1) : a.counter !== b.counter ? (a.counter < b.counter ? -1 : 1) : 0
)

/** The total order of all HLCs in a network: (wall, counter, node), nodes by code point. */
export const HlcOrder: Order.Order<Hlc> = Order.make((a, b) => {
  const byTimestamp = TimestampOrder(a, b)
  return byTimestamp !== 0 ? byTimestamp : byCodePoint(a.node, b.node)
})

/** Whether timestamp `a` is strictly after timestamp `b`. */
export const isAfter = (a: Timestamp, b: Timestamp): boolean =>
  a.wall > b.wall || (a.wall === b.wall && a.counter > b.counter)

/** The later of two timestamps. */
export const latest = (a: Timestamp, b: Timestamp): Timestamp => (isAfter(b, a) ? b : a)

/** The greatest timestamp below `timestamp`; `zero` for `zero`. */
export const predecessor = (timestamp: Timestamp): Timestamp =>
  timestamp.counter > 0
    ? { wall: timestamp.wall, counter: timestamp.counter - 1 }
    : timestamp.wall > 0
      ? { wall: timestamp.wall - 1, counter: Number.MAX_SAFE_INTEGER }
      : zero

/** The timestamp for a local event at local time `now` (ms): after `local`, and not before `now`. */
export const send = (local: Timestamp, now: number): Timestamp =>
  now > local.wall ? { wall: now, counter: 0 } : plus(local, 1)

/**
 * The timestamp after receiving `remote` at local time `now` (ms): after both. Fails with `ClockDrift` when `remote` is
 * more than `maxDrift` ms ahead of `now`.
 */
export const receive = (
  local: Timestamp,
  remote: Timestamp,
  now: number,
  maxDrift: number
): Result.Result<Timestamp, ClockDrift> => Result.map(witness(local, remote, now, maxDrift), (seen) => send(seen, now))

/**
 * The clock after seeing `remote` at `now` without making an event of it: the later of the two. The next `send` is
 * after both. Fails with `ClockDrift` as `receive` does.
 */
export const witness = (
  local: Timestamp,
  remote: Timestamp,
  now: number,
  maxDrift: number
): Result.Result<Timestamp, ClockDrift> =>
  isDrifting(remote, now, maxDrift)
    ? Result.fail(new ClockDrift({ remote: remote.wall, local: now, limit: maxDrift }))
    : Result.succeed(latest(local, remote))

/** Whether `remote` lies further ahead of local time `now` than `maxDrift` (all ms). */
export const isDrifting = (remote: Timestamp, now: number, maxDrift: number): boolean => remote.wall - now > maxDrift

/**
 * The timestamp `steps` (at least 1) above `timestamp`. The counter carries into the wall time before it loses
 * precision.
 */
export const plus = ({ wall, counter }: Timestamp, steps: number): Timestamp => {
  const room = Number.MAX_SAFE_INTEGER - counter
  return steps <= room ? { wall, counter: counter + steps } : { wall: wall + 1, counter: steps - room - 1 }
}

/** The text form of a timestamp of `node`. */
export const format = (timestamp: Timestamp, node: string): string => `${timestamp.wall}:${timestamp.counter}:${node}`

/** The text form of an HLC. */
export const toText = (hlc: Hlc): string => format(hlc, hlc.node)

const pattern = /^(0|[1-9]\d{0,15}):(0|[1-9]\d{0,15}):/

/** Reads the text of a timestamp and gives what follows the second colon as the node, unchecked: it may be empty. */
export const parseTimestamp = (
  text: string
): Option.Option<{ readonly timestamp: Timestamp; readonly node: string }> => {
  const match = pattern.exec(text)
  if (match === null) return Option.none()
  const wall = Number(match[1])
  const counter = Number(match[2])
  return Number.isSafeInteger(wall) && Number.isSafeInteger(counter)
    ? Option.some({ timestamp: { wall, counter }, node: text.slice(match[0].length) })
    : Option.none()
}

const isNodeId = Schema.is(NodeId)

/** Reads the text of an HLC; none unless it is exactly the text that `toText` makes of some HLC. */
export const fromText = (text: string): Option.Option<Hlc> =>
  Option.flatMap(parseTimestamp(text), ({ timestamp, node }) =>
    isNodeId(node) ? Option.some({ ...timestamp, node }) : Option.none()
  )
