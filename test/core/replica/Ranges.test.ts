import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import * as Digest from "../../../src/core/replica/Digest.ts"
import type { Operation } from "../../../src/core/replica/Operation.ts"
import * as Ranges from "../../../src/core/replica/Ranges.ts"
import { integer, operations, runs } from "../../support/Generators.ts"
import { node, write } from "../../support/Network.ts"

const inOrder = (rows: ReadonlyArray<Operation>) => [
  ...new Map(
    rows
      .toSorted((a, b) => Ranges.PositionOrder(Ranges.positionOf(a), Ranges.positionOf(b)))
      .map((row) => [JSON.stringify(Ranges.positionOf(row)), row])
  ).values()
]

const within = (rows: ReadonlyArray<Operation>, range: Ranges.Range) =>
  rows.filter((row) => Ranges.contains(range, Ranges.positionOf(row)))

const splitOf = (rows: ReadonlyArray<Operation>, range: Ranges.Range) =>
  Ranges.add(Ranges.split(range), within(rows, range))

/** What a row means: an insert and an update of the same content are the same. */
const meaning = (row: Operation) => JSON.stringify([Ranges.positionOf(row), Digest.toText(Digest.ofOperation(row))])

const digestOf = (rows: ReadonlyArray<Operation>) =>
  rows.reduce((sum, row) => Digest.add(sum, Digest.ofOperation(row)), Digest.empty)

const many = Arbitrary.map(integer(0, 300), (count) =>
  Array.from({ length: count }, (_, n) => write(node("a"), { wall: n + 1, counter: 0 }, `row-${n}`))
)

describe("Reconcile", () => {
  it.prop(
    "the parts of a split are few, in order, disjoint, and make up the range, however the rows go by",
    [many, operations, integer(1, 40)],
    ([plain, strange, page]) => {
      const rows = inOrder([...plain, ...strange])
      let split = Ranges.split(Ranges.whole)
      for (let start = 0; start < rows.length; start += page) {
        split = Ranges.add(split, rows.slice(start, start + page))
      }
      const parts = Ranges.partsOf(split)
      assert.isAtMost(parts.length, Ranges.fanOut)
      assert.isUndefined(parts[0]?.after)
      assert.isUndefined(parts.at(-1)?.until)
      for (const [index, part] of parts.entries()) {
        if (index > 0) assert.deepStrictEqual(part.after, parts[index - 1]?.until)
        const inside = within(rows, part)
        assert.deepStrictEqual(
          { count: part.count, digest: part.digest },
          {
            count: inside.length,
            digest: digestOf(inside)
          }
        )
        // Or the dialogue about it would never end.
        if (rows.length > Ranges.leafRows) assert.isBelow(part.count, rows.length)
      }
      assert.deepStrictEqual(Ranges.summaryOf(split), { count: rows.length, digest: digestOf(rows) })
      assert.deepStrictEqual(Ranges.partsOf(splitOf(rows, Ranges.whole)), parts)
    },
    runs(2_000)
  )

  it.prop(
    "a dialogue ends, and settles every row in which two states differ",
    [many, operations, operations, integer(0, 299), integer(1, 7)],
    ([shared, left, right, from, every]) => {
      const gap = (row: Operation) => Number(row.row_id.slice(4)) >= from && Number(row.row_id.slice(4)) % every === 0
      const states = [inOrder([...shared.filter((row) => !gap(row)), ...left]), inOrder([...shared, ...right])] as const
      const settled: Array<Ranges.Range> = []
      let told = Ranges.partsOf(splitOf(states[0], Ranges.whole))
      for (let round = 1; told.length > 0; round++) {
        assert.isBelow(round, 40)
        const side = states[round % 2 === 0 ? 0 : 1]
        told = told.flatMap((part) => {
          const verdict = Ranges.compare(part, splitOf(side, part))
          if (verdict._tag === "Settle") settled.push(part)
          return verdict._tag === "Tell" ? verdict.parts : []
        })
      }
      const union = (rows: ReadonlyArray<Operation>, others: ReadonlyArray<Operation>) =>
        [...rows, ...settled.flatMap((range) => within(others, range))].map(meaning)
      assert.deepStrictEqual(new Set(union(states[0], states[1])), new Set([...states[0], ...states[1]].map(meaning)))
      assert.deepStrictEqual(new Set(union(states[1], states[0])), new Set(union(states[0], states[1])))
    },
    runs(1_000)
  )

  it("one difference among n rows costs about log n messages, and sends few rows", () => {
    const cost = (count: number) => {
      const rows = inOrder(
        Array.from({ length: count }, (_, n) => write(node("a"), { wall: n + 1, counter: 0 }, `row-${n}`))
      )
      const other = rows.toSpliced(Math.floor(count / 3), 1)
      let told = Ranges.partsOf(splitOf(rows, Ranges.whole))
      let ranges = told.length
      let sent = 0
      for (let round = 1; told.length > 0; round++) {
        const side = round % 2 === 0 ? rows : other
        told = told.flatMap((part) => {
          const verdict = Ranges.compare(part, splitOf(side, part))
          if (verdict._tag === "Settle") sent += within(rows, part).length
          return verdict._tag === "Tell" ? verdict.parts : []
        })
        ranges += told.length
      }
      return { ranges, sent }
    }
    const [small, large] = [cost(1_000), cost(64_000)]
    assert.isAtMost(large.sent, Ranges.leafRows)
    assert.isAtMost(small.ranges, 16 * 4)
    assert.isAtMost(large.ranges, 16 * 6)
  })
})
