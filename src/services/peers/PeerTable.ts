/**
 * The state of each peer beside the roster: its running session, its last failure. `PeerView.ts` shows it.
 */
import { type Address, formatAddress } from "../../core/peers/Address.ts"
import type { Slot } from "../../core/replica/Merge.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Operation } from "../../core/replica/Operation.ts"
import type { DuplicateNodeId } from "../../core/sync/SyncFailure.ts"
import type { Memory } from "../../core/sync/v1/V1Exchange.ts"
import type { LastError } from "../node/Status.ts"
import type { Connection } from "../transport/Transport.ts"
import type { Running } from "./SessionRunner.ts"
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
export const incoming = { shownFor: 300_000, kept: 64 } as const

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

/** Peers that are remembered when they are lost, and for how long they are shown (ms). */
export const lostPeers = { kept: 256, shownFor: 7 * 86_400_000 } as const

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
export const drop = <Key>(map: Map<Key, unknown>, kept: number): void => {
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
  drop(table.failures, incoming.kept)
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
  drop(silent, incoming.kept)
}
