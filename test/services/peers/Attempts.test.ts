/** What stands before the machine that reads proofs: it looks at no frame of an address that has to wait. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { PassphraseMismatch } from "../../../src/core/sync/SyncFailure.ts"
import { limits } from "../../../src/core/peers/RateLimit.ts"
import type * as Session from "../../../src/core/sync/Session.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import { HlcClock } from "../../../src/services/node/HlcClock.ts"
import * as Attempts from "../../../src/services/peers/Attempts.ts"
import type { Machine } from "../../../src/core/sync/SessionMachine.ts"

/** A machine that keeps what it is shown: the text "right" proves it, any other is a wrong proof. */
const reader = (seen: Array<Session.Event>): Machine<undefined> => ({
  begin: () => [undefined, []],
  step: (state, event) => {
    seen.push(event)
    if (event._tag !== "Received") return [state, []]
    if (event.text === "right") return [state, [{ _tag: "Established", peer: NodeId.make("member") }]]
    const failure = new PassphraseMismatch({ by: "this node" })
    return [state, [{ _tag: "Close", code: 4401, reason: "invalid_passphrase", failure }]]
  },
  deadline: () => Infinity,
  view: () => assert.fail("not asked")
})

const remote = { host: "192.0.2.7", port: 1 }

type Guess = { readonly text: string; readonly ticketId?: string; readonly now: number }

/** Each guess on a connection of its own; whether it was looked at. */
const looked = (attempts: Effect.Success<typeof Attempts.make>, { text, ticketId, now }: Guess): boolean => {
  const seen: Array<Session.Event> = []
  const machine = attempts.guard(reader(seen), { remote, ...(ticketId === undefined ? {} : { ticketId }) })
  machine.step(undefined, { _tag: "Received", now, text })
  return seen.some(({ _tag }) => _tag === "Received")
}

const make = Effect.provide(Attempts.make, HlcClock.layer)

describe("Attempts", () => {
  it.effect("a frame of an address that has to wait is not parsed: the machine never sees its text", () =>
    Effect.gen(function* () {
      const attempts = yield* make
      const now = 1_000_000
      for (let n = 0; n <= limits.free; n++) assert.isTrue(looked(attempts, { text: "wrong", now }))
      for (const text of ["wrong", "right", "{", "x".repeat(1_000_000)]) {
        const seen: Array<Session.Event> = []
        attempts.guard(reader(seen), { remote }).step(undefined, { _tag: "Received", now: now + 10, text })
        assert.deepStrictEqual(seen, [{ _tag: "Limited", now: now + 10, wait: limits.first - 10 }])
      }
    })
  )

  it.effect("a member with a ticket does not wait for others of its address, nor do they profit from its proof", () =>
    Effect.gen(function* () {
      const attempts = yield* make
      const now = 1_000_000
      for (let n = 0; n <= limits.free; n++) looked(attempts, { text: "wrong", now })
      assert.isTrue(looked(attempts, { text: "right", ticketId: "member", now }))
      assert.isFalse(looked(attempts, { text: "right", now }))
    })
  )

  it.effect("wrong proofs with a ticket make its holder wait, as those of an address do", () =>
    Effect.gen(function* () {
      const attempts = yield* make
      const now = 1_000_000
      for (let n = 0; n <= limits.free; n++) assert.isTrue(looked(attempts, { text: "wrong", ticketId: "lost", now }))
      assert.isFalse(looked(attempts, { text: "right", ticketId: "lost", now }))
      assert.isTrue(looked(attempts, { text: "right", ticketId: "member", now }))
      assert.isTrue(looked(attempts, { text: "right", now }))
    })
  )
})
