/**
 * The summary of real nodes, store and supervisor and all, in the situations that a user can be in. They meet in memory, and for
 * certificates on sockets.
 */
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, References, Schedule } from "effect"
import { CanonicalJson } from "../../../src/core/replica/Json.ts"
import * as MemoryDisk from "../../../src/services/store/MemoryDisk.ts"
import { MemoryNetwork } from "../../../src/services/transport/MemoryNetwork.ts"
import {
  at,
  metBefore,
  pass,
  type Running,
  start,
  startOnSocket,
  take,
  upTo,
  world,
  written
} from "../../support/Members.ts"
import { ca, Shelf } from "../../support/TlsNodes.ts"

const summaryOf = ({ state }: Running) => Effect.map(state, ({ summary }) => summary)

/** Fails with the whole of it. */
const says = (node: Running, expected: RegExp) =>
  Effect.map(summaryOf(node), (summary = "") => assert.strictEqual(summary.match(expected)?.index, 0, summary))

describe("the summary of a node", () => {
  it.effect("that has met no other, and cannot", () =>
    world(
      Effect.gen(function* () {
        const a = yield* start("a", [])
        yield* pass("1 seconds")
        yield* says(a, /^No other node met yet\. mDNS is off, and no peers are listed\. Set /)
      })
    )
  )

  it.effect("that has met no other, and looks for some", () =>
    world(
      Effect.gen(function* () {
        const a = yield* start("a", [], { sightings: [] })
        yield* pass("1 seconds")
        yield* says(a, /^No other node met yet\. This node looks for others with mDNS\. Start a node /)
      })
    )
  )

  it.effect("that is in sync with all others", () =>
    world(
      Effect.gen(function* () {
        const a = yield* start("a", [])
        const b = yield* start("b", [at("a")])
        yield* a.write("one")
        yield* pass("5 seconds")
        assert.strictEqual(yield* summaryOf(a), "In sync with b.")
        const c = yield* start("c", [at("a"), at("b")])
        yield* c.write("two")
        for (let n = 0; n < 5; n++) yield* pass("1 seconds")
        for (const node of [a, b, c]) assert.strictEqual(yield* summaryOf(node), "In sync with both other nodes.")
      })
    )
  )

  it.effect("that has what another one lacks, which is not there", () =>
    world(
      Effect.gen(function* () {
        const network = yield* MemoryNetwork
        const [a, b] = [yield* start("a", []), yield* start("b", [at("a")])]
        yield* a.write("known")
        yield* pass("5 seconds")
        yield* network.part("a", "b")
        yield* pass("2 minutes")
        yield* says(a, /^Not in sync with the only other node\. b: not seen for \d min; it lacks nothing of ours\./)
        yield* Effect.all([a.write("one"), a.write("two")])
        yield* pass("2 minutes")
        yield* says(
          a,
          /^Not in sync with the only other node\. b: not seen for \d min; it lacks 2 operations of ours\./
        )
        yield* says(b, /^Not in sync with the only other node\. a: not seen for \d min; it lacks nothing of ours\./)
        yield* network.heal("a", "b")
        yield* pass("2 minutes")
        assert.strictEqual(yield* summaryOf(a), "In sync with b.")
      })
    )
  )

  it.effect("that was started again while another one is not there", () =>
    world(
      Effect.gen(function* () {
        const a = yield* metBefore
        yield* says(
          a,
          /^Not in sync with the only other node\. b: not seen for 3 min; it lacks 1 operation of ours\. Start it; /
        )
      })
    )
  )

  it.effect("that has another passphrase", () =>
    world(
      Effect.gen(function* () {
        const a = yield* start("a", [])
        const b = yield* start("b", [at("a")], { secret: "another" })
        yield* pass("1 minutes")
        yield* says(
          b,
          /^Not in sync with the only other node\. Passphrase mismatch, found by a:1\. Make FERAL_SYNC_PASSPHRASE the same /
        )
        yield* says(a, /^No other node met yet\. b: passphrase mismatch, found by this node\. Make /)
      })
    )
  )

  it.effect("that another one is ahead of in time", () =>
    world(
      Effect.gen(function* () {
        const [a, b] = [yield* start("nas", []), yield* start("b", [at("nas")])]
        yield* pass("1 seconds")
        yield* take(a, [written("future", 900_000)])
        yield* pass("10 seconds")
        yield* says(
          b,
          /^Not in sync with the only other node\. nas: operations of the peer are deferred: a clock is \d+ s ahead of ours \(allowed: 300 s\); we lack operations of 1 node that it has\. /
        )
        yield* pass("20 minutes")
        assert.strictEqual(yield* summaryOf(b), "In sync with nas.")
      })
    )
  )

  it.effect("whose disk is full", () =>
    world(
      Effect.gen(function* () {
        const disk = MemoryDisk.make()
        const [a, b] = [yield* start("a", []), yield* start("b", [at("a")], { disk })]
        yield* pass("1 seconds")
        disk.isFull = true
        yield* a.write("one")
        yield* pass("5 seconds")
        yield* says(
          b,
          /^Not in sync with the only other node\. The last write failed, because the database cannot be used: disk full \(.*\)\. Free some space; /
        )
        yield* says(a, /^Not in sync with the only other node\. b: it lacks 1 operation of ours; /)
        disk.isFull = false
        yield* pass("1 minutes")
        for (const node of [a, b]) yield* says(node, /^In sync with [ab]\.$/)
      })
    )
  )

  it.effect("that got what cannot be read", () =>
    world(
      Effect.gen(function* () {
        const [a, b] = [yield* start("a", []), yield* start("b", [at("a")])]
        yield* take(a, [{ ...written("one", 100), data: CanonicalJson.make('{"id":"another"}') }])
        yield* pass("5 seconds")
        yield* says(
          b,
          /^Not in sync with the only other node\. Rows here and on a differ\. The nodes repair them .* And 1 more: see feral-sync status\.$/
        )
      })
    )
  )

  it.effect("that has a row too large for another one, and that of the other one", () =>
    world(
      Effect.gen(function* () {
        const [a, b] = [yield* start("a", []), yield* start("b", [at("a")], { maxRecvBytes: 65_536 })]
        yield* a.write("large", "x".repeat(100_000))
        yield* a.write("small")
        for (let n = 0; n < 5; n++) yield* pass("1 seconds")
        yield* says(
          a,
          /^Not in sync with the only other node\. 1 row is larger than b accepts: notes large, .*; it lacks 1 operation of ours\. Raise .* there\.$/
        )
        yield* says(
          b,
          /^Not in sync with the only other node\. 1 row is larger than this node accepts from a: notes large, .*; we lack 1 operation that it has\. Raise .* here\.$/
        )
      })
    )
  )

  it.effect("that exchanges with an existing FERAL node", () =>
    world(
      Effect.gen(function* () {
        yield* start("old", [], { form: 1, legacy: "on" })
        const a = yield* start("a", [{ ...at("old"), plain: true }], { legacy: "on" })
        yield* a.write("one")
        yield* pass("45 seconds")
        yield* says(
          a,
          /^In sync with old\. The existing FERAL node old is synced periodically: the last exchange was \d+ s ago\.$/
        )
      })
    )
  )

  it.effect("whose rows differ from those of another one, and are repaired", () =>
    Effect.gen(function* () {
      const [a, b] = [yield* start("a", []), yield* start("b", [at("a")])]
      const [one, two] = [written("one", 100), written("two", 200)]
      yield* take(a, [one, two])
      yield* take(b, [one], upTo(two))
      const seen = new Set<string | undefined>()
      for (let n = 0; n < 40; n++) {
        yield* pass("500 millis")
        seen.add(yield* summaryOf(a))
      }
      assert.include(
        [...seen],
        "Not in sync with the only other node. Rows here and on b differ. The nodes repair them automatically; run feral-sync verify to do so now."
      )
      assert.strictEqual(yield* summaryOf(a), "In sync with b.")
    }).pipe(Effect.provide(MemoryNetwork.layerSlow(() => Effect.sleep("300 millis"))))
  )
})

layer(Shelf.layer, { excludeTestServices: true, timeout: "60 seconds" })("the summary of a node with a CA", (it) => {
  it.effect("that has met a node with the certificate of another CA", () =>
    Effect.gen(function* () {
      const { a, b } = yield* Shelf
      const server = yield* startOnSocket("server", [], {}, ca(a))
      const dialler = yield* startOnSocket("dialler", [{ host: "127.0.0.1", port: server.port }], {}, ca(b))
      const isTold = (summary: string | undefined) => summary?.includes("TLS handshake") === true
      const summary = yield* Effect.repeat(summaryOf(dialler), {
        until: isTold,
        schedule: Schedule.spaced("20 millis")
      })
      assert.match(
        summary ?? "",
        /^Not in sync with the only other node\. TLS handshake with 127\.0\.0\.1:\d+ failed: untrusted \(.*\)\. Sign both certificates with the same CA, /
      )
    }).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "None"))
  )
})
