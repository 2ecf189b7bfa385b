import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Option } from "effect"
import * as Feed from "../../../src/core/replica/Feed.ts"
import { integer, runs } from "../../support/Generators.ts"

const { fromText } = { fromText: (text: string, feed = Feed.empty) => Feed.resumeText("id", feed, text) }

describe("Feed", () => {
  it("everything is read from 0, also where rows have left", () => {
    const feed = Feed.withPurge(Feed.advance(Feed.empty, 7))
    assert.deepStrictEqual(fromText("0", feed), Option.some({ number: 0, removals: 1 }))
  })

  it.each(["", "x", "1", "id-1", "id-1-", "id--1-0", "id-01-0", "id-1-0 ", "other-1-0", "id-9-0", "id-1-1", "ID-1-0"])(
    "%j is not a cursor of this feed",
    (text) => {
      assert.isTrue(Option.isNone(fromText(text, Feed.advance(Feed.empty, 3))))
    }
  )

  it.prop(
    "a reader goes on exactly where it has missed no removal",
    [integer(0, 20), integer(0, 20), Arbitrary.array(integer(1, 20), { maxLength: 4 }), integer(0, 9)],
    ([read, more, removed, later]) => {
      const before = Feed.advance(Feed.withRemoval(Feed.advance(Feed.empty, read), 0), more)
      const reader = { number: read, removals: before.removals }
      const last = before.last
      const greatest = removed.map((number) => Math.min(number, last))
      const after = Feed.advance(greatest.reduce(Feed.withRemoval, before), later)
      const hasMissed = read > 0 && greatest.some((number) => number > read)
      assert.strictEqual(Option.isNone(fromText(Feed.toText("id", reader), after)), hasMissed)
      // Those that read everything, and those that begin now, go on.
      assert.isTrue(Option.isSome(Feed.resume(after, Feed.end(after))))
      assert.isTrue(Option.isSome(Feed.resume(Feed.advance(after, 1), { ...Feed.beginning(after), number: 1 })))
      // Rows that an operator removed are held by all who have read anything.
      const purged = Feed.resume(Feed.withPurge(after), Feed.end(after))
      assert.strictEqual(Option.isNone(purged), after.last > 0)
    },
    runs(1_000)
  )
})
