/** Whole nodes in a row: a write waits for nodes that its node never meets. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { NotYetOnNodes } from "../../../src/services/node/NodeFailure.ts"
import * as TestNetwork from "../../../src/testing/TestNetwork.ts"
import { node } from "../../support/Network.ts"

/** Nodes of which only neighbours are connected, with the same rows. */
const row = Effect.fnUntraced(function* (first: string, ...more: ReadonlyArray<string>) {
  const net = yield* TestNetwork.make()
  const [a] = yield* net.nodes(first)
  const names = [first, ...more]
  const nodes = [a, ...(yield* net.nodes(...more))]
  for (const [index, one] of names.entries())
    for (const other of names.slice(index + 2)) yield* net.partition(one, other)
  yield* net.settled
  return { net, nodes, a }
})

/** Lets time pass until a fiber is done; how long that took (ms). */
const passing = Effect.fnUntraced(function* (fiber: Fiber.Fiber<unknown, unknown>) {
  for (let passed = 0; ; passed += 50) {
    for (let turn = 0; turn < 50; turn++) yield* Effect.yieldNow
    if (fiber.pollUnsafe() !== undefined) return passed
    yield* TestClock.adjust(50)
  }
})

/** Bytes that all of them have sent, after some time in which nothing happens. */
const sentIn = Effect.fnUntraced(function* (nodes: ReadonlyArray<TestNetwork.TestNode>, seconds: number) {
  const sent = Effect.map(
    Effect.forEach(nodes, ({ peers }) => peers.counters),
    (all) => all.flatMap(({ traffic }) => [...traffic.values()]).reduce((sum, { bytesSent }) => sum + bytesSent, 0)
  )
  const before = yield* sent
  for (let passed = 0; passed < seconds; passed += 0.05) {
    yield* TestClock.adjust(50)
    for (let turn = 0; turn < 20; turn++) yield* Effect.yieldNow
  }
  return (yield* sent) - before
})

describe("acknowledgements by relay", () => {
  it.effect("a write is on a node that its node never meets, once the node between them says so", () =>
    Effect.gen(function* () {
      const { net, a } = yield* row("a", "b", "c")
      const { hlc } = yield* a.memory.notes.put({ content: "hello" })
      const fiber = yield* Effect.forkChild(a.memory.waitFor({ hlc, nodes: 2 }), { startImmediately: true })
      assert.isBelow(yield* passing(fiber), 2_000)
      const { reached, missing } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(missing, [])
      assert.sameDeepMembers(
        reached.map(({ node, via }) => ({ node, via })),
        [
          { node: node("b"), via: undefined },
          { node: node("c"), via: [node("b")] }
        ]
      )

      // What is on every node follows from the own word of each.
      const known = yield* a.store.acknowledgements
      assert.deepStrictEqual(
        known.map(({ node }) => node),
        [node("b")]
      )

      // Without the node between them, it stays unknown.
      yield* net.partition("b", "c")
      const later = yield* a.memory.notes.put({ content: "again" })
      const late = yield* Effect.forkChild(Effect.flip(a.memory.waitFor({ hlc: later.hlc, nodes: 2, timeout: 5 })), {
        startImmediately: true
      })
      yield* passing(late)
      const error = yield* Fiber.join(late)
      assert.instanceOf(error, NotYetOnNodes)
      assert.deepStrictEqual(
        error.reached.map(({ node }) => node),
        [node("b")]
      )
      // It is known as soon as the two meet again.
      const healed = yield* Effect.forkChild(a.memory.waitFor({ hlc: later.hlc, nodes: 2, timeout: 600 }), {
        startImmediately: true
      })
      yield* TestClock.adjust("1 second")
      yield* net.heal("b", "c")
      yield* passing(healed)
      assert.strictEqual((yield* Fiber.join(healed)).reached.length, 2)
    })
  )

  it.effect("over as many nodes as a question goes, and no more", () =>
    Effect.gen(function* () {
      const { a } = yield* row("a", "b", "c", "d", "e", "f", "g")
      const { hlc } = yield* a.memory.notes.put({ content: "far" })
      const fiber = yield* Effect.forkChild(a.memory.waitFor({ hlc, nodes: 5, timeout: 60 }), {
        startImmediately: true
      })
      yield* passing(fiber)
      const { reached } = yield* Fiber.join(fiber)
      const far = reached.find((one) => one.node === node("f"))
      assert.deepStrictEqual(far?.via, [node("e"), node("d"), node("c"), node("b")])
      const further = yield* Effect.forkChild(Effect.flip(a.memory.waitFor({ hlc, nodes: 6, timeout: 60 })), {
        startImmediately: true
      })
      yield* passing(further)
      assert.instanceOf(yield* Fiber.join(further), NotYetOnNodes)
    })
  )

  it.effect("nothing is sent while no node waits, and nothing while what is known stays the same", () =>
    Effect.gen(function* () {
      const { net, nodes, a } = yield* row("a", "b", "c")
      yield* net.partition("b", "c")
      const { hlc } = yield* a.memory.notes.put({ content: "hello" })
      yield* sentIn(nodes, 10)
      assert.strictEqual(yield* sentIn(nodes, 30), 0)
      // One node has it directly: the peers are not asked.
      yield* a.memory.waitFor({ hlc, nodes: 1 })
      assert.strictEqual(yield* sentIn(nodes, 10), 0)
      const waiting = yield* Effect.forkChild(Effect.flip(a.memory.waitFor({ hlc, nodes: 2, timeout: 60 })), {
        startImmediately: true
      })
      assert.isAbove(yield* sentIn(nodes, 5), 0)
      assert.strictEqual(yield* sentIn(nodes, 30), 0)
      yield* passing(waiting)
      assert.isAbove(yield* sentIn(nodes, 5), 0)
      assert.strictEqual(yield* sentIn(nodes, 30), 0)
    })
  )
})
