import { assert, describe, it } from "@effect/vitest"
import { HashMap, Option, Result, Schema } from "effect"
import * as Hlc from "../../../src/core/replica/Hlc.ts"
import { emptyObject } from "../../../src/core/replica/Json.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import * as Operation from "../../../src/core/replica/Operation.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import * as Wire from "../../../src/core/sync/Wire.ts"
import { anyText, operations, runs, vectorClock, wideVectorClock } from "../../support/Generators.ts"

const refuses = (text: string, detail: RegExp): void => {
  const decoded = Wire.decode(text)
  if (Result.isSuccess(decoded)) assert.fail(`${text.slice(0, 100)} was accepted`)
  assert.strictEqual(decoded.failure._tag, "ProtocolViolation")
  assert.match(decoded.failure.detail, detail)
}

const hello = { type: "sync_request", node_id: "a", vector_clock: {}, proof: "p", digest: "d", features: [], time: 5 }

describe("Wire", () => {
  it.prop(
    "every message survives the wire",
    [vectorClock, wideVectorClock, operations, Schema.Natural, Schema.Boolean],
    ([clock, other, operations, seq, flag]) => {
      const messages: ReadonlyArray<Wire.Message> = [
        {
          type: flag ? "sync_request" : "sync_response",
          nodeId: NodeId.make("a:b"),
          clock,
          proof: "proof",
          digest: flag ? Option.some("00ff") : Option.none(),
          rows: flag ? Option.none() : Option.some("0123456789abcdef"),
          uncovered: HashMap.map(other, ({ counter }) => ({ rows: counter, digest: { high: seq % 2 ** 32, low: 7 } })),
          features: ["x"],
          time: seq
        },
        { type: "sync_data", seq, more: flag, fresh: !flag, through: clock, operations, malformed: [] },
        {
          type: "sync_ack",
          seq: flag ? Option.some(seq) : Option.none(),
          clock,
          digest: Option.none(),
          rows: flag ? Option.some("00000000000000ff") : Option.none(),
          held: other
        },
        {
          type: "sync_ack",
          seq: Option.none(),
          clock,
          digest: Option.none(),
          rows: Option.none(),
          held: other,
          asks: new Map([["5:0:a:b", 1 + (seq % 4)]]),
          holders: flag
            ? [{ hlc: "5:0:a:b", node: NodeId.make("c"), age: seq, via: [NodeId.make("d"), NodeId.make("e")] }]
            : [{ hlc: "5:0:a:b", node: NodeId.make("c"), age: 0, via: [] }]
        },
        { type: "sync_error", reason: "protocol", message: "why" },
        { type: "sync_error", reason: "going_away", message: "why", isPaused: true, proof: "p" }
      ]
      for (const message of messages) {
        const decoded = Result.getOrThrow(Wire.decode(Wire.encode(message)))
        assert.strictEqual(Wire.encode(decoded), Wire.encode(message))
        assert.strictEqual(decoded.type, message.type)
      }
    },
    runs(1_000)
  )

  it.prop(
    "whatever comes in, decoding gives a message or a typed failure",
    [anyText, Schema.toType(Schema.Json), vectorClock],
    ([text, value, clock]) => {
      const valid = Wire.encode({
        type: "sync_data",
        seq: 0,
        more: false,
        fresh: false,
        through: clock,
        operations: [],
        malformed: []
      })
      const mutants = [
        text,
        JSON.stringify(value),
        valid.slice(0, text.length),
        valid.replace('"sync_data"', JSON.stringify(text)),
        JSON.stringify({ ...hello, vector_clock: value }),
        JSON.stringify({ ...hello, node_id: text }),
        JSON.stringify({ type: "sync_data", seq: 0, more: false, changes: [value, text, null] })
      ]
      for (const mutant of mutants) assert.isTrue(Result.isResult(Wire.decode(mutant ?? "")))
    },
    runs(3_000)
  )

  it("a malformed operation does not stop the others", () => {
    const operation = Operation.toWire({
      op_id: Operation.OpId.make("o"),
      table: Operation.Kind.make("notes"),
      op_type: "insert",
      row_id: Operation.RowId.make("r"),
      data: emptyObject,
      hlc: { wall: 1, counter: 0, node: NodeId.make("a") },
      timestamp: 1
    })
    const broken = operation.replace('"1:0:a"', '"yesterday"')
    const text = Wire.encodeData({ seq: 0, more: false, fresh: true, through: VectorClock.empty }, [
      operation,
      broken,
      "17",
      "null",
      operation
    ])
    const decoded = Result.getOrThrow(Wire.decode(text))
    if (decoded.type !== "sync_data") return assert.fail("not data")
    assert.strictEqual(decoded.operations.length, 2)
    assert.deepStrictEqual(
      decoded.malformed.map(({ text }) => text),
      [JSON.stringify(JSON.parse(broken)), "17", "null"]
    )
    assert.match(decoded.malformed[0]?.reason ?? "", /hlc/)
  })

  it("refuses what is over a limit, and takes what is just within", () => {
    const nested = (depth: number) =>
      `{"type":"sync_ack","vector_clock":{},"x":${"[".repeat(depth)}${"]".repeat(depth)}}`
    refuses(nested(Wire.limits.depth), /nested/)
    assert.isTrue(Result.isSuccess(Wire.decode(nested(Wire.limits.depth - 1))))

    const clock = (origins: number) =>
      JSON.stringify({
        ...hello,
        vector_clock: Object.fromEntries(Array.from({ length: origins }, (_, n) => [`n${n}`, `1:0:n${n}`]))
      })
    refuses(clock(Wire.limits.origins + 1), /origins/)
    assert.isTrue(Result.isSuccess(Wire.decode(clock(Wire.limits.origins))))

    const changes = (count: number) =>
      `{"type":"sync_data","seq":0,"more":false,"changes":[${Array.from({ length: count }, () => 0).join(",")}]}`
    refuses(changes(Wire.limits.operationsPerFrame + 1), /not a message/)
    assert.isTrue(Result.isSuccess(Wire.decode(changes(Wire.limits.operationsPerFrame))))

    refuses(JSON.stringify({ ...hello, proof: "x".repeat(Wire.limits.text + 1) }), /not a message/)
    refuses(JSON.stringify({ ...hello, node_id: "x".repeat(129) }), /not a message/)
    refuses(JSON.stringify({ ...hello, features: Array.from({ length: 33 }, () => "f") }), /not a message/)
  })

  it("refuses a clock that names another node, and a timestamp that is no timestamp", () => {
    for (const text of ["1:0:b", "1:0", "x:0:a", "-1:0:a", "01:0:a", "1.5:0:a", "9007199254740992:0:a"]) {
      refuses(JSON.stringify({ ...hello, vector_clock: { a: text } }), /clock entry/)
    }
    const decoded = Result.getOrThrow(Wire.decode(JSON.stringify({ ...hello, vector_clock: { a: "0:0:" } })))
    assert.isTrue(decoded.type === "sync_request" && decoded.clock !== undefined && HashMap.isEmpty(decoded.clock))
  })

  it.prop(
    "a frame is filled with a leading part that fits, and with one operation at least",
    [operations, Schema.Natural],
    ([operations, size]) => {
      const maxBytes = size % 5_000
      const { changes, bytes, taken } = Wire.fill(operations, maxBytes, Infinity)
      assert.strictEqual(taken, changes.length)
      assert.deepStrictEqual(changes, operations.slice(0, changes.length).map(Operation.toWire))
      assert.strictEqual(bytes, Buffer.byteLength(changes.join(",")) + (changes.length > 0 ? 1 : 0))
      if (operations.length > 0) assert.isAtLeast(changes.length, 1)
      if (changes.length > 1) assert.isAtMost(bytes, maxBytes)
      const next = operations[changes.length]
      if (next !== undefined) assert.isAbove(bytes + Buffer.byteLength(Operation.toWire(next)) + 1, maxBytes)
    },
    runs(2_000)
  )

  it.prop(
    "what is larger than the other side takes is left out of a frame, and nothing else is",
    [operations, Schema.Natural, Schema.Natural],
    ([operations, size, most]) => {
      const maxOperation = most % 600
      const { changes, tooLarge, taken } = Wire.fill(operations, size % 5_000, maxOperation)
      const isLarge = (operation: Operation.Operation) =>
        Buffer.byteLength(Operation.toWire(operation)) + 1 > maxOperation
      const seen = operations.slice(0, taken)
      assert.deepStrictEqual(changes, seen.filter((operation) => !isLarge(operation)).map(Operation.toWire))
      assert.deepStrictEqual(
        tooLarge.map(({ operation }) => operation),
        seen.filter(isLarge)
      )
      assert.isTrue(taken === operations.length || changes.length > 0)
    },
    runs(1_000)
  )

  it.prop(
    "a clock is cut into parts that fit, and that make it up",
    [vectorClock, Schema.Natural],
    ([clock, size]) => {
      const maxBytes = 400 + (size % 2_000)
      const parts = Wire.partsOf(clock, maxBytes)
      assert.strictEqual(VectorClock.compare(parts.reduce(VectorClock.merge, VectorClock.empty), clock), "equal")
      for (const part of parts) {
        const bytes = Buffer.byteLength(JSON.stringify(VectorClock.toRecord(part)))
        assert.isTrue(bytes <= maxBytes || HashMap.size(part) <= 1)
      }
    },
    runs(1_000)
  )

  it("knows nothing of an absent origin", () => {
    assert.deepStrictEqual(VectorClock.get(VectorClock.empty, NodeId.make("a")), Hlc.zero)
  })
})
