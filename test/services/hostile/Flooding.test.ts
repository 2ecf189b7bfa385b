/** A member that wants to fill the disk: what it sends is bounded in size and in rate, and the others go on. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { CanonicalJson } from "../../../src/core/replica/Json.ts"
import type { Operation } from "../../../src/core/replica/Operation.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { liar } from "../../support/Attackers.ts"
import { at, keyOf, pass, start, world } from "../../support/Members.ts"
import { node, write } from "../../support/Network.ts"

const right = keyOf("secret")
const kib = 1_024

/** Rows of 8 KiB each. */
const flood = (origin: string, kind: string, from: number, rows: number): ReadonlyArray<Operation> =>
  Array.from({ length: rows }, (_, n) => ({
    ...write(node(origin), { wall: from + n, counter: 0 }, `${kind}-${from + n}`, kind),
    data: CanonicalJson.make(JSON.stringify({ junk: "x".repeat(8 * kib) }))
  }))

const network = (limits: Parameters<typeof start>[2]) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(Date.UTC(2026, 0))
    const a = yield* start("a", [], limits)
    const good = yield* start("good", [at("a")])
    yield* Effect.all([a.write("at a"), good.write("at good")])
    yield* pass("1 seconds")
    return { a, good, evil: yield* liar("evil", at("a"), right) }
  })

describe("a member that floods", () => {
  it.effect(
    "with rows of unknown kinds: they take their quota and no more, nothing beyond it is claimed or passed on",
    () =>
      world(
        Effect.gen(function* () {
          const { a, good, evil } = yield* network({ quota: { origin: 256 * kib, total: 512 * kib } })
          for (let frame = 0; frame < 10; frame++) {
            const origin = `made-up-${frame % 3}`
            const operations = flood(origin, "junk", 1 + 20 * frame, 20)
            const through = { wall: 20 + 20 * frame, counter: 0 }
            yield* evil.data({ operations, through: VectorClock.fromEntries([[node(origin), through]]) })
            yield* pass("1 seconds")
          }
          for (const store of [a.store, good.store]) {
            const { usage } = yield* store.opaque
            assert.isAtMost(usage.total, 512 * kib)
            for (const bytes of new Map(usage.origins).values()) assert.isAtMost(bytes, 256 * kib)
          }
          assert.isAbove((yield* a.store.opaque).usage.total, 400 * kib)
          const row = (yield* a.status).find(({ node_id }) => node_id === "evil")
          assert.strictEqual(row?.last_error?._tag, "OverQuota")
          assert.include(row?.last_error?.message ?? "", "feral-sync purge")
          yield* Effect.all([a.write("later at a"), good.write("later at good")])
          yield* pass("2 seconds")
          assert.sameMembers([...(yield* a.rows)], ["at a", "at good", "later at a", "later at good"])
          assert.deepStrictEqual(yield* good.store.digest, yield* a.store.digest)
        })
      )
  )

  it.effect("with whatever rows: after its share it is slowed and not refused, and the others do not wait for it", () =>
    world(
      Effect.gen(function* () {
        const { a, good, evil } = yield* network({ maxPeerRateBytes: 16 * kib, maxPeerBurstBytes: 1_024 * kib })
        const stored = Effect.map(a.rows, (rows) => rows.filter((row) => row.startsWith("notes-")).length)
        // 2.5 MiB, in frames of 160 KiB.
        for (let frame = 0; frame < 16; frame++) {
          yield* evil.data({ operations: flood("evil", "notes", 1 + 20 * frame, 20) })
        }
        yield* pass("1 seconds")
        const before = yield* stored
        assert.isAtLeast(before, 100)
        assert.isAtMost(before, 280)
        const row = (yield* a.status).find(({ node_id }) => node_id === "evil")
        assert.strictEqual(row?.last_error?._tag, "PeerSlowed")
        yield* good.write("meanwhile")
        yield* pass("1 seconds")
        assert.include([...(yield* a.rows)], "meanwhile")
        assert.strictEqual(yield* stored, before)
        // It was not cut off, and gets its turn.
        yield* Effect.repeat(pass("10 seconds"), { times: 16 })
        assert.strictEqual(yield* stored, 320)
      })
    )
  )
})
