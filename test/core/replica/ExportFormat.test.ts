import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as ExportFormat from "../../../src/core/replica/ExportFormat.ts"
import { toWire } from "../../../src/core/replica/Operation.ts"
import { anyText, nodeId, now, operation, runs, vectorClock, wideOperation } from "../../support/Generators.ts"
import { node, write } from "../../support/Network.ts"

const open = { bytes: 1e9, driftMs: Number.MAX_SAFE_INTEGER, now: Number.MAX_SAFE_INTEGER }

describe("Archive", () => {
  it.prop(
    "reads back every operation and every header that it wrote",
    [operation, wideOperation, nodeId, now, vectorClock],
    ([few, wide, id, time, clock]) => {
      for (const one of [few, wide]) {
        const line = toWire(one)
        assert.notInclude(line, "\n")
        assert.deepStrictEqual(Result.getOrThrow(ExportFormat.readOperation(line, open)), one)
      }
      const header = ExportFormat.header(id, time, clock, 7)
      assert.notInclude(header, "\n")
      assert.isTrue(Result.isSuccess(ExportFormat.readHeader(header)))
    },
    runs(1_000)
  )

  it.prop(
    "no text is too strange to be read or refused",
    [anyText],
    ([text]) => {
      assert.isTrue(Result.isFailure(ExportFormat.readHeader(text)))
      assert.isTrue(Result.isFailure(ExportFormat.readOperation(text, open)))
    },
    runs(1_000)
  )

  it("refuses what is too far ahead, too large, too deep, or of another format", () => {
    const line = toWire(write(node("a"), { wall: 1_000, counter: 0 }, "r"))
    const reason = (text: string, limits: Partial<ExportFormat.Limits>) =>
      Result.match(ExportFormat.readOperation(text, { ...open, ...limits }), {
        onFailure: (failure) => failure,
        onSuccess: () => "taken"
      })
    assert.strictEqual(reason(line, { now: 900, driftMs: 100 }), "taken")
    assert.match(reason(line, { now: 899, driftMs: 100 }), /ahead of ours/)
    assert.strictEqual(reason(line, { bytes: line.length }), "taken")
    assert.match(reason(line, { bytes: line.length - 1 }), /over the limit/)
    assert.match(reason("[".repeat(100_000), {}), /nested/)
    for (const header of ["{}", "[]", "null", '{"format":"other","version":1}', '{"format":"feral-sync"}']) {
      assert.isTrue(Result.isFailure(ExportFormat.readHeader(header)))
    }
    assert.match(String(Result.merge(ExportFormat.readHeader('{"format":"feral-sync","version":2}'))), /newer/)
  })
})
