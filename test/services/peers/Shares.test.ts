/** How much is stored of what one network address sends. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import type { Event } from "../../../src/core/sync/SessionEvents.ts"
import type { Batch } from "../../../src/core/replica/Replica.ts"
import * as Digest from "../../../src/core/replica/Digest.ts"
import * as Purge from "../../../src/core/replica/Purge.ts"
import { noHoldings } from "../../../src/core/replica/Replica.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import * as Shares from "../../../src/services/peers/Shares.ts"
import type { Machine } from "../../../src/core/sync/SessionMachine.ts"
import { integer, runs } from "../../support/Generators.ts"
import { node, write } from "../../support/Network.ts"

const snapshot = {
  version: 1,
  vectorClock: VectorClock.empty,
  frontier: VectorClock.empty,
  digest: Digest.empty,
  holdings: noHoldings,
  purges: Purge.none
}

const batch = (rows: number, kind = "notes"): Batch => ({
  operations: Array.from({ length: rows }, (_, n) => write(node("m"), { wall: n + 1, counter: 0 }, `r${n}`, kind)),
  coverage: VectorClock.empty,
  quarantined: []
})

/** A machine that commits what it is told to, and remembers what it is answered. */
const session = (shares: Shares.Shares, host: string) => {
  let next = batch(0)
  let heard: Event | undefined
  const machine: Machine<undefined> = {
    begin: () => [undefined, []],
    step: (_, event) => {
      heard = event
      return [undefined, event._tag === "Tick" ? [{ _tag: "Commit", batch: next }] : []]
    },
    deadline: () => Infinity,
    view: () => {
      throw new Error("not a part of this test")
    }
  }
  const guarded = shares.guard(machine, { host, port: 1 })
  return (now: number, committed: Batch): number => {
    next = committed
    guarded.step(undefined, { _tag: "Tick", now })
    guarded.step(undefined, { _tag: "Committed", now, snapshot, hasChanged: true })
    return heard?._tag === "Committed" ? Math.max(now, heard.notBefore ?? now) : now
  }
}

const bytesOf = (rows: number) => Shares.weightOf(batch(rows)).counted

describe("the share of an address", () => {
  it.prop(
    "is never exceeded by more than one commit, whatever is sent, and over any number of connections",
    [
      Arbitrary.array(Arbitrary.all([integer(1, 40), integer(0, 2)]), { minLength: 1, maxLength: 40 }),
      integer(1, 50),
      integer(10, 200)
    ],
    ([commits, rate, burst]) => {
      const limits = { rate: rate * bytesOf(1), burst: burst * bytesOf(1) }
      const shares = Shares.make(limits)
      const connections = [0, 1, 2].map(() => session(shares, "10.0.0.1"))
      let now = 1_000_000
      let sent = 0
      let largest = 0
      for (const [rows, which] of commits) {
        now = connections[which]?.(now, batch(rows)) ?? now
        sent += bytesOf(rows)
        largest = Math.max(largest, bytesOf(rows))
        assert.isAtMost(sent, limits.burst + (limits.rate * (now - 1_000_000)) / 1_000 + largest + 1)
      }
    },
    runs(500)
  )

  it("is of one address alone", () => {
    const shares = Shares.make({ rate: bytesOf(1), burst: bytesOf(10) })
    const rogue = session(shares, "10.0.0.1")
    assert.isAbove(rogue(0, batch(30)), 15_000)
    assert.strictEqual(session(shares, "10.0.0.2")(0, batch(5)), 0)
    assert.isAbove(shares.waitOf({ host: "10.0.0.1", port: 9 }, 0), 15_000)
    assert.strictEqual(shares.waitOf({ host: "10.0.0.2", port: 9 }, 0), 0)
  })

  it("lets a large store come in at full speed, and slows what goes on for ever", () => {
    // The defaults, and a commit of 1 MiB each 50 ms.
    const shares = Shares.make({ rate: 1024 * 1024, burst: 1024 * 1024 * 1024 })
    const member = session(shares, "10.0.0.1")
    const large = batch(Math.floor((1024 * 1024) / bytesOf(1)))
    let now = 0
    for (let n = 0; n < 1_000; n++) assert.strictEqual(member((now += 50), large), now)
    for (let n = 0; n < 200; n++) now = member(now, large)
    assert.isAbove(member(now, large) - now, 900)
  })

  it("is used up sooner by rows of unknown kinds", () => {
    const shares = Shares.make({ rate: bytesOf(1), burst: bytesOf(100) })
    assert.strictEqual(session(shares, "10.0.0.1")(0, batch(20)), 0)
    assert.isAbove(session(shares, "10.0.0.2")(0, batch(20, "junk")), 200_000)
  })

  it("of rows of unknown kinds comes at the steady rate from the start, and keeps no row of a known kind waiting for long", () => {
    const shares = Shares.make({ rate: bytesOf(10), burst: bytesOf(100_000) })
    const member = session(shares, "10.0.0.1")
    let now = 0
    for (let n = 0; n < 100; n++) now = member(now, batch(10, "junk"))
    // 1,000 rows, 10 in a second, but for those of the first two seconds.
    assert.isAtLeast(now, 97_000)
    assert.isAtMost(now, 101_000)
    assert.isAtMost(member(now, batch(10)) - now, 1_100)
  })

  it("makes no wait longer when the clock is set back", () => {
    const shares = Shares.make({ rate: bytesOf(1), burst: bytesOf(10) })
    session(shares, "10.0.0.1")(1_000_000_000, batch(10))
    assert.isAtMost(session(shares, "10.0.0.1")(1_000, batch(1)), 3_000)
  })

  it("is not limited by a rate of 0", () => {
    const shares = Shares.make({ rate: 0, burst: 1 })
    assert.strictEqual(session(shares, "10.0.0.1")(0, batch(1_000, "junk")), 0)
  })
})
