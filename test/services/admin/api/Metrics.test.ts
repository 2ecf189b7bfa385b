/**
 * Metrics of what seldom happens: each changes when it happens between nodes, and goes back when it is over. What happens always is
 * in `test/cli/Metrics.test.ts`, with processes.
 */
import { assert, describe, it, layer } from "@effect/vitest"
import { Clock, Effect, PubSub, Stream } from "effect"
import { X509Certificate } from "node:crypto"
import { packetOf } from "../../../../src/core/discovery/DnsRecord.ts"
import type { NodeId } from "../../../../src/core/replica/NodeId.ts"
import * as MdnsRuntime from "../../../../src/services/discovery/MdnsRuntime.ts"
import * as Counters from "../../../../src/services/node/Counters.ts"
import { MemoryNetwork } from "../../../../src/services/transport/MemoryNetwork.ts"
import * as Certificates from "../../../support/Certificates.ts"
import { linkOf } from "../../../support/DnsSdWorld.ts"
import { at, pass, type Running, start, startOnSocket, take, upTo, world, written } from "../../../support/Members.ts"
import { node } from "../../../support/Network.ts"
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

describe("Metrics", () => {
  it.effect("operations that wait for their time are shown until it has come", () =>
    world(
      Effect.gen(function* () {
        const [a, b] = [yield* start("a", []), yield* start("b", [at("a")])]
        yield* pass("1 seconds")
        yield* shows(b, 'feral_operations_deferred{reason="ClockDrift"}', 0)
        yield* take(a, [written("future", 900_000)])
        yield* pass("10 seconds")
        yield* shows(b, 'feral_operations_deferred{reason="ClockDrift"}', 1)
        yield* pass("20 minutes")
        yield* shows(b, 'feral_operations_deferred{reason="ClockDrift"}', 0)
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
        yield* shows(a, 'feral_operations_deferred{reason="RowsTooLarge"}', 1)
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
        const clock = yield* Clock.Clock
        const millis = () => clock.currentTimeMillisUnsafe() + 90_000
        const ahead: Clock.Clock = Object.create(clock, {
          currentTimeMillisUnsafe: { value: millis },
          currentTimeMillis: { value: Effect.sync(millis) }
        })
        const a = yield* start("a", [])
        const b = yield* start("b", [at("a")]).pipe(Effect.provideService(Clock.Clock, ahead))
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
