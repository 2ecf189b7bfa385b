/** Members that have the passphrase and lie: each costs its own connection, and nothing else. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, HashMap } from "effect"
import { TestClock } from "effect/testing"
import * as Hlc from "../../../src/core/replica/Hlc.ts"
import type { NodeId } from "../../../src/core/replica/NodeId.ts"
import { closeCodes, limits } from "../../../src/core/sync/Wire.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { MemoryNetwork } from "../../../src/services/transport/MemoryNetwork.ts"
import type { PeerStatus } from "../../../src/services/node/Status.ts"
import { liar, listen } from "../../support/Attackers.ts"
import { at, keyOf, pass, type Running, start, world } from "../../support/Members.ts"
import { node, write } from "../../support/Network.ts"

const right = keyOf("secret")
const minutes = (count: number) => count * 60_000
const in2099 = Date.UTC(2099, 0)

const claim = (origin: NodeId, wall: number) => VectorClock.fromEntries([[origin, { wall, counter: 0 }]])

/** A node under attack and another member of its network; both have something. */
const network = Effect.gen(function* () {
  yield* TestClock.setTime(Date.UTC(2026, 0))
  const a = yield* start("a", [])
  const good = yield* start("good", [at("a")])
  yield* Effect.all([a.write("at a"), good.write("at good")])
  yield* pass("1 seconds")
  return { a, good, now: Date.UTC(2026, 0) }
})

/** The two go on as if nothing were: a write of each reaches the other. */
const assertGoesOn = Effect.fnUntraced(function* (a: Running, good: Running, more: number = 0) {
  yield* Effect.all([a.write("later at a"), good.write("later at good")])
  yield* pass("2 seconds")
  const rows = yield* a.rows
  for (const row of ["at a", "at good", "later at a", "later at good"]) assert.include(rows, row)
  assert.strictEqual(rows.length, 4 + more)
  assert.deepStrictEqual([...(yield* good.rows)].sort(), [...rows].sort())
  assert.deepStrictEqual(yield* good.store.digest, yield* a.store.digest)
})

describe("a member that lies", () => {
  it.effect("about our own future: what it makes up is taken as after a restore, and never issued again", () =>
    world(
      Effect.gen(function* () {
        const { a, good, now } = yield* network
        const evil = yield* liar("evil", at("a"), right)
        const ahead = { wall: now + minutes(4), counter: Number.MAX_SAFE_INTEGER }
        yield* evil.data({
          operations: [write(node("a"), ahead, "forged")],
          through: VectorClock.fromEntries([[node("a"), ahead]])
        })
        yield* pass("1 seconds")
        yield* a.write("after the forgery")
        const [last] = yield* a.store.list(write(node("a"), ahead, "x").table, { limit: 1_000 }).pipe(
          Effect.orDie,
          Effect.map((operations) => operations.filter(({ row_id }) => row_id === "after the forgery"))
        )
        assert.isTrue(last !== undefined && Hlc.isAfter(last.hlc, ahead))
        assert.isTrue(last !== undefined && VectorClock.covers(yield* a.store.vectorClock, last.hlc))
        yield* assertGoesOn(a, good, 2)
      })
    )
  )

  it.effect("about our own far future: it is held back, and our clock goes on as before", () =>
    world(
      Effect.gen(function* () {
        const { a, good, now } = yield* network
        const evil = yield* liar("evil", at("a"), right)
        yield* evil.data({ operations: [write(node("a"), { wall: in2099, counter: 0 }, "forged")] })
        yield* evil.data({ through: claim(node("a"), in2099) })
        yield* pass("1 seconds")
        yield* assertGoesOn(a, good)
        const own = VectorClock.get(yield* a.store.vectorClock, node("a"))
        assert.isAtMost(own.wall, now + minutes(1))
      })
    )
  )

  it.effect("by a clock of the year 2099: held back and shown, while all others go on", () =>
    world(
      Effect.gen(function* () {
        const { a, good } = yield* network
        const evil = yield* liar("evil", at("a"), right)
        yield* evil.data({
          operations: [
            write(node("evil"), { wall: in2099, counter: 0 }, "of 2099"),
            write(node("third"), { wall: 5, counter: 0 }, "of a third")
          ],
          through: claim(node("evil"), in2099)
        })
        yield* pass("1 seconds")
        const row = (yield* a.status).find(({ node_id }) => node_id === "evil")
        assert.strictEqual(row?.last_error?._tag, "ClockDrift")
        assert.include(row?.last_error?.message ?? "", "set the clocks")
        yield* assertGoesOn(a, good, 1)
        assert.isFalse(HashMap.has(yield* a.store.vectorClock, node("evil")))
      })
    )
  )

  it.effect(
    "about others: what it forges in their name is merged like what is relayed, and what they write goes on",
    () =>
      world(
        Effect.gen(function* () {
          const { a, good, now } = yield* network
          const evil = yield* liar("evil", at("a"), right)
          const ahead = { wall: now + minutes(1), counter: 0 }
          yield* evil.data({
            operations: [write(node("good"), ahead, "forged")],
            through: claim(node("good"), ahead.wall)
          })
          yield* pass("1 seconds")
          yield* assertGoesOn(a, good, 1)
        })
      )
  )

  it.effect("about how far others have come keeps nothing that they write from arriving", () =>
    world(
      Effect.gen(function* () {
        const { a, good, now } = yield* network
        const evil = yield* liar("evil", at("a"), right)
        yield* evil.data({ through: claim(node("good"), now + minutes(4)) })
        yield* pass("1 seconds")
        yield* assertGoesOn(a, good)
      })
    )
  )

  it.effect("about the past of others hides nothing of what they write from then on", () =>
    world(
      Effect.gen(function* () {
        const { a, good, now } = yield* network
        const evil = yield* liar("evil", at("a"), right)
        yield* evil.data({ operations: [write(node("good"), { wall: now - 5_000, counter: 7 }, "forged")] })
        yield* pass("1 seconds")
        yield* Effect.all([a.write("later at a"), good.write("later at good")])
        yield* pass("2 seconds")
        for (const running of [a, good])
          assert.includeMembers([...(yield* running.rows)], ["later at a", "later at good"])
      })
    )
  )

  it.effect("about what it got is cut off", () =>
    world(
      Effect.gen(function* () {
        const { a, good } = yield* network
        for (const seq of [1_000, Number.MAX_SAFE_INTEGER]) {
          const evil = yield* liar("evil", at("a"), right)
          yield* evil.ack(seq)
          assert.strictEqual(yield* listen(evil.connection), closeCodes.protocol)
        }
        yield* assertGoesOn(a, good)
        // A clock that claims to have all of it is nothing but its own loss.
        const evil = yield* liar("evil", at("a"), right)
        yield* evil.ack(0, VectorClock.fromEntries([[node("a"), { wall: in2099, counter: 0 }]]))
        yield* pass("1 seconds")
        assert.deepStrictEqual([...(yield* good.rows)].sort(), [...(yield* a.rows)].sort())
      })
    )
  )

  it.effect(
    "about 10,000 origins, and 10,000 more: claims name none, few are taken, all else goes on, and a new node is heard of everywhere",
    () =>
      world(
        Effect.gen(function* () {
          const { a, good } = yield* network
          const origins = (part: number) =>
            VectorClock.fromEntries(
              Array.from({ length: limits.origins / 2 }, (_, n) => [
                node(`made-up-${part}-${n}`),
                { wall: 5, counter: 0 }
              ])
            )
          const evil = yield* liar("evil", at("a"), right)
          for (let part = 0; part < 4; part++) yield* Effect.ignore(evil.data({ through: origins(part) }))
          yield* pass("1 seconds")
          // They reach no disk, and no other member.
          for (const { store } of [a, good]) {
            assert.deepStrictEqual([...HashMap.keys(yield* store.vectorClock)].map(String).toSorted(), ["a", "good"])
          }
          for (let part = 0; part < 4; part++) {
            const operations = Array.from({ length: limits.origins / 2 }, (_, n) =>
              write(node(`written-${part}-${n}`), { wall: 5, counter: 0 }, "row")
            )
            yield* Effect.ignore(evil.data({ operations }))
          }
          yield* pass("1 seconds")
          assert.isAtMost(HashMap.size(yield* a.store.vectorClock), 3_000)
          const left = (yield* a.status).find(({ last_error }) => last_error?._tag === "OriginsLeftOut")
          assert.match(left?.last_error?.message ?? "", /brings \d+ new origins \(written-.*, …\).*passphrase/)
          yield* assertGoesOn(a, good, 1)
          // What it has or held back is remembered for as long as its connection lasts: that is limited too.
          const acking = yield* liar("evil", at("a"), right)
          for (let part = 0; part < 4; part++) yield* Effect.ignore(acking.ack(0, origins(part)))
          yield* assertGoesOn(a, good, 1)
          const ahead = yield* liar("evil", at("a"), right)
          for (let part = 0; part < 4; part++) {
            const operations = Array.from({ length: limits.origins / 2 }, (_, n) =>
              write(node(`ahead-${part}-${n}`), { wall: in2099, counter: 0 }, "row")
            )
            yield* Effect.ignore(ahead.data({ operations }))
          }
          yield* assertGoesOn(a, good, 1)
          const late = yield* start("late", [at("a")])
          yield* pass("2 seconds")
          assert.deepInclude((yield* late.status)[0], { node_id: "a", state: "live" })
        })
      )
  )

  it.effect("about what this node wrote: an operation under its own id that it never wrote is counted as foreign", () =>
    world(
      Effect.gen(function* () {
        const { a, good, now } = yield* network
        const evil = yield* liar("evil", at("a"), right)
        yield* evil.data({ operations: [write(node("a"), { wall: now + minutes(4), counter: 0 }, "like a restore")] })
        yield* pass("2 minutes")
        yield* evil.data({ operations: [write(node("a"), { wall: now + minutes(6), counter: 0 }, "forged")] })
        yield* pass("1 seconds")
        const { cameBack, foreign } = yield* a.store.oddities
        assert.deepStrictEqual(cameBack, { count: 1, first: "notes like a restore" })
        assert.deepStrictEqual(foreign, { count: 1, first: "notes forged" })
        // What it wrote itself is no news, from wherever it comes.
        yield* assertGoesOn(a, good, 2)
        assert.strictEqual((yield* a.store.oddities).foreign.count, 1)
        assert.strictEqual((yield* good.store.oddities).foreign.count, 0)
      })
    )
  )

  it.effect("about who it is, with the id of this node: both say so, and neither runs in circles", () =>
    world(
      Effect.gen(function* () {
        const { a, good } = yield* network
        const memory = yield* MemoryNetwork
        let dials = 0
        const counting = MemoryNetwork.of({
          ...memory,
          dial: (terms, to) =>
            Effect.andThen(
              Effect.sync(() => dials++),
              memory.dial(terms, to)
            )
        })
        const twin = yield* start("twin", [at("a")], { id: "a" }).pipe(Effect.provideService(MemoryNetwork, counting))
        yield* Effect.repeat(pass("1 minutes"), { times: 4 })
        for (const running of [a, twin]) {
          assert.isTrue((yield* running.status).some(({ last_error }) => last_error?._tag === "DuplicateNodeId"))
        }
        assert.isTrue(dials > 2 && dials < 15, `${dials} dials in five minutes`)
        yield* assertGoesOn(a, good)
      })
    )
  )
})

describe("a member that does not read", () => {
  it.effect(
    "is given up when too much waits for it, and no other peer waits",
    () =>
      world(
        Effect.gen(function* () {
          const { a, good } = yield* network
          const evil = yield* liar("evil", at("a"), right)
          // It keeps sending frames that have to be acknowledged, and never takes an answer.
          const sending = yield* Effect.forkScoped(
            Effect.forEach(
              Array.from({ length: 40_000 }, (_, n) => n),
              (n) => evil.data({ operations: [write(node("evil"), { wall: 5, counter: n }, `row ${n % 3}`)] })
            ).pipe(Effect.exit)
          )
          yield* Effect.repeat(pass("10 seconds"), { while: () => sending.pollUnsafe() === undefined, times: 100 })
          assert.isTrue(Exit.isFailure(yield* Fiber.join(sending)))
          const isConnected = ({ node_id, state }: PeerStatus) =>
            node_id === "evil" && ["live", "syncing"].includes(state)
          assert.isFalse((yield* a.status).some(isConnected))
          yield* assertGoesOn(a, good, 3)
        })
      ),
    // Tens of thousands of frames, each of which is decoded and committed.
    60_000
  )
})
