/**
 * What is known of each peer beside the roster: its running session, its last failure. Read by `status`.
 */
import { HashMap } from "effect"
import type { Address } from "../../core/Address.ts"
import { ClockDrift } from "../../core/Failure.ts"
import type * as Roster from "../../core/Roster.ts"
import * as Session from "../../core/Session.ts"
import type { PeerStatus } from "../Status.ts"
import type { Connection } from "../Transport.ts"
import type { Running } from "./SessionRunner.ts"

/** A connection that is being served. */
export interface Entry {
  readonly key: string | undefined
  readonly connection: Connection
  readonly running: Running
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
}

export const make = (): PeerTable => ({ entries: new Map(), failures: new Map() })

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
  return before === undefined || before.message !== failed.message || failed.at - before.at > visitors.shownFor
}

/** How every peer is: those of the roster, those who are connected, those who were refused lately. */
export const statuses = (table: PeerTable, roster: Roster.Roster, now: number): ReadonlyArray<PeerStatus> => {
  const rows: Array<PeerStatus> = []
  const shown = new Set<number>()
  for (const candidate of roster.candidates.values()) {
    const [link, entry] =
      [...table.entries].find(
        ([, { key, running }]) =>
          key === candidate.key || (candidate.node !== undefined && running.session().peer === candidate.node)
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
      ...(entry === undefined ? {} : connected(entry, now)),
      address: address.host,
      port: address.port
    })
  }
  for (const [link, entry] of table.entries) {
    if (shown.has(link) || entry.running.session().peer === undefined) continue
    const { host, port } = entry.connection.remote
    rows.push({ ...unconnected, ...connected(entry, now), source: "inbound", address: host, port })
  }
  for (const [key, { address, at, _tag, message }] of table.failures) {
    if (!key.startsWith("from ") || now - at > visitors.shownFor) continue
    rows.push({
      ...unconnected,
      source: "inbound",
      state: "refused",
      address: address.host,
      port: address.port,
      last_error: { _tag, message }
    })
  }
  return rows
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

const connected = ({ connection, running }: Entry, now: number) => {
  const session = running.session()
  const { state, lag, offset, lastSyncAt, held, diverged } = Session.view(session)
  const [poison] = HashMap.values(held)
  const drift =
    poison === undefined ? null : new ClockDrift({ remote: poison.wall, local: now, limit: session.options.maxDriftMs })
  return {
    node_id: session.peer ?? null,
    protocol: connection.form,
    state,
    tls: connection.tls,
    lag_ops: lag ?? null,
    clock_offset_ms: offset ?? null,
    last_sync_at: lastSyncAt === undefined ? null : lastSyncAt / 1000,
    last_error:
      drift !== null
        ? { _tag: drift._tag, message: `operations of the peer are held back: ${drift.message}` }
        : diverged
          ? {
              _tag: "Diverged",
              message: "both sides claim the same history and hold different rows: compare the rows of both nodes"
            }
          : null
  }
}
