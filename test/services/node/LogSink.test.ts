import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import * as LogSink from "../../../src/services/node/LogSink.ts"
import { StreamFailed, type Sent } from "../../../src/services/node/StandardStreams.ts"
import { element, integer, runs } from "../../support/Generators.ts"

const full = (isCut: boolean): Sent => ({
  failure: new StreamFailed({ code: "ENOSPC", detail: "no space left on device" }),
  isCut
})
const well: Sent = { failure: undefined, isCut: false }

const notice = ({ lines, cause }: LogSink.Lost) => `lost ${lines} (${cause})`

describe("LogSink", () => {
  it("says how many lines were lost, and why, with the first one that can be written", () => {
    const written: Array<string> = []
    let sent = well
    const sink = LogSink.make((text, done) => {
      if (sent.failure === undefined) written.push(text)
      done(sent)
    })
    sink.push("a", notice)
    sent = full(true)
    sink.push("b", notice)
    sent = full(false)
    sink.push("c", notice)
    sent = well
    sink.push("d", notice)
    sink.push("e", notice)
    sent = full(false)
    sink.push("f", notice)
    sent = well
    sink.flush(notice)
    sink.flush(notice)
    assert.deepStrictEqual(written.splice(3), ["lost 1 (no space left on device)\n"])
    assert.deepStrictEqual(written, ["a\n", "\nlost 2 (no space left on device)\nd\n", "e\n"])
    assert.deepStrictEqual(sink.lost(), { lines: 3, cause: "no space left on device" })
  })

  it.prop(
    "every event is written or counted, whenever the answers come",
    [Arbitrary.array(Arbitrary.all({ fails: element(true, false), answers: integer(0, 3) }), { maxLength: 50 })],
    ([steps]) => {
      const waiting: Array<() => void> = []
      const written: Array<string> = []
      let fails = false
      const sink = LogSink.make((text, done) => {
        const failing = fails
        waiting.push(() => {
          if (!failing) written.push(text)
          done(failing ? full(false) : well)
        })
      })
      for (const step of steps) {
        fails = step.fails
        sink.push("event", notice)
        for (let count = 0; count < step.answers; count++) waiting.shift()?.()
      }
      fails = false
      for (const answer of waiting.splice(0)) answer()
      sink.push("last", notice)
      for (const answer of waiting.splice(0)) answer()
      const lines = written.join("").split("\n")
      const events = lines.filter((line) => line === "event").length
      const told = lines.reduce((sum, line) => sum + Number(/^lost (\d+)/.exec(line)?.[1] ?? 0), 0)
      assert.strictEqual(events + told, steps.length)
      assert.strictEqual(sink.lost().lines, told)
    },
    runs(2_000)
  )
})
