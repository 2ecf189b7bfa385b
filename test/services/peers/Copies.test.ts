/** Two copies of one data directory that meet only through a third node. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Scope, Exit } from "effect"
import { at, pass, start, world } from "../../support/Members.ts"

const tags = (rows: ReadonlyArray<{ readonly last_error: { readonly _tag: string } | null }>) =>
  rows.flatMap(({ last_error: error }) => error?._tag ?? [])

describe("two nodes with one id", () => {
  for (const dials of ["they dial the third", "the third dials them"] as const) {
    it.effect(
      `${dials}: all three say so, and when one of them is gone the other goes on`,
      () =>
        world(
          Effect.gen(function* () {
            const toThird = dials === "they dial the third" ? [at("third")] : []
            const toThem = toThird.length === 0 ? [at("one"), at("two")] : []
            const one = yield* start("one", toThird, { id: "same" })
            const scope = yield* Scope.make()
            const two = yield* start("two", toThird, { id: "same" }).pipe(Scope.provide(scope))
            const third = yield* start("third", toThem)
            const told = new Set<string>()
            for (let n = 0; n < 30 && told.size < 3; n++) {
              yield* pass("5 seconds")
              for (const { host, status } of [one, two, third]) {
                if (tags(yield* status).includes("DuplicateNodeId")) told.add(host)
              }
            }
            assert.sameMembers([...told], ["one", "two", "third"])
            const [row] = (yield* third.status).filter(({ last_error }) => last_error?._tag === "DuplicateNodeId")
            assert.match(
              row?.last_error?.message ?? "",
              /^two nodes use the id same \((one|two)(:\d+)? and (one|two)(:\d+)?\): .*identity new/
            )
            // While the two come back and are refused, it is said all the time.
            for (let n = 0; n < 120; n++) {
              yield* pass("500 millis")
              assert.include(tags(yield* third.status), "DuplicateNodeId", `${n}`)
            }
            yield* Scope.close(scope, Exit.void)
            for (let n = 0; n < 60; n++) yield* pass("5 seconds")
            yield* one.write("alone again")
            yield* pass("5 seconds")
            assert.deepStrictEqual([...(yield* third.rows)], ["alone again"])
          })
        ),
      60_000
    )
  }

  it.effect("a node that is started again and again is no copy", () =>
    world(
      Effect.gen(function* () {
        const third = yield* start("third", [])
        for (let n = 0; n < 8; n++) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const node = yield* start("one", [at("third")], { id: "same" })
              yield* pass("20 seconds")
              assert.notInclude(tags(yield* node.status), "DuplicateNodeId")
              assert.notInclude(tags(yield* third.status), "DuplicateNodeId")
            })
          )
          yield* pass("100 millis")
        }
      })
    )
  )
})
