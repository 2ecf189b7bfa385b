/** What a third party writes is passed on to those who do not get it from elsewhere, and to nobody else. */
import { assert, describe, it } from "@effect/vitest"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { NaiveReplica } from "../../support/NaiveReplica.ts"
import { Link, node, write } from "../../support/Network.ts"
import { at } from "../../support/Stores.ts"

const [a, b, x] = [node("a"), node("b"), node("x")]
const start = 1_000_000

/** A stream of x: an operation every 50 ms reaches `a` at once and, while `isDirect` says so, `b` 150 ms later. */
const streamed = (steps: number, isDirect: (step: number) => boolean) => {
  let now = start
  const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
  const link = new Link(left, right, () => now)
  const settle = () => {
    for (let turn = 0; turn < 20; turn++) while (link.deliver(0) || link.deliver(1)) continue
  }
  const take = (replica: NaiveReplica, step: number) => {
    const operation = write(x, at(start + step), `row-${step}`)
    replica.apply({
      operations: [operation],
      coverage: VectorClock.fromEntries([[x, operation.hlc]]),
      quarantined: []
    })
    link.notify(replica === left ? 0 : 1)
  }
  settle()
  for (let step = 1; step <= steps; step++) {
    take(left, step)
    if (step > 3 && isDirect(step - 3)) take(right, step - 3)
    for (let passed = 0; passed < 50; passed += 10) {
      now += 10
      link.tick(0)
      link.tick(1)
      settle()
    }
  }
  const sent = () => link.ends[0].sentOperations
  const wait = (ms: number) => {
    for (const end = now + ms; now < end;) {
      now += 10
      link.tick(0)
      link.tick(1)
      settle()
    }
  }
  return { sent, wait, right }
}

describe("what a third party writes", () => {
  it("is not passed on to a peer that goes on to get it from elsewhere, however late", () => {
    const { sent } = streamed(100, () => true)
    assert.strictEqual(sent(), 0)
  })

  it("is passed on, all of it, once the peer gets no more from elsewhere", () => {
    const { sent, wait, right } = streamed(40, (step) => step <= 20)
    wait(1_000)
    assert.strictEqual(sent(), 20)
    assert.deepStrictEqual(VectorClock.get(right.clock, x), at(start + 40))
  })

  it("waits while the peer has not acknowledged what it was sent, and not for ever", () => {
    let now = start
    const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
    const link = new Link(left, right, () => now)
    for (let turn = 0; turn < 20; turn++) while (link.deliver(0) || link.deliver(1)) continue
    // The peer is busy: it takes nothing of what comes.
    const own = write(a, at(start + 1), "own")
    left.apply({ operations: [own], coverage: VectorClock.fromEntries([[a, own.hlc]]), quarantined: [] })
    link.notify(0)
    const theirs = write(x, at(start + 2), "theirs")
    left.apply({ operations: [theirs], coverage: VectorClock.fromEntries([[x, theirs.hlc]]), quarantined: [] })
    link.notify(0)
    const sentAfter = (ms: number) => {
      for (const end = now + ms; now < end;) {
        now += 10
        link.tick(0)
      }
      return link.ends[0].sentOperations
    }
    assert.strictEqual(sentAfter(4_000), 1)
    assert.strictEqual(sentAfter(2_000), 2)
  })

  it("keeps back no claim for ever: when the peer has got it from elsewhere, all others are told", () => {
    let now = start
    const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
    // Both hold it, and neither covers it.
    const y = node("y")
    for (const replica of [left, right]) {
      replica.apply({ operations: [write(y, at(start), "old")], coverage: VectorClock.empty, quarantined: [] })
    }
    const link = new Link(left, right, () => now)
    const settle = () => {
      for (let turn = 0; turn < 20; turn++) while (link.deliver(0) || link.deliver(1)) continue
    }
    settle()
    const theirs = write(x, at(start + 2), "theirs")
    const through = VectorClock.fromEntries([[x, theirs.hlc]])
    left.apply({ operations: [theirs], coverage: through, quarantined: [] })
    link.notify(0)
    // Coverage without an operation.
    left.apply({ operations: [], coverage: VectorClock.fromEntries([[y, at(start + 1)]]), quarantined: [] })
    link.notify(0)
    right.apply({ operations: [theirs], coverage: through, quarantined: [] })
    link.notify(1)
    for (let passed = 0; passed < 2_000; passed += 10) {
      now += 10
      link.tick(0)
      link.tick(1)
      settle()
    }
    assert.strictEqual(link.ends[0].sentOperations, 0)
    assert.deepStrictEqual(VectorClock.get(right.clock, y), at(start + 1))
  })
})
