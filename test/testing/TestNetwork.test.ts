/** Whole nodes in one process, as an application tests itself with them: without a directory, in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Kind from "../../src/services/memory/Declaration.ts"
import { Memory } from "../../src/services/memory/Memory.ts"
import { mergeLaws } from "../../src/testing/MergeLaws.ts"
import * as TestNetwork from "../../src/testing/TestNetwork.ts"

const Bookmark = Kind.make("bookmarks", {
  rule: "fields",
  row: Schema.Struct({ url: Schema.String, tags: Schema.Array(Schema.String) })
})
const Other = Kind.make("others", { rule: "set" })
mergeLaws(Bookmark)

const contents = (node: TestNetwork.TestNode) =>
  Effect.map(node.memory.notes.list(), (notes) => notes.map(({ content }) => content).sort())

describe("a test network", () => {
  it.effect("brings a note to the other nodes", () =>
    Effect.gen(function* () {
      const net = yield* TestNetwork.make()
      const [a, b, c] = yield* net.nodes("a", "b", "c")
      yield* a.memory.notes.put({ content: "hello" })
      yield* net.settled
      assert.deepStrictEqual(yield* contents(b), ["hello"])
      assert.deepStrictEqual(yield* contents(c), ["hello"])
      const [row] = yield* c.run(Effect.flatMap(Memory, ({ notes }) => notes.list()))
      assert.strictEqual(row?.origin_node, "a")
    })
  )

  it.effect("keeps nodes apart until they are healed, and then both edits of a note have one winner", () =>
    Effect.gen(function* () {
      const net = yield* TestNetwork.make()
      const [a, b] = yield* net.nodes("a", "b")
      const { id } = yield* a.memory.notes.put({ content: "first" })
      yield* net.settled
      yield* net.partition("a", "b")
      yield* a.memory.notes.edit(id, "by a")
      yield* b.memory.notes.edit(id, "by b")
      // Each is settled with itself.
      yield* net.settled
      assert.deepStrictEqual([yield* contents(a), yield* contents(b)], [["by a"], ["by b"]])
      yield* net.heal("a", "b")
      yield* net.settled
      assert.deepStrictEqual([yield* contents(a), yield* contents(b)], [["by b"], ["by b"]])
    })
  )

  it.effect("reaches a node through another one", () =>
    Effect.gen(function* () {
      const net = yield* TestNetwork.make()
      const [a, , c] = yield* net.nodes("a", "b", "c")
      yield* net.partition("a", "c")
      yield* a.memory.notes.put({ content: "around" })
      yield* net.settled
      assert.deepStrictEqual(yield* contents(c), ["around"])
    })
  )

  it.effect("crashes a node, and starts it again with what it had committed", () =>
    Effect.gen(function* () {
      const net = yield* TestNetwork.make()
      const [a, b] = yield* net.nodes("a", "b")
      yield* a.memory.notes.put({ content: "before" })
      yield* net.settled
      yield* net.crash("b")
      assert.throws(() => b.memory, /the node b is not running; start it again with net.restart/)
      yield* a.memory.notes.put({ content: "meanwhile" })
      yield* net.settled
      yield* net.restart("b")
      assert.deepStrictEqual(yield* contents(b), ["before"])
      yield* net.settled
      assert.deepStrictEqual(yield* contents(b), ["before", "meanwhile"])
    })
  )

  it.effect("tells which nodes differ where they do not come together", () =>
    Effect.gen(function* () {
      // A frame of one node is larger than the other takes.
      const net = yield* TestNetwork.make({ settings: { maxRecvBytes: 2_000 } })
      const [a] = yield* net.nodes("a", "b")
      yield* a.memory.notes.put({ content: "x".repeat(10_000) })
      const error = yield* Effect.flip(net.settled)
      assert.match(error.message, /^a and b hold different rows \(a: b live; b: a live\); heal the network, or check/)
    })
  )

  it.effect("has kinds of an application, also after a restart", () =>
    Effect.gen(function* () {
      const net = yield* TestNetwork.make({ kinds: [Bookmark] })
      const [a, b] = yield* net.nodes("a", "b")
      const { id } = yield* a.collection(Bookmark).put({ url: "https://x", tags: ["x"] })
      yield* net.settled
      assert.deepStrictEqual((yield* b.collection(Bookmark).get(id)).tags, ["x"])
      yield* net.partition("a", "b")
      yield* a.collection(Bookmark).patch(id, { url: "https://y" })
      yield* b.collection(Bookmark).patch(id, { tags: ["y"] })
      yield* net.crash("b")
      yield* net.restart("b")
      yield* net.heal()
      yield* net.settled
      const program = Effect.gen(function* () {
        return yield* (yield* Bookmark).get(id)
      })
      assert.deepInclude(yield* b.run(program), { url: "https://y", tags: ["y"] })
      // @ts-expect-error: the network was not made with this kind
      const undeclared = a.collection(Other).get(id)
      assert.include(String(yield* Effect.exit(undeclared)), "KindUndeclared")
    })
  )
})
