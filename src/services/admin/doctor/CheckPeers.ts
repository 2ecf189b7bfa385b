/**
 * Looks at each peer: whether it can be reached, its TLS, its passphrase, the wire that it speaks, its clock.
 *
 * A running node is asked about its peers: it dials its peers itself, with the settings that it was started with. A
 * peer that it has not tried is dialled here, once, in a way that takes no connection's place (`PeerProbe.ts`).
 */
import { Clock, Effect, FileSystem, Layer, Option, Result } from "effect"
import { lookup } from "node:dns/promises"
import { networkInterfaces } from "node:os"
import { type Address, formatAddress } from "../../../core/peers/Address.ts"
import * as ClockOffset from "../../../core/text/ClockOffset.ts"
import { ClockDrift, clockNextStep, PeerTimeout, SelfConnection } from "../../../core/sync/SyncFailure.ts"
import { Config, type Settings } from "../../node/Config.ts"
import { commandLine } from "../../node/Invocation.ts"
import type { NodeStatus, PeerStatus } from "../../node/Status.ts"
import { Transport } from "../../transport/Transport.ts"
import { failed, type Finding, fromFailure, fromReport, ok, skipped, warning } from "./Finding.ts"
import type { Seen } from "./Multicast.ts"
import * as PeerProbe from "./PeerProbe.ts"
import * as WebSocketTransport from "../../transport/WebSocketTransport.ts"

const check = "peer"

/** Peers that are looked at, all at once. */
const maxPeers = 32

/** Seconds to reach an address, for the answer after that, and for all addresses of a peer. */
const times = { reach: 3, answer: 6, peer: 9 } as const

/** A peer to dial. */
interface Target {
  readonly source: "static" | "mdns"
  readonly addresses: ReadonlyArray<Address>
}

export interface Options {
  readonly settings: Settings
  readonly running: Option.Option<NodeStatus>
  readonly seen: ReadonlyArray<Seen>
  /** The identity to dial with; none without a passphrase. */
  readonly self: Option.Option<PeerProbe.Self>
}

export const examine = Effect.fnUntraced(function* (
  options: Options,
  report: (findings: ReadonlyArray<Finding>) => Effect.Effect<void>
): Effect.fn.Return<void, never, Transport> {
  const rows = Option.match(options.running, { onNone: () => [], onSome: ({ peers }) => peers })
  yield* report(rows.map(ofRow))
  const targets = targetsOf(options, rows)
  if (rows.length + targets.length === 0) {
    return yield* report([skipped(check, "there are no peers to check")])
  }
  yield* Effect.forEach(targets.slice(0, maxPeers), (target) => Effect.flatMap(ofTarget(options, target), report), {
    concurrency: "unbounded",
    discard: true
  })
  const left = targets.slice(maxPeers).length
  if (left > 0) yield* report([skipped(check, `${left} more were not checked`)])
})

/** How a peer is, as the running node says. */
const ofRow = (peer: PeerStatus): Finding => {
  const { node_id, address, port, source, protocol, state, tls, clock_offset_ms, last_error, last_seen_at } = peer
  const remote = formatAddress({ host: address, port })
  const facts = { address: remote, node_id, source, protocol, tls, clock_offset_ms, state }
  if (state === "paused") {
    return warning(check, `${node_id} is paused here`, `resume with ${commandLine(`peers resume ${node_id}`)}`, facts)
  }
  const isPausedThere = last_error?._tag === "PeerPaused"
  if (last_seen_at !== undefined && source === "inbound" && !isPausedThere && state !== "refused") {
    const since = new Date(last_seen_at * 1000).toISOString().slice(0, 16).replace("T", " ")
    const step = "if it should be connected, check that it is running and can reach this node"
    return warning(check, `${node_id} has been disconnected since ${since} UTC, and reconnects by itself`, step, facts)
  }
  if (last_error === null) {
    return state === "live" || state === "syncing"
      ? ok(check, `${remote}: ${node_id} is ${state}, ${terms(tls, protocol, clock_offset_ms)}`, facts)
      : warning(check, `${remote}: the running node is connecting to it`, "run doctor again in a few seconds", facts)
  }
  const finding = fromReport(
    check,
    { ...last_error, problem: `${remote}: ${last_error.problem ?? last_error.message}` },
    facts
  )
  return isPausedThere || last_error._tag === "SelfConnection" || last_error._tag === "RowsTooLarge"
    ? { ...finding, status: "warning" }
    : finding
}

const terms = (tls: PeerStatus["tls"], protocol: PeerStatus["protocol"], offset: number | null): string =>
  [
    `TLS ${tls ?? "not agreed yet"}`,
    "the passphrase is the same",
    protocol === 1 ? "existing FERAL node" : "feral-sync node",
    ...(offset === null ? [] : [`its clock ${ClockOffset.signed(offset)}`])
  ].join(", ")

/** The peers that the running node does not show, or all peers if no node is running. */
const targetsOf = ({ settings, seen }: Options, rows: ReadonlyArray<PeerStatus>): ReadonlyArray<Target> => {
  const known = new Set(rows.flatMap(({ node_id, address, port }) => [node_id, formatAddress({ host: address, port })]))
  const discovered = seen
    .filter(({ nodeId, addresses }) => !known.has(nodeId) && !addresses.some((one) => known.has(formatAddress(one))))
    .map(({ addresses }): Target => ({ source: "mdns", addresses }))
  for (const { addresses } of seen) for (const address of addresses) known.add(formatAddress(address))
  const listed = settings.peers
    .filter((address) => !known.has(formatAddress(address)))
    .map((address): Target => ({ source: "static", addresses: [address] }))
  return [...discovered, ...listed]
}

/** Dials a peer on one address after the other, until one leads somewhere. */
const ofTarget = Effect.fnUntraced(function* (
  { settings, running, self }: Options,
  { source, addresses }: Target
): Effect.fn.Return<ReadonlyArray<Finding>, never, Transport> {
  const remote = addresses.map(formatAddress).join(", ")
  if (Option.isNone(self)) {
    const message = `${remote}: not checked, because this node has no passphrase yet`
    const nextStep = "set FERAL_SYNC_PASSPHRASE to the same value as on the other nodes"
    return [warning(check, message, nextStep, { address: remote, source })]
  }
  const begun = yield* Clock.currentTimeMillis
  let finding = failed(check, `${remote}: it announces no address`, null, { address: remote, source })
  for (const address of addresses) {
    const remote = formatAddress(address)
    const facts = { address: remote, source }
    if (yield* isOwn(address, running)) {
      const step = fromFailure(check, new SelfConnection(), facts, remote)
      return [{ ...step, status: "warning" }]
    }
    const left = times.peer - ((yield* Clock.currentTimeMillis) - begun) / 1000
    if (left < 1) break
    const seconds = Math.round(Math.min(times.answer, left))
    const met = yield* PeerProbe.probe(settings, self.value, address).pipe(
      Effect.scoped,
      Effect.timeoutOrElse({
        duration: `${seconds} seconds`,
        orElse: () => Effect.fail(new PeerTimeout({ waitedFor: "answer", seconds }))
      }),
      Effect.result
    )
    if (Result.isSuccess(met)) {
      const { nodeId, tls, protocol, offset = null } = met.success
      const all = { ...facts, node_id: nodeId ?? null, protocol, tls, clock_offset_ms: offset }
      return [ok(check, `${remote}: ${nodeId ?? "a node"} answers, ${terms(tls, protocol, offset)}`, all)]
    }
    finding = fromFailure(check, met.failure, facts, remote)
    if (met.failure._tag !== "PeerUnreachable") break
  }
  return [finding]
})

/** Whether the running node listens there. */
const isOwn = Effect.fnUntraced(function* ({ host, port }: Address, running: Option.Option<NodeStatus>) {
  if (!Option.exists(running, (status) => status.port === port)) return false
  const own = Object.values(networkInterfaces()).flatMap((entries = []) => entries.map(({ address }) => address))
  const named = yield* Effect.promise(() => lookup(host, { all: true }).catch(() => []))
  return named.some(({ address }) => own.includes(address))
})

/** Compares the clocks: those of the peers that told theirs. */
export const clock = Effect.fnUntraced(function* (peers: ReadonlyArray<Finding>, maxDriftMs: number) {
  const offsets = peers.flatMap(({ facts }) => {
    const { clock_offset_ms: offset, address } = facts
    return typeof offset === "number" && typeof address === "string" ? [{ offset, address }] : []
  })
  if (offsets.length === 0) return [skipped("clock", "no peer reported its clock")]
  const { offset, address } = offsets.reduce((a, b) => (Math.abs(b.offset) > Math.abs(a.offset) ? b : a))
  const facts = { clock_offset_ms: offset, peers: offsets.length }
  const now = yield* Clock.currentTimeMillis
  if (offset > maxDriftMs) {
    return [
      fromFailure("clock", new ClockDrift({ remote: now + offset, local: now, limit: maxDriftMs }), facts, address)
    ]
  }
  const apart = `${ClockOffset.amount(offset)} ${offset > 0 ? "ahead of" : "behind"} ours`
  if (-offset > maxDriftMs) return [failed("clock", `${address}: its clock is ${apart}`, clockNextStep(offset), facts)]
  if (Math.abs(offset) > maxDriftMs / 10) {
    return [warning("clock", `${address}: its clock is ${apart}`, clockNextStep(offset), facts)]
  }
  return [
    ok("clock", `within ${Math.abs(offset)} ms of ${offsets.length} peer${offsets.length === 1 ? "" : "s"}`, facts)
  ]
})

/**
 * How peers are dialled: in mode `auto` with a certificate made for this alone, for a dialler shows none, and the data
 * directory is left as it is.
 */
export const layerTransport = (settings: Settings) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const home = Option.isSome(settings.tls)
      ? settings.home
      : yield* Effect.orDie(fs.makeTempDirectoryScoped({ prefix: "feral-sync-" }))
    const handshakeWithin = `${times.reach} seconds` as const
    return WebSocketTransport.layerWith({ handshakeWithin }).pipe(
      Layer.provide(Layer.succeed(Config, { ...settings, home }))
    )
  }).pipe(Layer.unwrap)
