/** Form 1 as Python writes it: what is wrong with one operation is no matter of the others. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as V1Wire from "../../../../src/core/sync/v1/V1Wire.ts"
import { CanonicalJson } from "../../../../src/core/replica/Json.ts"
import { node, write } from "../../../support/Network.ts"

const good = (wall: number) => V1Wire.operationText(write(node("old"), { wall, counter: 0 }, `row-${wall}`), undefined)

/** All operations of a frame, read piece by piece. */
const read = (text: string) => {
  const message = Result.getOrThrow(V1Wire.decode(text))
  if (message.type !== "sync_data") return assert.fail(`it is ${message.type}`)
  const [rows, reasons]: readonly [Array<string>, Array<string>] = [[], []]
  let pieces = 0
  for (let rest: V1Wire.Changes | undefined = message.changes; rest !== undefined; pieces++) {
    const piece: V1Wire.Piece = V1Wire.readChanges(rest)
    for (const { operation } of piece.operations) rows.push(operation.row_id)
    for (const { reason } of piece.malformed) reasons.push(reason)
    rest = piece.rest
  }
  return { message, rows, reasons, pieces }
}

const oddities: ReadonlyArray<readonly [string, string, RegExp]> = [
  ["NaN", good(9).replace('"data":{', '"data":{"x":NaN,'), /NaN or Infinity/],
  ["Infinity in a list", good(9).replace('"data":{', '"data":{"x":[1, Infinity],'), /NaN or Infinity/],
  ["-Infinity", good(9).replace('"data":{', '"data":{"x":-Infinity,'), /NaN or Infinity/],
  ["a timestamp of NaN", good(9).replace(/"timestamp":[\d.]+/, '"timestamp": NaN'), /NaN or Infinity/],
  ["nesting", good(9).replace('"data":{', `"data":{"x":${"[".repeat(5_000)}${"]".repeat(5_000)},`), /nested more than/],
  ["no JSON", '{"op_id": undefined}', /not JSON/],
  ["a word", "nonsense", /not JSON/],
  ["a number", "17", /./],
  ["an empty object", "{}", /./],
  ["a text with brackets", '"]}[{\\"," ', /./]
]

describe("a frame of an existing node", () => {
  for (const [name, odd, reason] of oddities) {
    it(`with ${name}: the others are taken`, () => {
      for (const space of ["", " ", "\n  "]) {
        const changes = [good(1), odd, good(2), odd].map((text) => space + text).join(`${space},`)
        for (const text of [
          `{"type":"sync_data","changes":[${changes}${space}]}`,
          `${space}{${space}"changes":${space}[${changes}],${space}"type":"sync_data","seq":0,"more":true, "x": NaN}${space}`
        ]) {
          const { rows, reasons } = read(text)
          assert.deepStrictEqual(rows, ["row-1", "row-2"])
          assert.strictEqual(reasons.length, 2)
          for (const one of reasons) assert.match(one, reason)
        }
      }
    })
  }

  it("is read piece by piece, and has an end", () => {
    const changes = Array.from({ length: 10_000 }, (_, wall) => good(wall + 1))
    const { rows, pieces } = read(V1Wire.numberedFrame(changes, 0, true))
    assert.strictEqual(rows.length, 10_000)
    assert.isAtLeast(pieces, 5)
    assert.deepStrictEqual(read('{"type":"sync_data","changes":[]}').rows, [])
  })

  it("is read on after nothing between two commas", () => {
    const { rows, reasons } = read(`{"type":"sync_data","changes":[${good(1)}, ,${good(2)},,${good(3)}]}`)
    assert.deepStrictEqual(rows, ["row-1", "row-2", "row-3"])
    assert.strictEqual(reasons.length, 2)
  })

  it("that is no object, or has no list of operations, is refused", () => {
    for (const text of [
      "",
      "[]",
      "17",
      "{",
      '{"type":"sync_data"}',
      '{"type":"sync_data","changes":{}}',
      "{}{}",
      "{,}"
    ]) {
      assert.isTrue(Result.isFailure(V1Wire.decode(text)), text)
    }
  })

  it("shows its generation by its numbers", () => {
    const isNumbered = (text: string) => read(text).message.isNumbered
    assert.isFalse(isNumbered(V1Wire.onlyFrame([good(1)])))
    assert.isTrue(isNumbered(V1Wire.numberedFrame([good(1)], 0, false)))
  })
})

describe("what goes to an existing node", () => {
  it("has U+FFFD for half a surrogate pair, in texts, tags and keys", () => {
    const data = CanonicalJson.make(
      String.raw`{"\udc00":1,"content":"half \ud83d","tags":["\udfff","whole 🙂"],"text":"\\ud83d"}`
    )
    const operation = { ...write(node("new"), { wall: 1, counter: 0 }, "row"), data }
    const text = V1Wire.operationText(operation, undefined)
    assert.deepStrictEqual((JSON.parse(text) as { readonly data: unknown }).data, {
      "\ufffd": 1,
      content: "half \ufffd",
      tags: JSON.stringify(["\ufffd", "whole 🙂"]),
      text: "\\ud83d"
    })
  })
})
