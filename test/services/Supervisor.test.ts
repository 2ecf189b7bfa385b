/**
 * The supervisor over a network in memory and under virtual time: nodes as they are, but for sockets and files.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Redacted, type Scope } from "effect"
import { TestClock } from "effect/testing"
import type { Address } from "../../src/core/Address.ts"
import { emptyObject } from "../../src/core/Json.ts"
import { NodeId } from "../../src/core/NodeId.ts"
import { Kind, OpId, RowId } from "../../src/core/Operation.ts"
import { Clock } from "../../src/services/Clock.ts"
import { Config } from "../../src/services/Config.ts"
import { Discovery } from "../../src/services/Discovery.ts"
import { Passphrase } from "../../src/services/Passphrase.ts"
import { Peers } from "../../src/services/Peers.ts"
import type { PeerStatus } from "../../src/services/Status.ts"
import { Store } from "../../src/services/Store.ts"
import { Transport } from "../../src/services/Transport.ts"
import { MemoryNetwork } from "../../src/services/transport/MemoryNetwork.ts"

const passphrase = (text: string): Layer.Layer<Passphrase> =>
  Layer.succeed(
    Passphrase,
    Passphrase.of({
      passphrase: Redacted.make(text),
      isNew: false,
      file: Option.none(),
      key: Effect.succeed(Redacted.make(new TextEncoder().encode(text.padEnd(32))))
    })
  )

interface Running {
  readonly host: string
  readonly store: Store["Service"]
  readonly status: Effect.Effect<ReadonlyArray<PeerStatus>>
  readonly write: (row: string) => Effect.Effect<void>
  readonly rows: Effect.Effect<ReadonlyArray<string>>
}

/** Starts a node on a host of the network. */
const start = Effect.fnUntraced(function* (
  host: string,
  dials: ReadonlyArray<Address>,
  options: { readonly secret?: string; readonly id?: string } = {}
): Effect.fn.Return<Running, never, Scope.Scope | MemoryNetwork> {
  const node = Peers.layer.pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        Discovery.layerStatic(dials),
        Transport.layerMemory({ host, port: 1 }),
        passphrase(options.secret ?? "secret"),
        Store.layerMemory({ nodeId: NodeId.make(options.id ?? host) })
      )
    ),
    Layer.provideMerge(Clock.layer),
    Layer.provideMerge(Layer.succeed(Config, Config.make({ mdns: false }))),
    Layer.fresh
  )
  const context = yield* Layer.build(node).pipe(Effect.orDie)
  const store = Context.get(context, Store)
  let written = 0
  return {
    host,
    store,
    status: Context.get(context, Peers).status,
    write: (row) =>
      store
        .append([
          {
            op_id: OpId.make(`${host}-${++written}`),
            table: Kind.make("notes"),
            op_type: "insert",
            row_id: RowId.make(row),
            data: emptyObject
          }
        ])
        .pipe(Effect.orDie, Effect.asVoid),
    rows: store.list(Kind.make("notes"), { limit: 1_000 }).pipe(
      Effect.orDie,
      Effect.map((operations) => operations.map(({ row_id }) => row_id))
    )
  }
})

/** Lets everything happen that needs no time, and then lets time pass. */
const pass = (time: `${number} ${"millis" | "seconds" | "minutes"}`) =>
  Effect.andThen(
    Effect.repeat(Effect.yieldNow, { times: 500 }),
    Effect.andThen(TestClock.adjust(time), Effect.repeat(Effect.yieldNow, { times: 500 }))
  )

const at = (host: string): Address => ({ host, port: 1 })
const world = <A, E>(body: Effect.Effect<A, E, Scope.Scope | MemoryNetwork>) =>
  body.pipe(Effect.provide(MemoryNetwork.layer))

describe("Peers", () => {
  it.effect("two nodes converge, and a write is at the other node without time passing", () =>
    world(
      Effect.gen(function* () {
        const a = yield* start("a", [])
        yield* a.write("before")
        const b = yield* start("b", [at("a")])
        yield* pass("1 seconds")
        assert.deepStrictEqual(yield* b.rows, ["before"])
        assert.deepInclude((yield* b.status)[0], { node_id: "a", state: "live", protocol: 2, source: "static" })
        yield* a.write("live")
        yield* Effect.repeat(Effect.yieldNow, { times: 500 })
        assert.deepStrictEqual(yield* b.rows, ["before", "live"])
      })
    )
  )

  it.effect("a cut connection is made anew, and what was written meanwhile arrives", () =>
    world(
      Effect.gen(function* () {
        const network = yield* MemoryNetwork
        const [a, b] = [yield* start("a", []), yield* start("b", [at("a")])]
        yield* pass("1 seconds")
        yield* network.part("a", "b")
        yield* Effect.all([a.write("at a"), b.write("at b")])
        yield* pass("10 minutes")
        assert.deepInclude((yield* b.status)[0], { state: "backoff" })
        assert.strictEqual((yield* b.status)[0]?.last_error?._tag, "PeerUnreachable")
        yield* network.heal("a", "b")
        yield* pass("1 minutes")
        for (const node of [a, b]) assert.deepStrictEqual(yield* node.rows, ["at a", "at b"])
        assert.deepInclude((yield* b.status)[0], { state: "live", last_error: null })
      })
    )
  )

  it.effect("two nodes that dial each other at once keep one connection", () =>
    world(
      Effect.gen(function* () {
        const a = yield* start("a", [at("b")])
        const b = yield* start("b", [at("a")])
        yield* pass("1 minutes")
        for (const node of [a, b]) {
          const peers = yield* node.status
          assert.deepStrictEqual(
            peers.map(({ node_id, state }) => [node_id, state]),
            [[node === a ? "b" : "a", "live"]]
          )
        }
      })
    )
  )

  it.effect("with another passphrase nothing is exchanged, both say why, and nobody runs in circles", () =>
    world(
      Effect.gen(function* () {
        const a = yield* start("a", [])
        const b = yield* start("b", [at("a")], { secret: "another" })
        yield* Effect.all([a.write("at a"), b.write("at b")])
        yield* pass("2 minutes")
        assert.deepStrictEqual([yield* a.rows, yield* b.rows], [["at a"], ["at b"]])
        const [atB] = yield* b.status
        assert.deepInclude(atB, { state: "refused", source: "static" })
        assert.strictEqual(atB?.last_error?._tag, "PassphraseMismatch")
        const [atA, ...others] = yield* a.status
        assert.deepInclude(atA, { state: "refused", source: "inbound" })
        assert.strictEqual(atA?.last_error?._tag, "PassphraseMismatch")
        assert.deepStrictEqual(others, [])
      })
    )
  )

  it.effect("an address that is our own is recognised and left alone", () =>
    world(
      Effect.gen(function* () {
        const a = yield* start("a", [at("a")])
        yield* pass("10 minutes")
        assert.strictEqual((yield* a.status)[0]?.last_error?._tag, "SelfConnection")
      })
    )
  )

  it.effect("two nodes with one id do not sync, and both say so", () =>
    world(
      Effect.gen(function* () {
        const a = yield* start("a", [], { id: "same" })
        const b = yield* start("b", [at("a")], { id: "same" })
        yield* a.write("at a")
        yield* pass("1 minutes")
        assert.deepStrictEqual(yield* b.rows, [])
        for (const node of [a, b]) assert.strictEqual((yield* node.status)[0]?.last_error?._tag, "DuplicateNodeId")
      })
    )
  )

  it.effect("five nodes in a line hold what any of them wrote", () =>
    world(
      Effect.gen(function* () {
        const nodes: Array<Running> = []
        for (let n = 0; n < 5; n++) nodes.push(yield* start(`n${n}`, n === 0 ? [] : [at(`n${n - 1}`)]))
        yield* Effect.forEach(nodes, (node) => node.write(`from ${node.host}`))
        yield* Effect.repeat(pass("1 seconds"), { times: 10 })
        for (const node of nodes) assert.strictEqual((yield* node.rows).length, 5)
        const digests = yield* Effect.forEach(nodes, ({ store }) => store.digest)
        for (const digest of digests) assert.deepStrictEqual(digest, digests[0])
      })
    )
  )
})
