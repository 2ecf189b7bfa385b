/**
 * What `status` shows of a replica, whether its node runs or not.
 */
import { Clock, Effect, HashMap, Option } from "effect"
import * as Digest from "../../../core/replica/Digest.ts"
import * as Hlc from "../../../core/replica/Hlc.ts"
import * as Purge from "../../../core/replica/Purge.ts"
import type { NodeId } from "../../../core/replica/NodeId.ts"
import * as VectorClock from "../../../core/replica/VectorClock.ts"
import type { Settings } from "../../node/Config.ts"
import { type NodeStatus, type OpaqueRows, type PeerLimits, type PeerStatus, report } from "../../node/Status.ts"
import * as Summary from "../../node/Summary.ts"
import * as Lacks from "../../peers/Lacks.ts"
import { Store } from "../../store/Store.ts"
import * as Alarms from "./Alarms.ts"
import * as TombstoneState from "./TombstoneState.ts"
import { version } from "../../node/Version.ts"

/** The status of a node that does not run: what its database holds. */
export const stopped = Effect.fnUntraced(function* (
  settings: Pick<Settings, "tls" | "legacy" | "maxClockDriftMs" | "tombstoneMs"> & PeerLimitSettings,
  removed: ReadonlySet<NodeId>
) {
  const store = yield* Store
  const { trouble, node_id, vector_clock, digest, counts, opaque } = yield* read(store)
  const found = yield* alarms(store, settings, [])
  const now = yield* Clock.currentTimeMillis
  const absent = yield* Lacks.absent(store, { peers: [], removed, now })
  const status = {
    ...trouble,
    node_id,
    version,
    port: null,
    api_port: null,
    tls: Option.isSome(settings.tls) ? "ca" : "auto",
    legacy: settings.legacy,
    uptime_seconds: 0,
    vector_clock,
    digest,
    counts,
    opaque,
    peer_limits: peerLimits(settings),
    ...(yield* TombstoneState.read(store, {
      removed,
      connected: new Set(),
      now,
      keepMs: settings.tombstoneMs
    })),
    ...(absent.length === 0 ? {} : { absent }),
    ...(found.length === 0 ? {} : { alarms: found }),
    discovery: { mdns: "off", static: "none" },
    peers: []
  } satisfies NodeStatus
  return { ...Summary.told(status, now), ...status } satisfies NodeStatus
})

/** What a user has to see first. */
export const alarms = Effect.fnUntraced(function* (
  store: Store["Service"],
  { maxClockDriftMs }: Pick<Settings, "maxClockDriftMs">,
  peers: ReadonlyArray<PeerStatus>
) {
  const { frontier, holdings } = yield* store.snapshot
  const now = yield* Clock.currentTimeMillis
  const { wall } = VectorClock.get(frontier, store.nodeId)
  return Alarms.of({
    peers,
    oddities: yield* store.oddities,
    origins: HashMap.size(holdings),
    lastWall: wall,
    now,
    maxDriftMs: maxClockDriftMs
  })
})

/** What the store knows of it. */
export const read = Effect.fnUntraced(function* (store: Store["Service"]) {
  const { vectorClock: clock, digest, purges } = yield* store.snapshot
  // Where the file cannot be read, other fields say so.
  const indexing = yield* Effect.orElseSucceed(store.indexing, () => undefined)
  const own = yield* Effect.orElseSucceed(store.ownCounts, () => new Map<string, number>())
  return {
    trouble: {
      ...Option.match(yield* store.damageFound, {
        onNone: () => ({}),
        onSome: (failure) => ({ damage: report(failure) })
      }),
      ...Option.match(yield* store.lastCommitFailure, {
        onNone: () => ({}),
        onSome: (failure) => ({ last_write_error: report(failure) })
      }),
      ...(indexing === undefined ? {} : { indexing })
    },
    node_id: store.nodeId,
    vector_clock: VectorClock.toRecord(clock),
    digest: Digest.toText(digest),
    counts: { ...(yield* store.counts), ...(own.size === 0 ? {} : { kinds: Object.fromEntries(own) }) },
    opaque: opaqueOf(yield* store.opaque, Purge.toList(purges))
  }
})

/** Origins that are named at most. */
const named = 100

const opaqueOf = (
  { usage, quota, overQuota }: Effect.Success<Store["Service"]["opaque"]>,
  purges: ReadonlyArray<Purge.Purge>
): OpaqueRows => ({
  bytes: usage.total,
  limit_bytes: Number.isFinite(quota.total) ? quota.total : null,
  limit_bytes_per_origin: Number.isFinite(quota.origin) ? quota.origin : null,
  origins: Array.from(HashMap.entries(usage.origins), ([origin, bytes]) => ({ origin, bytes }))
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, named),
  held_back: Array.from(HashMap.entries(overQuota), ([origin, timestamp]) => ({
    origin,
    from: Hlc.format(timestamp, origin)
  })).slice(0, named),
  purged: purges
    .filter(({ rows }) => rows > 0)
    .slice(-named)
    .map(({ kind = null, origin, rows, bytes }) => ({ kind, origin, rows, bytes }))
})

/** What one network address may send. */
export const peerLimits = ({ maxPeerRateBytes, maxPeerBurstBytes }: PeerLimitSettings): PeerLimits => ({
  bytes_per_second: maxPeerRateBytes === 0 ? null : maxPeerRateBytes,
  burst_bytes: maxPeerBurstBytes
})

type PeerLimitSettings = Pick<Settings, "maxPeerRateBytes" | "maxPeerBurstBytes">
