/** What an application does while its nodes are apart: a list of tasks of which two nodes edit the same one. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { Memory } from "feral-sync"
import { TestNetwork } from "feral-sync/testing"

/** The application: it knows nothing of nodes. */
const tasks = {
  add: (content: string) => Effect.flatMap(Memory, ({ notes }) => notes.put({ content, tags: ["task"] })),
  finish: (id: string) => Effect.flatMap(Memory, ({ notes }) => notes.delete(id)),
  rename: (id: string, content: string) => Effect.flatMap(Memory, ({ notes }) => notes.edit(id, content)),
  open: Effect.gen(function* () {
    const rows = yield* (yield* Memory).notes.list()
    return rows.map(({ content }) => content).sort()
  })
}

it.effect("a task that one node finishes while the other renames it a minute later comes back under its new name", () =>
  Effect.gen(function* () {
    const net = yield* TestNetwork.make()
    const [phone, laptop] = yield* net.nodes("phone", "laptop")
    const { id } = yield* phone.run(tasks.add("buy tea"))
    yield* net.settled

    yield* net.partition("phone", "laptop")
    yield* phone.run(tasks.finish(id))
    yield* TestClock.adjust("1 minute")
    yield* laptop.run(tasks.rename(id, "buy green tea"))
    yield* laptop.run(tasks.add("water the plants"))
    assert.deepStrictEqual(yield* phone.run(tasks.open), [])

    yield* net.heal()
    yield* net.settled
    const there = yield* laptop.run(tasks.open)
    assert.deepStrictEqual(yield* phone.run(tasks.open), there)
    assert.deepStrictEqual(there, ["buy green tea", "water the plants"])
  })
)

it.effect("a task that was written before a crash is there after it", () =>
  Effect.gen(function* () {
    const net = yield* TestNetwork.make()
    const [phone] = yield* net.nodes("phone", "laptop")
    yield* phone.run(tasks.add("buy tea"))
    yield* net.crash("phone")
    yield* net.restart("phone")
    assert.deepStrictEqual(yield* phone.run(tasks.open), ["buy tea"])
  })
)
