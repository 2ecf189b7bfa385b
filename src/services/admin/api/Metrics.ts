/**
 * What a monitoring system asks: read from the services of the node at the moment of the question.
 *
 * Labels are of peers that exist. What only grows is counted where it happens (`node/Counters.ts`, `peers/Traffic.ts`).
 */
import { Clock, Effect, Stream } from "effect"
import { statSync } from "node:fs"
import { basename } from "node:path"
import * as Kind from "../../../core/replica/Kind.ts"
import { Config } from "../../node/Config.ts"
import { Counters } from "../../node/Counters.ts"
import * as Home from "../../node/Home.ts"
import type { Family, Sample } from "../../node/Measured.ts"
import { type NodeStatus, PeerState, type PeerStatus } from "../../node/Status.ts"
import { version } from "../../node/Version.ts"
import { Peers } from "../../peers/Peers.ts"
import * as PeerView from "../../peers/PeerView.ts"
import { Store } from "../../store/Store.ts"
import { Transport } from "../../transport/Transport.ts"

/** The metrics of the node of this context. Local writes are counted from now on, in the scope. */
export const make = Effect.gen(function* () {
  const { home } = yield* Config
  const store = yield* Store
  const peers = yield* Peers
  const transport = yield* Transport
  const counters = yield* Counters
  const written = new Map<string, number>(Kind.names.map((name) => [name, 0]))
  yield* store.changes.pipe(
    Stream.runForEach(({ operations }) =>
      Effect.sync(() => {
        for (const { hlc, table } of operations) {
          if (hlc.node === store.nodeId) written.set(table, (written.get(table) ?? 0) + 1)
        }
      })
    ),
    Effect.forkScoped({ startImmediately: true })
  )
  return Effect.gen(function* () {
    const counts = yield* store.counts
    const own = yield* Effect.orElseSucceed(store.ownCounts, () => new Map<string, number>())
    const { peers: rows, absent } = yield* peers.nodes
    const discovery = yield* peers.discovery
    const { traffic, sessions, handshakeFailures } = yield* peers.counters
    const expiresAt = yield* transport.tlsExpiresAt
    const now = (yield* Clock.currentTimeMillis) / 1000
    const { rss } = process.memoryUsage()
    const { user, system } = process.cpuUsage()
    // A node that was met before this one started is missed like any other.
    const named = [...rows, ...absent.map(PeerView.absentRow)].flatMap((row) =>
      row.node_id === null ? [] : [{ ...row, id: row.node_id }]
    )
    const unnamed = rows.filter(({ node_id: id, source }) => id === null && source !== "inbound")
    const ofPeers = (valueOf: (row: PeerStatus) => number | null | undefined): ReadonlyArray<Sample> =>
      named.flatMap((row) => {
        const value = valueOf(row)
        return value == null ? [] : [{ labels: { peer: row.id }, value }]
      })
    const shown = new Set(named.map(({ id }) => id))
    const ofTraffic = (key: "bytesReceived" | "bytesSent" | "operationsReceived" | "operationsSent" | "mismatches") =>
      [...traffic].flatMap(([peer, of]) => (shown.has(peer) ? [{ labels: { peer }, value: of[key] }] : []))
    const repairs = [...traffic.values()].reduce((sum, of) => sum + of.repairs, 0)
    const deferred = (tag: string) => rows.filter(({ last_error: error }) => error?._tag === tag).length
    const families: ReadonlyArray<Family> = [
      gauge("feral_build_info", "", "The version of this node; always 1.", [
        { labels: { version, node: process.versions.node }, value: 1 }
      ]),
      gauge("feral_rows", "{row}", "Rows that this node holds, by kind.", [
        ...Kind.names.map((kind) => ({ labels: { kind }, value: counts[kind] })),
        ...Array.from(own, ([kind, value]) => ({ labels: { kind }, value })),
        { labels: { kind: "tombstones" }, value: counts.tombstones }
      ]),
      counter(
        "feral_operations_written_total",
        "{operation}",
        "Operations that were written on this node since it started, by kind.",
        [...written].map(([kind, value]) => ({ labels: { kind }, value }))
      ),
      counter(
        "feral_operations_received_total",
        "{operation}",
        "Operations that came from a peer and were accepted.",
        ofTraffic("operationsReceived")
      ),
      counter(
        "feral_operations_sent_total",
        "{operation}",
        "Operations that were sent to a peer.",
        ofTraffic("operationsSent")
      ),
      gauge(
        "feral_peers_deferred",
        "{peer}",
        "Peers with deferred operations, on their side or on ours, by reason.",
        ["ClockDrift", "DeferredByPeer", "OriginsLeftOut", "OverQuota", "RowsTooLarge", "PeerSlowed"].map((reason) => ({
          labels: { reason },
          value: deferred(reason)
        }))
      ),
      counter("feral_bytes_received_total", "By", "Bytes of frames that came from a peer.", ofTraffic("bytesReceived")),
      counter("feral_bytes_sent_total", "By", "Bytes of frames that were sent to a peer.", ofTraffic("bytesSent")),
      gauge(
        "feral_peers",
        "{peer}",
        "Peers by state; absent are those that were met before, and not since this node started.",
        [
          ...PeerState.literals.map((state) => ({
            labels: { state },
            value: rows.filter((row) => row.state === state).length
          })),
          { labels: { state: "absent" }, value: absent.length }
        ]
      ),
      gauge(
        "feral_peers_expected",
        "",
        "1 where this node should be connected to others, 0 where it is meant to be alone.",
        [{ value: isExpecting(discovery, [...named, ...unnamed]) ? 1 : 0 }]
      ),
      gauge(
        "feral_peer_behind_operations",
        "{operation}",
        "Operations that one side lacks and the other has.",
        behind(named)
      ),
      gauge(
        "feral_peer_lag_seconds",
        "s",
        "Seconds since the peer was last fully in sync; 0 while it is. None while syncing with it is paused.",
        ofPeers((row) => {
          if (isPaused(row)) return null
          const isInSync = row.state === "live" && (row.lag_ops ?? 0) === 0 && row.we_lack === undefined
          return isInSync ? 0 : row.last_sync_at === null ? null : Math.max(0, now - row.last_sync_at)
        })
      ),
      gauge(
        "feral_clock_offset_seconds",
        "s",
        "How far the clock of a peer is ahead of ours.",
        ofPeers(({ clock_offset_ms: offset }) => (offset === null ? null : offset / 1000))
      ),
      counter(
        "feral_handshake_failures_total",
        "{connection}",
        "Connections that ended before both sides had proved themselves, by reason.",
        [...handshakeFailures].map(([reason, value]) => ({ labels: { reason }, value }))
      ),
      counter(
        "feral_sessions_total",
        "{connection}",
        "Connections that ended, by the role of this node and how they ended.",
        sessions.map(({ role, end, count: value }) => ({ labels: { role, end }, value }))
      ),
      {
        name: "feral_commit_seconds",
        type: "histogram",
        help: "How long a database transaction took.",
        unit: "s",
        histogram: counters.commits
      },
      gauge("feral_store_bytes", "By", "The size of the files of the database.", files(Home.paths(home).database)),
      counter(
        "feral_digest_mismatches_total",
        "{mismatch}",
        "How often rows differed from those of a peer although both had the same operations.",
        ofTraffic("mismatches")
      ),
      counter("feral_repairs_total", "{repair}", "How often such a difference was repaired.", [{ value: repairs }]),
      gauge(
        "feral_tls_certificate_expires_timestamp_seconds",
        "s",
        "When the first certificate that this node depends on expires.",
        expiresAt === undefined ? [] : [{ value: expiresAt / 1000 }]
      ),
      counter("feral_mdns_packets_total", "{packet}", "mDNS packets, by direction.", [
        { labels: { direction: "received" }, value: counters.mdns.received },
        { labels: { direction: "sent" }, value: counters.mdns.sent }
      ]),
      gauge("process_resident_memory_bytes", "By", "Resident memory of the process.", [{ value: rss }]),
      counter("process_cpu_seconds_total", "s", "CPU time of the process.", [{ value: (user + system) / 1e6 }])
    ]
    return families
  })
})

const of =
  (type: "gauge" | "counter") =>
  (name: string, unit: string, help: string, samples: ReadonlyArray<Sample>): Family => ({
    name,
    type,
    unit,
    help,
    samples
  })
const gauge = of("gauge")
const counter = of("counter")

/** Whether syncing with it is paused, here or there: people wanted it so. */
const isPaused = ({ state, last_error: error }: PeerStatus): boolean =>
  state === "paused" || error?._tag === "PeerPaused"

/** Whether there are others to be connected to: nodes that were met and are not paused, or a way to find some. */
const isExpecting = ({ mdns, static: listed }: NodeStatus["discovery"], nodes: ReadonlyArray<PeerStatus>): boolean =>
  nodes.length > 0 ? !nodes.every(isPaused) : mdns !== "off" || listed !== "none"

/**
 * What is known to be missing: operations of ours that a peer has not acknowledged, and of others that it has and we do
 * not.
 */
const behind = (rows: ReadonlyArray<PeerStatus & { readonly id: string }>): ReadonlyArray<Sample> =>
  rows.flatMap(({ id: peer, it_lacks, we_lack, lag_ops: lag }) => {
    const theirs = it_lacks?.operations ?? lag
    const ours = we_lack?.operations
    return [
      ...(theirs == null ? [] : [{ labels: { peer, direction: "it_lacks" }, value: theirs }]),
      ...(ours == null ? [] : [{ labels: { peer, direction: "we_lack" }, value: ours }])
    ]
  })

const files = (database: string): ReadonlyArray<Sample> =>
  [database, `${database}-wal`].flatMap((path) => {
    const size = statSync(path, { throwIfNoEntry: false })?.size
    return size === undefined ? [] : [{ labels: { file: basename(path) }, value: size }]
  })
