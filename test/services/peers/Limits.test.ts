/** Whole nodes, one of which takes small frames: it gets all that fits, and both sides name what does not. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { at, pass, start, world } from "../../support/Members.ts"

const small = 65_536
const large = "x".repeat(100_000)

/** Whether each side can begin with its proof alone, and tells its limits then. */
const pairs = [
  [2, 2],
  [2, 1],
  [1, 2],
  [1, 1]
] as const

describe("a row that is larger than a node takes", () => {
  for (const [dialler, server] of pairs) {
    for (const isDiallerSmall of [false, true]) {
      it.effect(
        `revision ${dialler} dials ${server}, the ${isDiallerSmall ? "dialler" : "server"} takes less: all else arrives`,
        () =>
          world(
            Effect.gen(function* () {
              const limit = { maxRecvBytes: small }
              const b = yield* start("b", [], { revision: server, ...(isDiallerSmall ? {} : limit) })
              const a = yield* start("a", [at("b")], { revision: dialler, ...(isDiallerSmall ? limit : {}) })
              const [tight, wide] = isDiallerSmall ? [a, b] : [b, a]
              yield* wide.write("before")
              yield* wide.write("large", large)
              yield* wide.write("after")
              yield* tight.write("of the other side")
              // A side that did not tell is found out once: by a close, after which the connection is made anew.
              for (let n = 0; n < 15; n++) yield* pass("1 seconds")
              assert.sameMembers([...(yield* tight.rows)], ["before", "after", "of the other side"])
              assert.sameMembers([...(yield* wide.rows)], ["before", "large", "after", "of the other side"])
              const [row] = yield* wide.status
              assert.strictEqual(row?.state, "live")
              assert.strictEqual(row?.last_error?._tag, "RowsTooLarge")
              assert.include(row?.last_error?.message, `1 row is larger than ${tight.host} accepts: notes large, 100.`)
              assert.include(row?.last_error?.message, "raise FERAL_SYNC_MAX_RECV_BYTES there")
              assert.strictEqual(row?.lag_ops, 1)
              const [other] = yield* tight.status
              if (dialler === 2 && server === 2) assert.strictEqual(other?.last_error?._tag, "RowsTooLarge")
              // It stays like that: there is no second close.
              for (let n = 0; n < 3; n++) {
                yield* pass("10 seconds")
                assert.strictEqual((yield* wide.status)[0]?.state, "live")
              }
              // A small one in its place ends it.
              yield* wide.write("large")
              for (let n = 0; n < 5; n++) yield* pass("1 seconds")
              assert.include([...(yield* tight.rows)], "large")
              for (const node of [wide, tight]) assert.isNull((yield* node.status)[0]?.last_error)
            })
          )
      )
    }
  }
})
