/**
 * A stranger answers at one of the addresses of a node, and says all that can be said before a proof: refusals with any wait,
 * closes with any code, frames out of turn, TLS alerts. Frames and closes over a network in memory and in virtual time, alerts on
 * loopback.
 */
import { Effect, References } from "effect"
import { TestClock } from "effect/testing"
import { at, pass, start, startOnSocket, world } from "../../test/support/Members.ts"
import { alerting, alerts, appeared, type Saying, sayings, stranger } from "../../test/support/Strangers.ts"
import type { Attack, Figures } from "./Attack.ts"

/** The time until the node is found at its other address, and the longest time that the stranger's address is let alone (s). */
const apart = (saying: Saying, isLong: boolean) =>
  world(
    Effect.gen(function* () {
      const visits = yield* stranger(saying)
      yield* start("friend", [], { id: "b" })
      const a = yield* start("a", [], { sightings: [appeared("b", [at("stranger"), at("friend")])] })
      let live = Number.POSITIVE_INFINITY
      for (let tenths = 0; tenths < 100 && live === Number.POSITIVE_INFINITY; tenths++) {
        yield* pass("100 millis")
        if ((yield* a.status).some(({ state }) => state === "live")) live = (tenths + 1) / 10
      }
      // With that address alone, a node tries there again.
      visits.splice(0)
      const c = yield* start("c", [], { sightings: [appeared("d", [at("stranger")])] })
      yield* pass("1 seconds")
      const blames = (yield* c.status).some(({ last_error }) => /failed passphrase/i.test(last_error?.message ?? ""))
      if (!isLong) return { live, alone: 0, blames }
      for (let n = 0; n < 130; n++) yield* pass("1 seconds")
      const gaps = visits.map((time, index) => (visits[index + 1] ?? Number.POSITIVE_INFINITY) - time)
      return { live, alone: (gaps[0] ?? Number.POSITIVE_INFINITY) / 1000, blames }
    })
  ).pipe(Effect.scoped, Effect.provide(TestClock.layer()))

/** How long an alert at one address keeps a node from the other one (ms). */
const alerted = (alert: number) =>
  Effect.gen(function* () {
    const first = yield* alerting(alert)
    const b = yield* startOnSocket("b", [])
    const addresses = [first.port, b.port].map((port) => ({ host: "127.0.0.1", port }))
    const since = performance.now()
    const a = yield* startOnSocket("a", [], { sightings: [appeared("b", addresses)] })
    yield* a.status.pipe(
      Effect.delay("20 millis"),
      Effect.repeat({ until: (peers) => peers.some(({ state }) => state === "live") }),
      Effect.timeout("30 seconds")
    )
    return performance.now() - since
  }).pipe(Effect.scoped)

export const keptApart: Attack = {
  name: "kept-apart",
  about: "A stranger at one address of a node says what keeps other nodes from it.",
  run: ({ short }) =>
    Effect.gen(function* () {
      const told = yield* Effect.forEach(sayings, (saying) => apart(saying, !short || saying === sayings[4]))
      const times = yield* Effect.forEach(short ? alerts.slice(0, 2) : alerts, alerted)
      return [
        {
          what: `a node is found at its other address, after ${sayings.length} sayings of a stranger`,
          unit: "s",
          before: 3_600,
          now: Math.max(...told.map(({ live }) => live)),
          must: { atMost: 5 }
        },
        {
          what: "the address of the stranger is left alone for",
          unit: "s",
          before: 999_999,
          now: Math.max(...told.map(({ alone }) => alone)),
          must: { atMost: 61 }
        },
        {
          what: "sayings of a stranger after which a passphrase is called wrong",
          unit: "",
          now: told.filter(({ blames }) => blames).length,
          must: { atMost: 0 }
        },
        {
          what: "a node is found at its other address, after a TLS alert at the first",
          unit: "ms",
          now: Math.max(...times),
          must: { atMost: 20_000 }
        }
      ] satisfies Figures
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"), Effect.runPromise)
}
