/**
 * Conversations with existing FERAL nodes, recorded as plain JSON: what they say, what we answer, how it ends.
 */
import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import * as V1Exchange from "../../../../src/core/sync/v1/V1Exchange.ts"
import { optionsOf } from "../../../support/Exchanges.ts"
import { NaiveReplica } from "../../../support/NaiveReplica.ts"
import { node, write } from "../../../support/Network.ts"

interface Conversation {
  readonly about: string
  readonly role: "dialler" | "server"
  readonly scope?: string
  readonly ours: ReadonlyArray<{ readonly wall: number; readonly row: string; readonly kind?: string }>
  readonly talk: ReadonlyArray<{ readonly them?: unknown; readonly us?: object }>
  /** "closed" when it ends in good order, else the tag of the failure. */
  readonly ends: string
  readonly rows: ReadonlyArray<string>
  readonly quarantined?: number
}

/** Whether `actual` has all that `expected` names. */
const matches = (actual: unknown, expected: unknown): boolean =>
  Array.isArray(expected)
    ? Array.isArray(actual) &&
      actual.length === expected.length &&
      expected.every((item, index) => matches(actual[index], item))
    : typeof expected === "object" && expected !== null
      ? typeof actual === "object" &&
        actual !== null &&
        Object.entries(expected).every(([key, value]) => matches((actual as Record<string, unknown>)[key], value))
      : actual === expected

const directory = new URL("./", import.meta.url)

describe("conversations with existing FERAL nodes", () => {
  for (const file of readdirSync(directory).filter((name) => name.endsWith(".json"))) {
    const recorded = JSON.parse(readFileSync(new URL(file, directory), "utf8")) as Conversation
    it(recorded.about, () => {
      const replica = new NaiveReplica(node("us"))
      for (const { wall, row, kind } of recorded.ours) {
        replica.append([write(replica.id, { wall, counter: 0 }, row, kind)])
      }
      const options = { ...optionsOf(replica.id, recorded.role), scope: recorded.scope }
      const sent: Array<unknown> = []
      let exchange = V1Exchange.initial(options, replica.snapshot(), 1_000_000)
      let ending = "open"
      const carry = ([next, actions]: V1Exchange.Step): void => {
        exchange = next
        for (const action of actions) {
          const now = 1_000_000
          if (action._tag === "Send") sent.push(JSON.parse(action.text))
          else if (action._tag === "Close") ending = action.failure?._tag ?? "closed"
          else if (action._tag === "Identify") {
            carry(V1Exchange.step(exchange, { _tag: "Identified", now, record: V1Exchange.noRecord }))
          } else if (action._tag === "Commit") {
            carry(
              V1Exchange.step(exchange, {
                _tag: "Committed",
                now,
                snapshot: replica.apply(action.batch),
                hasChanged: true
              })
            )
          } else if (action._tag === "Read") {
            const { request } = action
            carry(V1Exchange.step(exchange, { _tag: "Delta", now, request, delta: replica.delta(request) }))
          }
        }
      }
      carry(V1Exchange.open(exchange))
      for (const { them, us } of recorded.talk) {
        if (them !== undefined) {
          carry(V1Exchange.step(exchange, { _tag: "Received", now: 1_000_000, text: JSON.stringify(them) }))
        }
        if (us === undefined) continue
        const said = sent.shift()
        assert.isTrue(matches(said, us), `we said ${JSON.stringify(said)}`)
      }
      assert.deepStrictEqual(sent, [], "nothing more is said")
      assert.strictEqual(ending, recorded.ends)
      assert.deepStrictEqual(Array.from(replica.state.values(), ({ row_id }) => row_id as string).sort(), [
        ...recorded.rows
      ])
      assert.strictEqual(replica.quarantined, recorded.quarantined ?? 0)
    })
  }
})
