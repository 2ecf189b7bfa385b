/**
 * The state of each peer beside the roster: its running session, its last failure. Read by `status`.
 */
import { HashMap } from "effect"
import { type Address, formatAddress } from "../../core/peers/Address.ts"
import {
  ClockDrift,
  DeferredByPeer,
  type DuplicateNodeId,
  nextSteps,
  PeerSlowed,
  PeerTimeout
} from "../../core/sync/SyncFailure.ts"
import * as Instances from "../../core/peers/Instances.ts"
import type { Memory, Remembered } from "../../core/sync/v1/V1Exchange.ts"
import type { TooLarge } from "../../core/sync/v1/V1Memory.ts"
import { type Slot, slotOf } from "../../core/replica/Merge.ts"
import type { Operation } from "../../core/replica/Operation.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import * as Roster from "../../core/peers/Roster.ts"
import { mdnsKey } from "../../core/peers/Candidate.ts"
import { type LastError, type PeerStatus, report } from "../node/Status.ts"
import type { Connection } from "../transport/Transport.ts"
import type { Running, Warned } from "./SessionRunner.ts"
import * as Traffic from "./Traffic.ts"

/** A connection that is being served. */
export interface Entry {
  readonly key: string | undefined
  readonly connection: Connection
  readonly running: Running<unknown>
}

/** A failure of a peer, as it is reported. */
export interface Failed {
  readonly error: LastError
  readonly at: number
  readonly isRefusal: boolean
}

/** A rejected client is shown for this long (ms), and at most this many are. */
const incoming = { shownFor: 300_000, kept: 64 } as const

export interface PeerTable {
  readonly entries: Map<number, Entry>
  /** By candidate key, or by `from <host>` for those who came in. */
  readonly failures: Map<string, Failed & { readonly address: Address }>
  /** Since when discovered peers that took no leave are gone (ms). */
  readonly silent: Map<NodeId, number>
  /** Peers that were connected, and are not now. The one that was lost longest ago comes first. */
  readonly lost: Map<NodeId, Lost>
  /** What went to and came from peers in sessions that are over. */
  readonly past: Map<NodeId, Traffic.Traffic>
  /** How sessions ended, by role and end, and why handshakes failed: how often each. */
  readonly ends: Map<string, { readonly role: "dialler" | "server"; readonly end: string; count: number }>
  readonly refusals: Map<string, number>
  /** Ids that two nodes use, with their failure, and when they were met last (ms). */
  readonly copied: Map<string, { readonly failure: DuplicateNodeId; readonly at: number }>
  /** When discovered peers took their leave (ms): they are not lost. */
  readonly left: Map<NodeId, number>
  /** The memory of exchanges with existing FERAL nodes, and how they were last met. */
  readonly memories: Map<NodeId, Memory>
  readonly exchanged: Map<NodeId, Met>
  /** The scopes under which rows came from existing FERAL nodes, where they are not the configured one. */
  scopes: ReadonlyMap<Slot, string>
  /** What existing FERAL nodes lack although their clocks say otherwise: it came here late. */
  readonly late: Map<NodeId, Map<Slot, Operation>>
}

/** An exchange with an existing FERAL node, at a time (ms). */
export interface Met {
  readonly connection: Pick<Connection, "remote" | "tls">
  readonly isDialled: boolean
  readonly at: number
}

/** A peer as it was when its connection ended (ms). */
export interface Lost {
  readonly remote: Address
  readonly isDialled: boolean
  readonly lastSyncAt: number | undefined
  readonly seenAt: number
  readonly usesPrevious: boolean
  /** Whether it had sent all that it had. */
  readonly isComplete?: boolean
}

export const make = (): PeerTable => ({
  entries: new Map(),
  failures: new Map(),
  silent: new Map(),
  lost: new Map(),
  left: new Map(),
  copied: new Map(),
  past: new Map(),
  ends: new Map(),
  refusals: new Map(),
  memories: new Map(),
  exchanged: new Map(),
  scopes: new Map(),
  late: new Map()
})

/** Old nodes that are remembered: they often take a new id when they restart. The one that was met longest ago goes first. */
const oldNodesKept = 256

/** Rows whose scope is remembered. The one that came longest ago goes first. */
const scopesKept = 100_000

/** Operations that came late and are kept for one node. Those that came first go first. */
const lateKept = 10_000

/** An existing FERAL node is missed after this many intervals without an exchange, and after this time (ms). */
const missedAfter = { intervals: 3, least: 90_000 } as const

/** Notes the result of an exchange with an existing FERAL node. Returns the rows that are now known to be too large for it. */
export const noteExchange = (
  table: PeerTable,
  { peer, memory, labels, late: taken }: Remembered,
  met: Met,
  scope: string | undefined
): ReadonlyArray<TooLarge> => {
  const { memories, exchanged, late } = table
  const known = memories.get(peer)?.tooLarge
  const news = [...memory.tooLarge].flatMap(([row, one]) => (known?.has(row) === true ? [] : [one]))
  for (const map of [memories, exchanged]) map.delete(peer)
  // Another node answers at this address: the one that did so before was restarted, and took a new id.
  for (const [node, { connection, isDialled }] of exchanged) {
    const isSame = formatAddress(connection.remote) === formatAddress(met.connection.remote)
    if (isDialled && met.isDialled && isSame) exchanged.delete(node)
  }
  memories.set(peer, memory)
  exchanged.set(peer, met)
  table.scopes = withScopes(table.scopes, labels, scope)
  const waiting = late.get(peer)
  for (const [row, operation] of taken) if (waiting?.get(row) === operation) waiting.delete(row)
  for (const map of [memories, exchanged, late]) drop(map, oldNodesKept)
  return news
}

/** The scopes of rows after an exchange that labelled some of them. An exchange that is under way goes on with those of before. */
const withScopes = (
  before: PeerTable["scopes"],
  labels: Remembered["labels"],
  scope: string | undefined
): PeerTable["scopes"] => {
  const isNews = ([row, label]: readonly [Slot, { readonly scope: string }]) =>
    before.get(row) !== (label.scope === scope ? undefined : label.scope)
  const news = [...labels].filter(isNews)
  if (news.length === 0) return before
  const scopes = new Map(before)
  for (const [row, label] of news) {
    scopes.delete(row)
    if (label.scope !== scope) scopes.set(row, label.scope)
  }
  drop(scopes, scopesKept)
  return scopes
}

/** Notes written operations: some came after the clocks of existing FERAL nodes had passed them. */
export const noteChange = ({ memories, late }: PeerTable, operations: ReadonlyArray<Operation>): void => {
  for (const [peer, { shown }] of memories) {
    const waiting = late.get(peer) ?? new Map<Slot, Operation>()
    for (const operation of operations) {
      const row = slotOf(operation)
      waiting.delete(row)
      if (operation.hlc.node !== peer && VectorClock.covers(shown, operation.hlc)) waiting.set(row, operation)
    }
    drop(waiting, lateKept)
    late.set(peer, waiting)
  }
}

/** Peers that are remembered when they are lost, and for how long they are shown (ms). */
const lostPeers = { kept: 256, shownFor: 7 * 86_400_000 } as const

/** A peer that took its leave closes its connections within this time (ms). */
const leavesWithin = 10_000

/** Takes the traffic of a session that is over into the totals of its peer. */
export const retire = ({ past }: PeerTable, { view, traffic }: Running<unknown>): void => {
  const { peer } = view()
  if (peer === undefined) return
  const total = past.get(peer) ?? Traffic.none()
  Traffic.add(total, traffic)
  past.delete(peer)
  past.set(peer, total)
  drop(past, Traffic.kept)
}

/** What went to and came from each peer since the start. */
export const traffic = ({ past, entries }: PeerTable): ReadonlyMap<NodeId, Traffic.Traffic> => {
  const totals = new Map(Array.from(past, ([node, total]) => [node, { ...total }] as const))
  for (const { running } of entries.values()) {
    const { peer } = running.view()
    if (peer === undefined) continue
    const total = totals.get(peer) ?? Traffic.none()
    Traffic.add(total, running.traffic)
    totals.set(peer, total)
  }
  return totals
}

/** Counts the end of a session, or of a dial. */
export const noteEnd = ({ ends }: PeerTable, role: "dialler" | "server", end: string): void => {
  const key = `${role} ${end}`
  const noted = ends.get(key) ?? { role, end, count: 0 }
  noted.count += 1
  ends.set(key, noted)
}

/** Counts a handshake that failed. */
export const noteRefusal = ({ refusals }: PeerTable, reason: string): void =>
  void refusals.set(reason, (refusals.get(reason) ?? 0) + 1)

/** Notes that a discovered peer took its leave: it is not missed. */
export const noteGoodbye = ({ lost, left }: PeerTable, node: NodeId, at: number): void => {
  lost.delete(node)
  left.delete(node)
  left.set(node, at)
  drop(left, lostPeers.kept)
}

/** Takes a connection out of the table. Its peer keeps its name, and the time of its last sync. */
export const remove = (table: PeerTable, link: number, now: number): void => {
  const { entries, lost, left } = table
  const entry = entries.get(link)
  if (entry !== undefined) retire(table, entry.running)
  entries.delete(link)
  const { peer, lastSyncAt, usesPrevious = false, isComplete = false } = entry?.running.view() ?? {}
  if (entry === undefined || peer === undefined || entry.connection.form === 1) return
  if (now - (left.get(peer) ?? -Infinity) < leavesWithin) return
  const { remote } = entry.connection
  const isDialled = entry.key !== undefined
  // Another node answers at this address: the one that did so before has a new id.
  for (const [node, other] of lost) {
    if (isDialled && other.isDialled && formatAddress(other.remote) === formatAddress(remote)) lost.delete(node)
  }
  const known = lost.get(peer)
  lost.delete(peer)
  lost.set(peer, {
    remote,
    isDialled,
    lastSyncAt: lastSyncAt ?? known?.lastSyncAt,
    seenAt: now,
    usesPrevious,
    isComplete
  })
  drop(lost, lostPeers.kept)
}

/** Notes that two nodes use one id: said of both while they are met, also while one of them is connected before it is refused. */
export const noteCopied = ({ copied }: PeerTable, failure: DuplicateNodeId, at: number): void => {
  copied.delete(failure.nodeId)
  copied.set(failure.nodeId, { failure, at })
  drop(copied, incoming.kept)
}

/** The sessions with a peer, how long ago each last heard of it, and how long ago it was alive for certain (ms). */
export const alive = ({ entries }: PeerTable, peer: NodeId, passed: number) =>
  new Map(
    [...entries].flatMap(([link, { running }]) => {
      const view = running.view()
      if (view.peer !== peer) return []
      const since = (time: number) => Math.max(0, running.timeAt(passed) - time)
      return [[link, { running, silence: since(view.aliveAt), provedAgo: since(view.provedAt) }] as const]
    })
  )

/** Drops the oldest entries of a map that holds more than it should. */
const drop = <Key>(map: Map<Key, unknown>, kept: number): void => {
  for (const oldest of map.keys()) {
    if (map.size <= kept) break
    map.delete(oldest)
  }
}

/** The key of failures of those who came from a host. */
export const incomingKey = (host: string): string => `from ${host}`

/** The key of failures of a peer that came in. */
export const peerKey = (node: NodeId): string => `peer ${node}`

/** Notes a failure. Returns whether it is news: another one than the last of this peer, or the first for a long while. */
export const noteFailure = (table: PeerTable, key: string, address: Address, failed: Failed): boolean => {
  const before = table.failures.get(key)
  table.failures.delete(key)
  table.failures.set(key, { ...failed, address })
  for (const oldest of table.failures.keys()) {
    if (table.failures.size <= incoming.kept) break
    table.failures.delete(oldest)
  }
  // The addresses of a peer take turns: each has its own message, and none is news. A client connects from another port
  // each time.
  const isSame =
    before?.error._tag === failed.error._tag &&
    (before.address.host !== address.host || withoutPort(before) === withoutPort({ ...failed, address }))
  return !isSame || failed.at - before.at > incoming.shownFor
}

const withoutPort = ({ error, address }: Pick<Failed, "error"> & { readonly address: Address }): string =>
  error.message.replaceAll(formatAddress(address), address.host)

/** Notes that a discovered peer fell silent, so that it is missed for a while. */
export const noteSilence = ({ silent }: PeerTable, node: NodeId, at: number): void => {
  silent.delete(node)
  silent.set(node, at)
  for (const oldest of silent.keys()) {
    if (silent.size <= incoming.kept) break
    silent.delete(oldest)
  }
}

/** How every peer is: those of the roster, those who are connected, those who were refused lately. */
export const statuses = (
  table: PeerTable,
  roster: Roster.Roster,
  now: number,
  driftLimit: number
): ReadonlyArray<PeerStatus> => {
  const rows: Array<PeerStatus> = []
  const shown = new Set<number>()
  for (const candidate of Roster.candidatesOf(roster)) {
    if (Roster.isAlias(roster, candidate)) continue
    const [link, entry] =
      [...table.entries].find(
        ([, { key, running }]) =>
          key === candidate.key || (candidate.node !== undefined && running.view().peer === candidate.node)
      ) ?? []
    if (link !== undefined && shown.has(link)) continue
    if (link !== undefined) shown.add(link)
    const failed = table.failures.get(candidate.key)
    const address = candidate.addresses[0] ?? { host: "", port: 0 }
    rows.push({
      ...unconnected,
      node_id: candidate.node ?? null,
      source: candidate.source,
      state: failed === undefined ? "connecting" : failed.isRefusal ? "refused" : "backoff",
      last_error: failed?.error ?? null,
      ...(candidate.node === undefined || entry !== undefined ? {} : lastOf(table, candidate.node)),
      ...(failed === undefined ? between(table, candidate.node, roster, now) : {}),
      ...(entry === undefined ? {} : connected(table, entry, now, driftLimit)),
      address: address.host,
      port: address.port
    })
  }
  for (const [link, entry] of table.entries) {
    if (shown.has(link) || entry.running.view().peer === undefined) continue
    const { host, port } = entry.connection.remote
    rows.push({ ...unconnected, ...connected(table, entry, now, driftLimit), source: "inbound", address: host, port })
  }
  const named = new Set(rows.map(({ node_id }) => node_id))
  for (const [node, { connection, at }] of table.exchanged) {
    if (named.has(node) || now - at > missedFrom(roster) + incoming.shownFor) continue
    const { host, port } = connection.remote
    rows.push({
      ...unconnected,
      ...between(table, node, roster, now),
      node_id: node,
      source: "inbound",
      address: host,
      port
    })
  }
  for (const [node, at] of table.silent) {
    const failed = table.failures.get(mdnsKey(node))
    if (failed === undefined || now - at > incoming.shownFor || rows.some(({ node_id }) => node_id === node)) continue
    rows.push({ ...refusedOrLost(failed), ...lastOf(table, node), node_id: node, source: "mdns", state: "backoff" })
  }
  const seen = new Set(rows.map(({ node_id }) => node_id))
  for (const [node, { remote, isDialled, seenAt }] of table.lost) {
    if (seen.has(node) || now - seenAt > lostPeers.shownFor) continue
    const failed = table.failures.get(peerKey(node)) ?? table.failures.get(mdnsKey(node))
    rows.push({
      ...unconnected,
      ...lastOf(table, node),
      node_id: node,
      source: isDialled ? "mdns" : "inbound",
      state: failed?.isRefusal === true ? "refused" : "backoff",
      address: remote.host,
      port: remote.port,
      last_error: failed?.error ?? null
    })
  }
  for (const [key, failed] of table.failures) {
    if (!key.startsWith("from ") || now - failed.at > incoming.shownFor) continue
    rows.push({ ...refusedOrLost(failed), source: "inbound", state: failed.isRefusal ? "refused" : "backoff" })
  }
  return rows
}

/** A node that is paused and was not met since the start. */
export const pausedRow = (node: NodeId): PeerStatus => ({
  ...unconnected,
  node_id: node,
  source: "inbound",
  state: "paused",
  address: "",
  port: 0
})

/** A warning of a session, as it is reported. */
export const reportOf = (warning: Warned): LastError =>
  warning._tag === "ClockDrift"
    ? report(warning, "operations of the peer are deferred")
    : warning._tag === "StoreUnavailable"
      ? report(warning, "operations of peers wait")
      : report(warning)

const refusedOrLost = ({ address, error }: Failed & { readonly address: Address }) => ({
  ...unconnected,
  address: address.host,
  port: address.port,
  last_error: error
})

const withPrevious = (usesPrevious: boolean) => (usesPrevious ? ({ uses_previous_passphrase: true } as const) : {})

/** The facts that stay of a peer when its connection is lost. */
const lastOf = ({ lost }: PeerTable, node: NodeId): Partial<PeerStatus> => {
  const last = lost.get(node)
  if (last === undefined) return {}
  return {
    protocol: 2,
    last_sync_at: last.lastSyncAt === undefined ? null : last.lastSyncAt / 1000,
    last_seen_at: last.seenAt / 1000,
    ...withPrevious(last.usesPrevious)
  }
}

/** How an existing FERAL node is between two exchanges. */
const between = (
  { exchanged, memories }: PeerTable,
  node: NodeId | undefined,
  roster: Roster.Roster,
  now: number
): Partial<PeerStatus> => {
  const last = node === undefined ? undefined : exchanged.get(node)
  if (node === undefined || last === undefined) return {}
  const seconds = Math.round((now - last.at) / 1000)
  const missed = now - last.at > missedFrom(roster) ? new PeerTimeout({ waitedFor: "exchange", seconds }) : undefined
  return {
    state: missed === undefined ? "live" : "backoff",
    protocol: 1,
    tls: last.connection.tls,
    last_sync_at: last.at / 1000,
    last_error: missed === undefined ? noticeOf(memories.get(node)) : report(missed)
  }
}

const missedFrom = ({ options }: Roster.Roster): number =>
  Math.max(missedAfter.least, missedAfter.intervals * options.interval)

/** The rows that an existing FERAL node does not accept. */
const noticeOf = (memory: Memory | undefined): PeerStatus["last_error"] => {
  if (memory?.takesNothing === true) {
    return report({
      _tag: "NoScopeGranted",
      problem: "it does not accept rows from this node",
      nextStep: nextSteps.NoScopeGranted
    })
  }
  const [first] = memory?.tooLarge.values() ?? []
  if (memory === undefined || first === undefined) return null
  const { table, row_id, bytes, limit } = first
  const count = memory.tooLarge.size
  const many = count === 1 ? "1 row is" : `${count} rows are`
  const which = `${table} ${row_id}, ${megabytes(bytes)}${count === 1 ? "" : ", and others"}`
  return report({
    _tag: "RowsTooLarge",
    problem: `${many} larger than the ${megabytes(limit)} that this existing FERAL node accepts (${which})`,
    nextStep: nextSteps.RowsTooLarge
  })
}

const megabytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`
const unconnected = {
  node_id: null,
  protocol: null,
  state: "connecting",
  tls: null,
  lag_ops: null,
  clock_offset_ms: null,
  last_sync_at: null,
  last_error: null
} as const satisfies Partial<PeerStatus>

const connected = (table: PeerTable, { connection, running }: Entry, now: number, driftLimit: number) => {
  const view = running.view()
  const { peer, state, lag, offset, lastSyncAt, deferred: held, leftOut, deferredOwn, diverged, usesPrevious } = view
  const slowed =
    (view.slowedUntil ?? 0) > now ? new PeerSlowed({ peer: peer ?? formatAddress(connection.remote) }) : undefined
  const notTaken = view.tooLarge ?? view.overQuota ?? slowed ?? view.purged
  const trouble = running.trouble()
  const copied = peer === undefined ? undefined : table.copied.get(peer)
  const [poison] = HashMap.values(held)
  // The clock of the peer tells more than its operations, which were written a while ago.
  const ahead = offset !== undefined && offset > driftLimit ? now + offset : poison?.wall
  const drift =
    poison === undefined || ahead === undefined
      ? null
      : new ClockDrift({ remote: ahead, local: now, limit: driftLimit })
  return {
    node_id: peer ?? null,
    protocol: connection.form,
    state,
    tls: connection.tls,
    lag_ops: lag ?? null,
    clock_offset_ms: offset ?? null,
    last_sync_at: lastSyncAt === undefined ? null : lastSyncAt / 1000,
    ...withPrevious(usesPrevious === true),
    last_error:
      trouble !== undefined
        ? reportOf(trouble)
        : copied !== undefined && now - copied.at <= Instances.limits.memory
          ? report(copied.failure)
          : deferredOwn !== undefined
            ? report(new DeferredByPeer({ wall: deferredOwn.wall, local: now }))
            : drift !== null
              ? reportOf(drift)
              : leftOut !== undefined
                ? report(leftOut)
                : notTaken !== undefined
                  ? report(notTaken)
                  : diverged
                    ? report({
                        _tag: "Diverged",
                        problem: "same vector clock but different rows",
                        nextStep: nextSteps.Diverged
                      })
                    : connection.form === 1 && peer !== undefined
                      ? noticeOf(table.memories.get(peer))
                      : null
  }
}
