/** What is said about the end of certificates, and when. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Fiber, Logger, Ref } from "effect"
import { TestClock } from "effect/testing"
import { integer, runs } from "../../../support/Generators.ts"
import * as Expiry from "../../../../src/services/transport/tls/Expiry.ts"

const day = 24 * 60 * 60 * 1000
const lifetime = (until: number): Expiry.Lifetime => ({ file: "peer.pem", certificate: "CN=peer", until })

describe("Expiry", () => {
  it("says nothing before the last two weeks, warns in them, and says plainly when it is over", () => {
    const at = (now: number) => Expiry.findings([lifetime(100 * day)], now)
    assert.deepStrictEqual(at(86 * day - 1), [])
    assert.deepInclude(at(86 * day)[0], { status: "warning", file: "peer.pem" })
    assert.match(at(86 * day)[0]?.message ?? "", /^peer\.pem: .*CN=peer.* expires on 1970-04-11, 14 days from now$/)
    assert.include(at(99 * day)[0]?.message, "1 day from now")
    assert.include(at(100 * day - 1)[0]?.message, "less than a day from now")
    assert.deepInclude(at(100 * day)[0], { status: "failed" })
    assert.include(at(100 * day)[0]?.message, "expired on 1970-04-11: peers refuse this node")
    assert.include(at(86 * day)[0]?.next_step, "feral-sync tls issue")
  })

  it("of several, each is said for itself, and the first end counts", () => {
    const lifetimes = [lifetime(300 * day), lifetime(10 * day), lifetime(-day)]
    assert.strictEqual(Expiry.firstEnd(lifetimes), -day)
    assert.strictEqual(Expiry.firstEnd([]), undefined)
    const statuses = Expiry.findings(lifetimes, 0).map(({ status }) => status)
    assert.deepStrictEqual(statuses, ["warning", "failed"])
  })

  it.prop(
    "whatever there is to say is said within a day, and within a minute of its beginning",
    [Arbitrary.array(integer(-30 * day, 60 * day), { maxLength: 4 })],
    ([ends]) => {
      const lifetimes = ends.map(lifetime)
      const pause = Expiry.pause(lifetimes, 0)
      assert.isAtLeast(pause, 60_000)
      assert.isAtMost(pause, day)
      const said = (now: number) => JSON.stringify(Expiry.findings(lifetimes, now).map(({ status }) => status))
      if (pause > 60_000) assert.strictEqual(said(0), said(pause - 1))
    },
    runs(5_000)
  )

  it.effect("is logged once a day, at once when it begins, and stops when the certificate is a new one", () =>
    Effect.gen(function* () {
      const logged: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => logged.push(`${logLevel} ${String(message)}`))
      const current = yield* Ref.make<ReadonlyArray<Expiry.Lifetime>>([lifetime(15.5 * day)])
      const reminder = yield* Expiry.remind(Ref.get(current)).pipe(
        Effect.provide(Logger.layer([logger])),
        Effect.forkChild({ startImmediately: true })
      )
      const after = (time: number) =>
        Effect.andThen(
          TestClock.adjust(time),
          Effect.sync(() => logged.splice(0))
        )

      assert.deepStrictEqual(yield* after(1.5 * day - 1), [])
      assert.match((yield* after(1)).join(), /^Warn .*14 days from now$/)
      assert.deepStrictEqual(yield* after(day - 1), [])
      assert.match((yield* after(1)).join(), /^Warn .*13 days from now$/)
      assert.strictEqual((yield* after(12 * day)).length, 12)
      const end = yield* after(day)
      assert.strictEqual(end.length, 1)
      assert.match(end.join(), /^Error .*expired on/)
      yield* Ref.set(current, [lifetime(400 * day)])
      assert.deepStrictEqual(yield* after(300 * day), [])
      yield* Fiber.interrupt(reminder)
    })
  )
})
