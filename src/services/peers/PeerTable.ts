/**
 * What is known of each peer beside the roster: its running session, its last failure. Read by `status`.
 */
import { HashMap } from "effect"
import type { Address } from "../../core/Address.ts"
import { ClockDrift, nextSteps } from "../../core/Failure.ts"
import type { Memory } from "../../core/legacy/Exchange.ts"
import type { NodeId } from "../../core/NodeId.ts"
import type * as Roster from "../../core/Roster.ts"
import { mdnsKey } from "../../core/roster/Candidate.ts"
import type { StoreUnavailable } from "../Failure.ts"
import type { PeerStatus } from "../Status.ts"
import type { Connection } from "../Transport.ts"
import type { Running } from "./SessionRunner.ts"

/** A connection that is being served. */
export interface Entry {
  readonly key: string | undefined
  readonly connection: Connection
  readonly running: Running<unknown>
}

/** A failure, with the words that an operator reads. */
export interface Failed {
  readonly _tag: string
  readonly message: string
  readonly at: number
  readonly isRefusal: boolean
}

/** Someone who came and was not let in is shown for this long (ms), and at most this many are. */
const visitors = { shownFor: 300_000, kept: 64 } as const

export interface PeerTable {
  readonly entries: Map<number, Entry>
  /** By candidate key, or by `from <host>` for those who came in. */
  readonly failures: Map<string, Failed & { readonly address: Address }>
  /** Since when discovered peers that took no leave are gone (ms). */
  readonly silent: Map<NodeId, number>
  /** What is remembered of existing FERAL nodes, and when they were last met (ms). */
  readonly memories: Map<NodeId, Memory>
  readonly exchanged: Map<NodeId, { readonly connection: Connection; readonly at: number }>
}

export const make = (): PeerTable => ({
  entries: new Map(),
  failures: new Map(),
  silent: new Map(),
  memories: new Map(),
  exchanged: new Map()
})

/** Old nodes that are remembered: they often take a new id when they restart. The one that was met longest ago goes first. */
const oldNodesKept = 256

/** Notes what an exchange with an existing FERAL node has taught. */
export const noteExchange = (
  { memories, exchanged }: PeerTable,
  node: NodeId,
  memory: Memory,
  connection: Connection,
  at: number
): void => {
  for (const map of [memories, exchanged]) map.delete(node)
  memories.set(node, memory)
  exchanged.set(node, { connection, at })
  for (const map of [memories, exchanged]) {
    for (const oldest of map.keys()) {
      if (map.size <= oldNodesKept) break
      map.delete(oldest)
    }
  }
}

/** The key of failures of those who came from a host. */
export const visitorKey = (host: string): string => `from ${host}`

/** Notes a failure. Returns whether it is news: another one than the last of this peer, or the first for a long while. */
export const noteFailure = (table: PeerTable, key: string, address: Address, failed: Failed): boolean => {
  const before = table.failures.get(key)
  table.failures.delete(key)
  table.failures.set(key, { ...failed, address })
  for (const oldest of table.failures.keys()) {
    if (table.failures.size <= visitors.kept) break
    table.failures.delete(oldest)
  }
  // The addresses of a peer take turns: each has its own message, and none is news.
  const isSame =
    before?._tag === failed._tag && (before.message === failed.message || before.address.host !== address.host)
  return !isSame || failed.at - before.at > visitors.shownFor
}

/** Notes that a discovered peer fell silent, so that it is missed for a while. */
export const noteSilence = ({ silent }: PeerTable, node: NodeId, at: number): void => {
  silent.delete(node)
  silent.set(node, at)
  for (const oldest of silent.keys()) {
    if (silent.size <= visitors.kept) break
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
  for (const candidate of roster.candidates.values()) {
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
      last_error: failed === undefined ? null : { _tag: failed._tag, message: failed.message },
      ...(failed === undefined ? between(table, candidate.node) : {}),
      ...(entry === undefined ? {} : connected(entry, now, driftLimit)),
      address: address.host,
      port: address.port
    })
  }
  for (const [link, entry] of table.entries) {
    if (shown.has(link) || entry.running.view().peer === undefined) continue
    const { host, port } = entry.connection.remote
    rows.push({ ...unconnected, ...connected(entry, now, driftLimit), source: "inbound", address: host, port })
  }
  const named = new Set(rows.map(({ node_id }) => node_id))
  for (const [node, { connection }] of table.exchanged) {
    if (named.has(node)) continue
    const { host, port } = connection.remote
    rows.push({
      ...unconnected,
      ...between(table, node),
      node_id: node,
      source: "inbound",
      address: host,
      port
    })
  }
  for (const [node, at] of table.silent) {
    const failed = table.failures.get(mdnsKey(node))
    if (failed === undefined || now - at > visitors.shownFor || rows.some(({ node_id }) => node_id === node)) continue
    rows.push({ ...refusedOrLost(failed), node_id: node, source: "mdns", state: "backoff" })
  }
  for (const [key, failed] of table.failures) {
    if (!key.startsWith("from ") || now - failed.at > visitors.shownFor) continue
    rows.push({ ...refusedOrLost(failed), source: "inbound", state: "refused" })
  }
  return rows
}

/** What is said of a peer some of whose operations wait for their time. */
export const heldBack = (drift: ClockDrift): string => `operations of the peer are held back: ${drift.message}`

/** What is said of a database that takes nothing for now. */
export const waiting = (trouble: StoreUnavailable): string => `what peers send waits: ${trouble.message}`

const refusedOrLost = ({ address, _tag, message }: Failed & { readonly address: Address }) => ({
  ...unconnected,
  address: address.host,
  port: address.port,
  last_error: { _tag, message }
})

/** How an existing FERAL node is between two exchanges. */
const between = ({ exchanged, memories }: PeerTable, node: NodeId | undefined): Partial<PeerStatus> => {
  const last = node === undefined ? undefined : exchanged.get(node)
  if (node === undefined || last === undefined) return {}
  return {
    state: "live",
    protocol: 1,
    tls: last.connection.tls,
    last_sync_at: last.at / 1000,
    last_error:
      memories.get(node)?.takesNothing === true
        ? {
            _tag: "NoScopeGranted",
            message: `it takes nothing from us: ${nextSteps.NoScopeGranted}`
          }
        : null
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

const connected = ({ connection, running }: Entry, now: number, driftLimit: number) => {
  const { peer, state, lag, offset, lastSyncAt, held, diverged } = running.view()
  const trouble = running.trouble()
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
    last_error:
      trouble !== undefined
        ? { _tag: trouble._tag, message: waiting(trouble) }
        : drift !== null
          ? { _tag: drift._tag, message: heldBack(drift) }
          : diverged
            ? {
                _tag: "Diverged",
                message: `both sides claim the same history and hold different rows: ${nextSteps.Diverged}`
              }
            : null
  }
}
