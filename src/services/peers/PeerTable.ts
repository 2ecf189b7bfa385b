/**
 * The state of each peer beside the roster: its running session, its last failure. `PeerView.ts` shows it.
 */
import { type Address, formatAddress } from "../../core/peers/Address.ts"
import * as Oldest from "../../core/peers/Oldest.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { DuplicateNodeId } from "../../core/sync/SyncFailure.ts"
import type { LastError } from "../node/Status.ts"
import type { Connection } from "../transport/Transport.ts"
import type { Running } from "./RunningSession.ts"
import * as Traffic from "./Traffic.ts"
import * as V1Peers from "./V1Peers.ts"

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
  /** What is known of existing FERAL nodes. */
  readonly v1: V1Peers.V1Peers
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
  v1: V1Peers.make()
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
  Oldest.set(past, peer, total, Traffic.kept)
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
  Oldest.set(left, node, at, lostPeers.kept)
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
  const last = { remote, isDialled, lastSyncAt: lastSyncAt ?? known?.lastSyncAt, seenAt: now, usesPrevious, isComplete }
  Oldest.set(lost, peer, last, lostPeers.kept)
}

/**
 * Notes that two nodes use one id: said of both while they are met, also while one of them is connected before it is
 * refused.
 */
export const noteCopied = ({ copied }: PeerTable, failure: DuplicateNodeId, at: number): void => {
  Oldest.set(copied, failure.nodeId, { failure, at }, incoming.kept)
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

/** The key of failures of those who came from a host. */
export const incomingKey = (host: string): string => `from ${host}`

/** The key of failures of a peer that came in. */
export const peerKey = (node: NodeId): string => `peer ${node}`

/**
 * Notes a failure. Returns whether it is news: another one than the last of this peer, or the first for a long while.
 */
export const noteFailure = (table: PeerTable, key: string, address: Address, failed: Failed): boolean => {
  const before = table.failures.get(key)
  Oldest.set(table.failures, key, { ...failed, address }, incoming.kept)
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
  Oldest.set(silent, node, at, incoming.kept)
}
