/** What is said of a comparison with a peer, by how its session goes over time. */
import { assert, describe, it } from "@effect/vitest"
import { Clock as EffectClock, Effect, Fiber, HashMap } from "effect"
import { TestClock } from "effect/testing"
import type { View } from "../../../src/core/sync/SessionEvents.ts"
import { HlcClock } from "../../../src/services/node/HlcClock.ts"
import * as Comparison from "../../../src/services/peers/Comparison.ts"
import { Store } from "../../../src/services/store/Store.ts"
import { node } from "../../support/Network.ts"
import { inMemory } from "../../support/Stores.ts"

const b = node("b")

/** How a session is at a time, in ms since it was asked to compare; before that it is asked for -1. */
type Course = (ms: number) => { readonly diverged: boolean; readonly activeAt?: number; readonly isInSync?: boolean }

/** What is answered of a peer with that course, and after how many ms. */
const compared = Effect.fnUntraced(function* (course: Course, isSupported = true) {
  const store = yield* (yield* inMemory).open
  // Not at 0, where nothing yet would be the same as at the beginning.
  yield* TestClock.adjust(1_000_000)
  const start = yield* EffectClock.currentTimeMillis
  let asked: number | undefined
  let now = start
  const view = (): View => {
    const { diverged, activeAt, isInSync = true } = course(asked === undefined ? -1 : now - asked)
    return {
      peer: b,
      aliveAt: 0,
      provedAt: 0,
      state: "live",
      lag: 0,
      offset: 0,
      lastSyncAt: undefined,
      deferred: HashMap.empty(),
      leftOut: undefined,
      deferredOwn: undefined,
      diverged,
      repair: isSupported
        ? { isInSync, activeAt: activeAt === undefined ? undefined : (asked ?? now) + activeAt }
        : undefined
    }
  }
  const compare = Effect.sync(() => void (asked = now))
  const fiber = yield* Effect.forkChild(
    Comparison.all([{ running: { view, compare } }]).pipe(
      Effect.provideService(Store, store),
      Effect.provide(HlcClock.layer)
    ),
    { startImmediately: true }
  )
  for (; fiber.pollUnsafe() === undefined && now < start + 1_000_000; now += 50) yield* TestClock.adjust(50)
  const [answer] = yield* Fiber.join(fiber)
  if (answer === undefined) throw new Error("no answer")
  assert.strictEqual(answer.node_id, b)
  return { result: answer.result, after: now - start }
}, Effect.scoped)

describe("Comparison", () => {
  it.effect("a peer that is at rest and has nothing to say holds the same", () =>
    Effect.gen(function* () {
      const { result, after } = yield* compared((ms) => ({
        diverged: false,
        ...(ms < 0 ? {} : { activeAt: Math.min(ms, 100) })
      }))
      assert.strictEqual(result, "equal")
      assert.isBelow(after, 3_000)
    })
  )

  it.effect("a peer that reads its rows for as long as we read ours is waited for", () =>
    Effect.gen(function* () {
      // We read for 20 s, then it does for 40 s, without a word; then what differs is sent.
      const course: Course = (ms) => ({
        diverged: ms < 62_000,
        ...(ms < 0 ? {} : { activeAt: ms < 20_000 ? ms : ms < 60_000 ? 20_000 : 60_000 })
      })
      const { result, after } = yield* compared(course)
      assert.strictEqual(result, "repaired")
      assert.isBelow(after, 64_000)
    })
  )

  it.effect("equal digests are no reason not to hear what it finds among its rows", () =>
    Effect.gen(function* () {
      const course: Course = (ms) => ({
        diverged: false,
        ...(ms < 0 ? {} : { activeAt: ms < 20_000 ? ms : ms < 60_000 ? 20_000 : 60_000 })
      })
      const { result, after } = yield* compared(course)
      assert.strictEqual(result, "equal")
      assert.isAbove(after, 60_000)
    })
  )

  it.effect("a repair that was under way, and ends before ours begins, is a repair", () =>
    Effect.gen(function* () {
      const { result } = yield* compared((ms) => ({ diverged: ms < 3_000, activeAt: -200 }))
      assert.strictEqual(result, "repaired")
    })
  )

  it.effect("a difference that stays is told after a bounded time, whatever the peer goes on saying", () =>
    Effect.gen(function* () {
      const silent = yield* compared((ms) => ({ diverged: true, ...(ms < 0 ? {} : { activeAt: Math.min(ms, 100) }) }))
      assert.strictEqual(silent.result, "differs")
      assert.isBelow(silent.after, 15_000)
      const mute = yield* compared(() => ({ diverged: true }))
      assert.strictEqual(mute.result, "differs")
      assert.isBelow(mute.after, 15_000)
      const busy = yield* compared((ms) => ({ diverged: true, ...(ms < 0 ? {} : { activeAt: ms }) }))
      assert.strictEqual(busy.result, "differs")
      assert.isBelow(busy.after, 350_000)
    })
  )

  it.effect("a peer that is never level, or knows no comparison, is not compared", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* compared(() => ({ diverged: false, isInSync: false }))).result, "behind")
      assert.strictEqual((yield* compared(() => ({ diverged: true }), false)).result, "not comparable")
    })
  )
})
