/**
 * How each peer is, as `status` and `peers` show it: from the roster, the table of peers, and the sessions that run.
 */
import { HashMap } from "effect"
import { type Address, formatAddress } from "../../core/peers/Address.ts"
import { mdnsKey } from "../../core/peers/Candidate.ts"
import * as Instances from "../../core/peers/Instances.ts"
import * as Roster from "../../core/peers/Roster.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import { ClockDrift, DeferredByPeer, nextSteps, PeerSlowed } from "../../core/sync/SyncFailure.ts"
import { type Absent, type LastError, type PeerState, type PeerStatus, report } from "../node/Status.ts"
import { type Entry, type Failed, incoming, lostPeers, peerKey, type PeerTable } from "./PeerTable.ts"
import type { Warned } from "./RunningSession.ts"
import * as V1Peers from "./V1Peers.ts"

/** How every peer is: those of the roster, those who are connected, those who were refused lately. */
export const statuses = (
  table: PeerTable,
  roster: Roster.Roster,
  now: number,
  driftLimit: number
): ReadonlyArray<PeerStatus> => {
  const between = V1Peers.between(table.v1, roster.options.interval, now)
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
      ...(failed === undefined && candidate.node !== undefined && between.get(candidate.node)?.status),
      ...(entry !== undefined && connected(table, entry, now, driftLimit)),
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
  for (const [node, { status, address, isShown }] of between) {
    if (!isShown || named.has(node)) continue
    rows.push({ ...unconnected, ...status, source: "inbound", address: address.host, port: address.port })
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

/** A node that was not met since the start, and when it was seen last (ms). */
const unmet = (node: string, state: PeerState, seenAt: number | undefined): PeerStatus => ({
  ...unconnected,
  node_id: node,
  source: "inbound",
  state,
  address: "",
  port: 0,
  ...(seenAt === undefined ? {} : { last_sync_at: seenAt / 1000, last_seen_at: seenAt / 1000 })
})

/** One of them that is paused. */
export const pausedRow = (node: NodeId, seenAt: number | undefined): PeerStatus => unmet(node, "paused", seenAt)

/** One of them that `absent` has, as one of the peers. */
export const absentRow = ({ node_id, last_seen_at, it_lacks }: Absent): PeerStatus => ({
  ...unmet(node_id, "backoff", last_seen_at * 1000),
  protocol: 2,
  it_lacks
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
  const { peer, state, lag, offset, lastSyncAt, deferred, leftOut, deferredOwn, diverged, usesPrevious } = view
  const slowed =
    (view.slowedUntil ?? 0) > now ? new PeerSlowed({ peer: peer ?? formatAddress(connection.remote) }) : undefined
  const notTaken = view.tooLarge ?? view.overQuota ?? slowed ?? view.purged
  const trouble = running.trouble()
  const copied = peer === undefined ? undefined : table.copied.get(peer)
  const [poison] = HashMap.values(deferred)
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
                      ? V1Peers.noticeOf(table.v1, peer)
                      : null
  }
}
