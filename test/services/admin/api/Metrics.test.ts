/**
 * Metrics of what seldom happens: each changes when it happens between nodes, and goes back when it is over. What happens always is
 * in `test/cli/Metrics.test.ts`, with processes.
 */
import { assert, describe, it, layer } from "@effect/vitest"
import { Clock, Effect, PubSub, Stream } from "effect"
import { X509Certificate } from "node:crypto"
import { packetOf } from "../../../../src/core/discovery/DnsRecord.ts"
import { CanonicalJson } from "../../../../src/core/replica/Json.ts"
import type { NodeId } from "../../../../src/core/replica/NodeId.ts"
import { Kind, type Operation } from "../../../../src/core/replica/Operation.ts"
import * as MdnsRuntime from "../../../../src/services/discovery/MdnsRuntime.ts"
import * as Counters from "../../../../src/services/node/Counters.ts"
import { MemoryNetwork } from "../../../../src/services/transport/MemoryNetwork.ts"
import * as Certificates from "../../../support/Certificates.ts"
import { linkOf } from "../../../support/DnsSdWorld.ts"
import { at, pass, type Running, start, startOnSocket, take, upTo, world, written } from "../../../support/Members.ts"
import { node, write } from "../../../support/Network.ts"
import { ca, Shelf } from "../../../support/TlsNodes.ts"

/** The value of a sample by its name and its labels; none where it is not shown. */
const read = ({ metrics }: Running, sample: string) =>
  Effect.map(metrics, (text) => {
    const line = text.split("\n").find((line) => line.startsWith(`${sample} `))
    return line === undefined ? undefined : Number(line.slice(sample.length + 1))
  })

const shows = Effect.fnUntraced(function* (node: Running, sample: string, expected: number | undefined) {
  assert.strictEqual(yield* read(node, sample), expected, sample)
})

const kib = 1_024

/** A clock that is so many milliseconds ahead. */
const ahead = (millis: number) =>
  Effect.map(Clock.Clock, (clock): Clock.Clock => {
    const now = () => clock.currentTimeMillisUnsafe() + millis
    return Object.create(clock, {
      currentTimeMillisUnsafe: { value: now },
      currentTimeMillis: { value: Effect.sync(now) }
    })
  })

/** Rows of a node that is not there, in the order in which it wrote them. */
const rows = (count: number, { kind, width, from = 1 }: { kind: string; width: number; from?: number }) =>
  Array.from({ length: count }, (_, n): Operation => ({
    ...write(node("x"), { wall: from + n, counter: 0 }, `${kind}-${n}`, kind),
    data: CanonicalJson.make(JSON.stringify({ content: "x".repeat(width) }))
  }))

describe("Metrics", () => {
  it.effect("operations that wait for their time are shown until it has come", () =>
    world(
      Effect.gen(function* () {
        const [a, b] = [yield* start("a", []), yield* start("b", [at("a")])]
        yield* pass("1 seconds")
        yield* shows(b, 'feral_peers_deferred{reason="ClockDrift"}', 0)
        yield* take(a, [written("future", 900_000)])
        yield* pass("10 seconds")
        yield* shows(b, 'feral_peers_deferred{reason="ClockDrift"}', 1)
        yield* pass("20 minutes")
        yield* shows(b, 'feral_peers_deferred{reason="ClockDrift"}', 0)
      })
    )
  )

  it.effect("own operations that wait at a peer are shown until their time has come there", () =>
    world(
      Effect.gen(function* () {
        const clock = yield* ahead(900_000)
        const a = yield* start("a", [])
        const b = yield* start("b", [at("a")]).pipe(Effect.provideService(Clock.Clock, clock))
        yield* pass("1 seconds")
        yield* shows(b, 'feral_peers_deferred{reason="DeferredByPeer"}', 0)
        yield* b.write("future").pipe(Effect.provideService(Clock.Clock, clock))
        yield* pass("10 seconds")
        yield* shows(b, 'feral_peers_deferred{reason="DeferredByPeer"}', 1)
        yield* pass("20 minutes")
        yield* shows(b, 'feral_peers_deferred{reason="DeferredByPeer"}', 0)
        assert.deepStrictEqual(yield* a.rows, ["future"])
      })
    )
  )

  it.effect("rows of an unknown kind that are over the quota are shown on both sides, until others make room", () =>
    world(
      Effect.gen(function* () {
        const a = yield* start("a", [], { quota: { origin: Infinity, total: 100 * kib } })
        const b = yield* start("b", [at("a")])
        yield* take(a, rows(8, { kind: "old", width: 8 * kib }))
        yield* pass("5 seconds")
        for (const node of [a, b]) yield* shows(node, 'feral_peers_deferred{reason="OverQuota"}', 0)
        yield* take(b, rows(8, { kind: "new", width: 8 * kib, from: 100 }))
        yield* pass("5 seconds")
        for (const node of [a, b]) yield* shows(node, 'feral_peers_deferred{reason="OverQuota"}', 1)
        yield* a.store.purge({ kind: Kind.make("old") })
        yield* pass("1 minutes")
        for (const node of [a, b]) yield* shows(node, 'feral_peers_deferred{reason="OverQuota"}', 0)
        assert.isAbove((yield* a.store.opaque).usage.total, 64 * kib)
      })
    )
  )

  it.effect("nodes that wait because a peer brings too many new ones are shown until all are taken", () =>
    world(
      Effect.gen(function* () {
        const [a, b] = [yield* start("a", []), yield* start("b", [])]
        const many = Array.from({ length: 2_500 }, (_, n) => write(node(`n${n}`), { wall: 1, counter: 0 }, `row-${n}`))
        yield* take(b, many)
        yield* shows(a, 'feral_peers_deferred{reason="OriginsLeftOut"}', 0)
        const c = yield* start("c", [at("a"), at("b")])
        yield* pass("5 seconds")
        yield* shows(c, 'feral_peers_deferred{reason="OriginsLeftOut"}', 1)
        for (let n = 0; n < 5; n++) yield* pass("1 minutes")
        yield* shows(c, 'feral_peers_deferred{reason="OriginsLeftOut"}', 0)
        for (const { store } of [a, c]) assert.strictEqual((yield* store.counts).notes, 2_500)
      })
    )
  )

  it.effect("a peer that sends more than its share is shown as slowed until its turn has come", () =>
    world(
      Effect.gen(function* () {
        const a = yield* start("a", [], { maxPeerRateBytes: 16 * kib, maxPeerBurstBytes: 1_024 * kib })
        const b = yield* start("b", [at("a")])
        yield* take(b, rows(320, { kind: "notes", width: 8 * kib }))
        yield* pass("1 seconds")
        yield* shows(a, 'feral_peers_deferred{reason="PeerSlowed"}', 1)
        for (let n = 0; n < 20; n++) yield* pass("10 seconds")
        yield* shows(a, 'feral_peers_deferred{reason="PeerSlowed"}', 0)
        assert.strictEqual((yield* a.store.counts).notes, 320)
      })
    )
  )

  it.effect("what one side lacks is shown on both, with its direction", () =>
    world(
      Effect.gen(function* () {
        const [a, b] = [yield* start("a", []), yield* start("b", [at("a")], { maxRecvBytes: 65_536 })]
        yield* a.write("small")
        for (let n = 0; n < 5; n++) yield* pass("1 seconds")
        yield* shows(a, 'feral_peer_behind_operations{peer="b",direction="it_lacks"}', 0)
        yield* a.write("large", "x".repeat(100_000))
        for (let n = 0; n < 5; n++) yield* pass("1 seconds")
        yield* shows(a, 'feral_peer_behind_operations{peer="b",direction="it_lacks"}', 1)
        yield* shows(b, 'feral_peer_behind_operations{peer="a",direction="we_lack"}', 1)
        yield* shows(a, 'feral_peers_deferred{reason="RowsTooLarge"}', 1)
      })
    )
  )

  it.effect("bytes that one side sent are those that the other one got, also of text that is not ASCII", () =>
    world(
      Effect.gen(function* () {
        const [a, b] = [yield* start("a", []), yield* start("b", [at("a")])]
        yield* pass("1 seconds")
        yield* a.write("row", "水やり".repeat(1_000))
        yield* pass("5 seconds")
        const sent = (yield* read(a, 'feral_bytes_sent_total{peer="b"}')) ?? 0
        assert.isAbove(sent, 9_000)
        yield* shows(b, 'feral_bytes_received_total{peer="a"}', sent)
      })
    )
  )

  it.effect("a peer that is away lags behind, until it is back", () =>
    world(
      Effect.gen(function* () {
        const network = yield* MemoryNetwork
        const [a] = [yield* start("a", []), yield* start("b", [at("a")])]
        yield* a.write("one")
        yield* pass("5 seconds")
        yield* shows(a, 'feral_peer_lag_seconds{peer="b"}', 0)
        yield* network.part("a", "b")
        yield* pass("2 minutes")
        const lag = yield* read(a, 'feral_peer_lag_seconds{peer="b"}')
        assert.isAbove(lag ?? 0, 60)
        yield* pass("1 minutes")
        yield* shows(a, 'feral_peer_lag_seconds{peer="b"}', (lag ?? 0) + 60)
        yield* network.heal("a", "b")
        yield* pass("2 minutes")
        yield* shows(a, 'feral_peer_lag_seconds{peer="b"}', 0)
      })
    )
  )

  it.effect("the clock of a peer is compared with ours, in both directions", () =>
    world(
      Effect.gen(function* () {
        const a = yield* start("a", [])
        const b = yield* start("b", [at("a")]).pipe(Effect.provideService(Clock.Clock, yield* ahead(90_000)))
        yield* pass("5 seconds")
        yield* shows(a, 'feral_clock_offset_seconds{peer="b"}', 90)
        yield* shows(b, 'feral_clock_offset_seconds{peer="a"}', -90)
      })
    )
  )

  it.effect("rows that differ are counted, and so is their repair", () =>
    world(
      Effect.gen(function* () {
        const [a, b] = [yield* start("a", []), yield* start("b", [at("a")])]
        yield* pass("5 seconds")
        yield* shows(a, "feral_repairs_total", 0)
        const [one, two] = [written("one", 100), written("two", 200)]
        yield* take(a, [one, two])
        yield* take(b, [one], upTo(two))
        for (let n = 0; n < 40; n++) yield* pass("500 millis")
        assert.isAbove((yield* read(a, 'feral_digest_mismatches_total{peer="b"}')) ?? 0, 0)
        assert.isAbove(
          ((yield* read(a, "feral_repairs_total")) ?? 0) + ((yield* read(b, "feral_repairs_total")) ?? 0),
          0
        )
        assert.deepStrictEqual(yield* b.rows, yield* a.rows)
      })
    )
  )

  it.effect("packets of mDNS are counted as they leave and come", () =>
    world(
      Effect.gen(function* () {
        const a = yield* start("a", [])
        yield* shows(a, 'feral_mdns_packets_total{direction="sent"}', 0)
        let handlers: MdnsRuntime.Handlers | undefined
        const network: MdnsRuntime.Network = {
          port: 5353,
          links: Effect.succeed([linkOf(1, 0)]),
          open: (_, given) =>
            Effect.sync(() => {
              handlers = given
              return { send: (_, done) => done(undefined), close: Effect.void }
            })
        }
        const doubts = yield* PubSub.dropping<NodeId>(1)
        const announcement = { nodeId: node("a"), port: 1 }
        const sightings = yield* MdnsRuntime.run(network, "10 seconds", announcement, doubts)
        yield* Effect.forkScoped(Stream.runDrain(sightings))
        yield* pass("5 seconds")
        assert.isAbove((yield* read(a, 'feral_mdns_packets_total{direction="sent"}')) ?? 0, 0)
        yield* shows(a, 'feral_mdns_packets_total{direction="received"}', 0)
        handlers?.packet(packetOf("response", { answers: [] }), { address: "10.0.0.2", port: 5353 })
        yield* shows(a, 'feral_mdns_packets_total{direction="received"}', 1)
      })
    ).pipe(Effect.provideService(Counters.Counters, Counters.make()))
  )
})

layer(Shelf.layer, { excludeTestServices: true, timeout: "60 seconds" })("Metrics of a node with a CA", (it) => {
  it.effect("have the end of its certificate, which is none without one", () =>
    Effect.gen(function* () {
      const { a: files } = yield* Shelf
      const sample = "feral_tls_certificate_expires_timestamp_seconds"
      yield* shows(yield* startOnSocket("own", []), sample, undefined)
      const { cert } = yield* Certificates.contents(files)
      yield* shows(
        yield* startOnSocket("a", [], {}, ca(files)),
        sample,
        Date.parse(new X509Certificate(cert).validTo) / 1000
      )
    }).pipe(Effect.scoped)
  )
})
