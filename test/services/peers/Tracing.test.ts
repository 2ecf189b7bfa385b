import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Tracer } from "effect"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import * as Wire from "../../../src/core/sync/Wire.ts"
import * as Tracing from "../../../src/services/peers/Tracing.ts"
import { node } from "../../support/Network.ts"

const text = Wire.encodeData({ seq: 0, more: false, fresh: false, through: VectorClock.empty }, [])

/** A tracer of a program. */
const tracer = Tracer.make({ span: (options) => new Tracer.NativeSpan(options) })

/** The traces of frames that are sent one after another. */
const traces = Effect.fnUntraced(function* (
  form: 1 | 2,
  ...frames: ReadonlyArray<{ readonly operations: number; readonly more?: true }>
) {
  const tracing = yield* Tracing.make(node("a"), { form }, () => node("b"))
  return yield* Effect.forEach(frames, (frame) =>
    Effect.map(
      tracing.sent({ text, ...frame }, (sent) => Effect.succeed(sent)),
      (sent) => {
        if (sent === text) return undefined
        const message = Result.getOrThrow(Wire.decode(sent))
        return message.type === "sync_data" ? message.trace?.traceId : undefined
      }
    )
  )
}, Effect.scoped)

describe("Tracing", () => {
  it.effect(
    "the frames of a round are one trace, the next round is another one, and frames without operations none",
    () =>
      Effect.gen(function* () {
        const rounds = [{ operations: 1, more: true }, { operations: 0 }, { operations: 1 }, { operations: 1 }] as const
        const [first, nothing, second, third] = yield* traces(2, ...rounds)
        assert.isString(first)
        assert.isUndefined(nothing)
        assert.strictEqual(second, first)
        assert.isString(third)
        assert.notStrictEqual(third, first)
      }).pipe(Effect.withTracer(tracer))
  )

  it.effect("an existing FERAL node gets the frames as they are", () =>
    Effect.map(traces(1, { operations: 1 }), (found) => assert.deepStrictEqual(found, [undefined])).pipe(
      Effect.withTracer(tracer)
    )
  )

  it.effect("without a tracer of its own, a node sends the frames as they are", () =>
    Effect.map(traces(2, { operations: 1 }), (found) => assert.deepStrictEqual(found, [undefined]))
  )
})
