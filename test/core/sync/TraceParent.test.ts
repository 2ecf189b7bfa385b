import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import * as TraceParent from "../../../src/core/sync/TraceParent.ts"
import * as Wire from "../../../src/core/sync/Wire.ts"

const parent = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", sampled: true }
const frame = Wire.encodeData({ seq: 3, more: false, fresh: false, through: VectorClock.empty }, [])

const traceOf = (text: string) => {
  const message = Result.getOrThrow(Wire.decode(text))
  return message.type === "sync_data" ? message.trace : undefined
}

describe("TraceParent", () => {
  it("a frame has it, and is otherwise the same", () => {
    for (const one of [parent, { ...parent, sampled: false }]) {
      const text = TraceParent.attach(frame, one)
      assert.deepStrictEqual(traceOf(text), one)
      const { traceparent, ...rest }: Record<string, unknown> = JSON.parse(text)
      assert.deepStrictEqual(rest, JSON.parse(frame))
      assert.strictEqual(traceparent, TraceParent.toText(one))
    }
    assert.isUndefined(traceOf(frame))
  })

  it("later versions are read as far as they are known", () => {
    assert.deepStrictEqual(TraceParent.fromText(`01${TraceParent.toText(parent).slice(2)}-what-else`), parent)
  })

  it.each([
    ["no text", ""],
    ["the version that there is not", TraceParent.toText(parent).replace("00-", "ff-")],
    ["no trace", TraceParent.toText({ ...parent, traceId: "0".repeat(32) })],
    ["no span", TraceParent.toText({ ...parent, spanId: "0".repeat(16) })],
    ["capitals", TraceParent.toText(parent).toUpperCase()],
    ["another length", TraceParent.toText({ ...parent, spanId: "1" })],
    ["too long", `${TraceParent.toText(parent)}-${"x".repeat(250)}`]
  ])("what is not of its form is as if it were not there: %s", (_, text) => {
    assert.isUndefined(TraceParent.fromText(text))
    assert.isUndefined(traceOf(`{"traceparent":${JSON.stringify(text)},${frame.slice(1)}`))
  })

  it("what no node would send is a violation, as in every field", () => {
    for (const traceparent of [1, null, "x".repeat(Wire.limits.text + 1)]) {
      assert.isTrue(Result.isFailure(Wire.decode(JSON.stringify({ ...JSON.parse(frame), traceparent }))))
    }
  })
})
