/**
 * What `status` shows of a running node, put together from the services that know it.
 */
import { Clock, Effect, Option } from "effect"
import type { NodeId } from "../../../core/replica/NodeId.ts"
import { Config, type Settings } from "../../node/Config.ts"
import * as Home from "../../node/Home.ts"
import { elsewhere, quoted } from "../../node/Invocation.ts"
import { LogSink } from "../../node/LogSink.ts"
import { Peers } from "../../peers/Peers.ts"
import * as Summary from "../../node/Summary.ts"
import type { NodeStatus } from "../../node/Status.ts"
import { Store } from "../../store/Store.ts"
import { Transport } from "../../transport/Transport.ts"
import { version } from "../../node/Version.ts"
import * as ReplicaState from "./ReplicaState.ts"
import * as TombstoneState from "./TombstoneState.ts"

/** The status of a running node, which counts its uptime from now on. `apiPort` is asked for each time. */
export const running = Effect.fnUntraced(function* (apiPort: Effect.Effect<number | null>) {
  const settings = yield* Config
  const store = yield* Store
  const peers = yield* Peers
  const transport = yield* Transport
  const log = yield* LogSink
  const started = yield* Clock.currentTimeMillis
  return Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const tlsExpiresAt = yield* transport.tlsExpiresAt
    const { trouble, node_id, vector_clock, digest, counts, opaque } = yield* ReplicaState.read(store)
    const { lines: lost } = log.lost()
    const { peers: rows, absent } = yield* peers.nodes
    const connected = rows.flatMap(({ node_id: id, state }) => (id !== null && state === "live" ? [id] : []))
    const removed = yield* peers.removed ?? Effect.succeed(new Set<NodeId>())
    const tombstones = yield* TombstoneState.read(store, {
      removed,
      connected: new Set(connected),
      now,
      keepMs: settings.tombstoneMs
    })
    const alarms = yield* ReplicaState.alarms(store, settings, rows)
    const discovery = yield* peers.discovery
    const status = {
      ...trouble,
      node_id,
      version,
      port: peers.port,
      api_port: yield* apiPort,
      tls: transport.tls,
      ...(tlsExpiresAt === undefined ? {} : { tls_expires_at: tlsExpiresAt / 1000 }),
      legacy: settings.legacy,
      uptime_seconds: Math.max(0, Math.round((now - started) / 1000)),
      vector_clock,
      digest,
      counts,
      opaque,
      peer_limits: ReplicaState.peerLimits(settings),
      ...tombstones,
      ...(alarms.length === 0 ? {} : { alarms }),
      ...(lost === 0 ? {} : { log_lines_lost: lost }),
      ...(peers.acceptsPrevious === true ? { accepts_previous_passphrase: true } : {}),
      commands: commandsOf(settings, discovery.mdns === "on" ? undefined : peers.port),
      discovery,
      ...(absent.length === 0 ? {} : { absent }),
      peers: rows
    } satisfies NodeStatus
    return { ...Summary.told(status, now), ...status } satisfies NodeStatus
  })
})

/** `port` is where the next node has to dial this one, which it does not find by itself. */
const commandsOf = ({ home, passphrase }: Settings, port: number | null | undefined) => ({
  open: elsewhere(`open --home ${quoted(home)}`),
  ...(Option.isNone(passphrase) && { passphrase: `cat ${quoted(Home.paths(home).passphrase)}` }),
  join: elsewhere(`start --passphrase-file -${typeof port === "number" ? ` --peers THIS-MACHINE:${port}` : ""}`)
})
