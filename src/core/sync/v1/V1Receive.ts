/**
 * The frames of an existing FERAL node in an exchange: read piece by piece, each piece committed before the next one is
 * read.
 *
 * Operations ahead of time are held back, those that cannot be read are set aside, and everything else is taken.
 */
import { HashMap } from "effect"
import * as Digest from "../../replica/Digest.ts"
import { ProtocolViolation } from "../SyncFailure.ts"
import * as Hlc from "../../replica/Hlc.ts"
import * as Merge from "../../replica/Merge.ts"
import type { Operation } from "../../replica/Operation.ts"
import { crowdedOut, isAhead } from "../../replica/Replica.ts"
import { leftOutOf, warnings } from "../Receive.ts"
import { emptyFrames } from "../SessionLimits.ts"
import type { Action, Event } from "../SessionEvents.ts"
import * as VectorClock from "../../replica/VectorClock.ts"
import { limits } from "../Wire.ts"
import { coverage, end, type Exchange, type Step } from "./V1State.ts"
import * as V1Wire from "./V1Wire.ts"

/** The row of an operation. */
export const rowOf = (operation: Operation): Merge.Slot => Merge.slotOf(operation)

/** A frame came. */
export const onData = (exchange: Exchange, data: V1Wire.Data, now: number): Step => {
  const { counts, waiting } = exchange
  const next: Exchange = {
    ...exchange,
    since: now,
    isNewest: exchange.isNewest || data.isNumbered,
    counts: { ...counts, characters: counts.characters + data.changes.text.length },
    waiting: [...waiting, data]
  }
  return exchange.taking === undefined ? takeFrame(next, now) : [next, []]
}

/** The answer to a commit. */
export type Committed = Pick<Extract<Event, { readonly _tag: "Committed" }>, "snapshot" | "overQuota">

/** A piece is committed: on to the next one. */
export const onCommitted = (
  exchange: Exchange,
  { snapshot: local, overQuota: left = VectorClock.empty }: Committed,
  now: number
): Step => {
  const { taking } = exchange
  if (taking === undefined) return [exchange, []]
  const next = { ...exchange, local, overQuota: VectorClock.earliest(exchange.overQuota, left), since: now }
  if (taking.rest !== undefined) return takePiece(next, taking.rest, taking.more, now)
  const over = { ...next, taking: undefined, isAllReceived: !taking.more }
  return taking.more ? takeFrame(over, now) : [over, []]
}

const takeFrame = (exchange: Exchange, now: number): Step => {
  const [data, ...waiting] = exchange.waiting
  return data === undefined ? [exchange, []] : takePiece({ ...exchange, waiting }, data.changes, data.more, now)
}

const takePiece = (exchange: Exchange, changes: V1Wire.Changes, more: boolean, now: number): Step => {
  const { options, peer, counts } = exchange
  const { operations: read, malformed, rest } = V1Wire.readChanges(changes)
  const empties = read.length + malformed.length === 0 ? counts.empties + 1 : 0
  if (empties > emptyFrames) {
    return end(exchange, new ProtocolViolation({ detail: `${empties} empty frames in a row` }))
  }
  let deferred = exchange.deferred
  const taken = read.filter(({ operation: { hlc } }) => {
    if (isAhead(exchange.local, hlc, now, options.maxDriftMs) && !HashMap.has(deferred, hlc.node)) {
      deferred = HashMap.set(deferred, hlc.node, { wall: hlc.wall, counter: hlc.counter })
    }
    return !HashMap.has(deferred, hlc.node)
  })
  // Where there are too many origins, those that are known go on.
  const all = taken.map(({ operation }) => operation)
  const leftOut = crowdedOut(options.self, exchange.local, all, limits.origins)
  const operations = all.filter(({ hlc: { node } }) => !leftOut.has(node))
  const frontier = VectorClock.fromEntries(operations.map(({ hlc }) => [hlc.node, hlc]))
  const news = malformed.map((one) => ({ ...one, key: Digest.toText(Digest.fingerprint(one.text)) }))
  const next: Exchange = {
    ...withLabels(exchange, read),
    deferred,
    isLeavingOut: exchange.isLeavingOut || leftOut.size > 0,
    received: VectorClock.merge(exchange.received, frontier),
    known: VectorClock.merge(exchange.known, frontier),
    counts: { ...counts, received: counts.received + operations.length, empties },
    returns: withReturns(exchange, operations),
    tooLarge: without(exchange.tooLarge, operations),
    quarantined: new Set([...exchange.quarantined, ...news.map(({ key }) => key)]),
    taking: { rest, more }
  }
  const through =
    rest === undefined && !more && !next.isLeavingOut
      ? VectorClock.before(coverage(next), exchange.overQuota)
      : VectorClock.empty
  const quarantined =
    peer === undefined
      ? []
      : news.filter(({ key }) => !exchange.quarantined.has(key)).map(({ reason, text }) => ({ peer, reason, text }))
  const commit: Action = { _tag: "Commit", batch: { operations, coverage: through, quarantined } }
  const warned: ReadonlyArray<Action> =
    leftOut.size > 0 && !exchange.isLeavingOut ? [{ _tag: "Warn", warning: leftOutOf(leftOut) }] : []
  return [next, [...warnings(exchange.deferred, deferred, now, options.maxDriftMs), ...warned, commit]]
}

/** A row that it holds itself is none that it cannot take. */
const without = (tooLarge: Exchange["tooLarge"], operations: ReadonlyArray<Operation>): Exchange["tooLarge"] => {
  if (tooLarge.size === 0) return tooLarge
  const rows = new Set(operations.map(rowOf))
  return new Map([...tooLarge].filter(([row]) => !rows.has(row)))
}

/** Notes the scopes of rows, and that only the newest know of scopes. */
const withLabels = (exchange: Exchange, read: ReadonlyArray<V1Wire.Labelled>): Exchange => {
  if (read.every(({ scope }) => scope === undefined)) return exchange
  const labels = new Map(exchange.labels)
  const scopes = new Set(exchange.scopes)
  for (const { operation, scope } of read) {
    if (scope === undefined || scope === "") continue
    scopes.add(scope)
    const row = rowOf(operation)
    const before = labels.get(row)
    if (before === undefined || Hlc.HlcOrder(operation.hlc, before.hlc) >= 0) {
      labels.set(row, { scope, hlc: operation.hlc })
    }
  }
  return { ...exchange, labels, scopes, isNewest: true }
}

/**
 * What has to be sent back: an early node holds what came last. Where what it was sent loses against what it sends, it
 * holds the loser now.
 */
const withReturns = (
  { sentRows, returns: before, isNewest }: Exchange,
  operations: ReadonlyArray<Operation>
): Exchange["returns"] => {
  if (isNewest || (sentRows.size === 0 && before.size === 0)) return before
  const returns = new Map(before)
  for (const operation of operations) {
    const row = rowOf(operation)
    const waiting = returns.get(row)
    // It has written since then, and holds this.
    if (waiting !== undefined && Merge.resolve(waiting, operation) === "applied") returns.delete(row)
    const sent = sentRows.get(row)
    if (sent === undefined || Merge.resolve(operation, sent) !== "superseded") continue
    if (Merge.resolve(returns.get(row), operation) === "applied") returns.set(row, operation)
  }
  return returns
}
