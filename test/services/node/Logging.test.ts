import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as Logging from "../../../src/services/node/Logging.ts"
import { LogSink } from "../../../src/services/node/LogSink.ts"

/** The events that are logged. */
const written = <A, E>(program: Effect.Effect<A, E>) =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const sink: LogSink = {
      push: (event) => void lines.push(event),
      flush: () => undefined,
      lost: () => ({ lines: 0, cause: "" })
    }
    return Effect.as(Effect.provideService(program, LogSink, sink), lines)
  })

const event = Effect.logInfo("peer connected").pipe(
  Effect.annotateLogs({ peer: "node a", port: 9090, passphrase: Redacted.make("geheim") })
)

describe("Logging", () => {
  it.effect("for people: one line, the facts behind the message, secrets not at all", () =>
    Effect.gen(function* () {
      const [line, ...more] = yield* written(Effect.provide(event, Logging.layer({ log: "pretty", logLevel: "info" })))
      assert.deepStrictEqual(more, [])
      assert.match(
        line ?? "",
        /^\d\d:\d\d:\d\d INFO {2}peer connected {2}peer="node a" port=9090 passphrase=<redacted>$/
      )
    })
  )

  it.effect("for machines: one JSON value a line, secrets not at all", () =>
    Effect.gen(function* () {
      const [line, ...more] = yield* written(Effect.provide(event, Logging.layer({ log: "json", logLevel: "info" })))
      assert.deepStrictEqual(more, [])
      const { message, level, annotations } = JSON.parse(line ?? "") as Record<string, unknown>
      assert.deepStrictEqual({ message, level }, { message: "peer connected", level: "INFO" })
      assert.deepInclude(annotations, { peer: "node a", port: 9090 })
      assert.notInclude(line, "geheim")
    })
  )

  it.effect("says nothing below the level", () =>
    Effect.gen(function* () {
      const all = Effect.all([Effect.logDebug("d"), Effect.logInfo("i"), Effect.logWarning("w"), Effect.logError("e")])
      for (const [logLevel, count] of [
        ["debug", 4],
        ["info", 3],
        ["warn", 2],
        ["error", 1]
      ] as const) {
        const lines = yield* written(Effect.provide(all, Logging.layer({ log: "pretty", logLevel })))
        assert.strictEqual(lines.length, count)
      }
    })
  )

  it.effect("what others sent cannot steer the terminal, nor begin a line of its own", () =>
    Effect.gen(function* () {
      const hostile = Effect.logWarning("refused\nINFO  all is well").pipe(
        Effect.annotateLogs({ reason: "\u001b[2J\nINFO  all is well" })
      )
      const [line] = yield* written(Effect.provide(hostile, Logging.layer({ log: "pretty", logLevel: "info" })))
      assert.notMatch(line ?? "", /\p{Cc}/u)
      assert.include(line, "all is well")
    })
  )
})
