/** What is said of long work: one line on a terminal, a line now and then elsewhere, nothing with --json. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Progress from "../../src/cli/Progress.ts"
import { StandardStreams } from "../../src/services/node/StandardStreams.ts"

/** What is written while 30 s of work are reported every 100 ms. */
const written = (isJson: boolean, isTerminal: boolean) => {
  const texts: Array<string> = []
  return Effect.gen(function* () {
    const report = yield* Progress.make(isJson, isTerminal)
    for (let step = 1; step <= 300; step++) {
      yield* TestClock.adjust("100 millis")
      yield* report({ text: `${step} rows read`, done: step, total: 600 })
    }
  }).pipe(
    Effect.scoped,
    Effect.provideService(StandardStreams, {
      output: () => Effect.void,
      error: (text) => Effect.sync(() => void texts.push(text)),
      input: Stream.empty
    }),
    Effect.as(texts)
  )
}

describe("Progress", () => {
  it.effect("elsewhere than on a terminal, it is a line every ten seconds", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* written(false, false), [
        "100 rows read (16 % of 600), 10/s, 50 s left\n",
        "200 rows read (33 % of 600), 10/s, 40 s left\n",
        "300 rows read (50 % of 600), 10/s, 30 s left\n"
      ])
    })
  )

  it.effect("on a terminal it is one line, which is gone in the end", () =>
    Effect.gen(function* () {
      const texts = yield* written(false, true)
      assert.isAbove(texts.length, 100)
      assert.strictEqual(texts[0], "\r\u001b[2K10 rows read (1 % of 600), 10/s, 59 s left")
      assert.strictEqual(texts.at(-1), "\r\u001b[2K")
      assert.isFalse(texts.join("").includes("\n"))
    })
  )

  it.effect("no progress is shown with --json", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* written(true, true), [])
    })
  )
})
