/** Sessions of nodes that know the rules of kinds of applications, with each other and with nodes of a version that does not. */
import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import * as Agreement from "../../../src/core/sync/Agreement.ts"
import { canonical } from "../../../src/core/replica/Json.ts"
import * as Session from "../../../src/core/sync/Session.ts"
import { NaiveReplica } from "../../support/NaiveReplica.ts"
import { Link, node, write } from "../../support/Network.ts"
import { assertConverged, settle } from "../../support/Settle.ts"

const [a, b] = [node("a"), node("b")]
const dataOf = (content: object) => Option.getOrThrow(canonical(content, 32))
const title = (origin: typeof a, wall: number, row: string) => ({
  ...write(origin, { wall, counter: 0 }, row, "todos!fields"),
  op_type: "update" as const,
  data: dataOf({ title: `${wall}` })
})

/** A frame as a version says it that knows no rules. A digest of the side that has such rows would be compared. */
const older = (frame: string, from: 0 | 1) => {
  if (from === 0) for (const key of ['"digest"', '"rows"']) assert.notInclude(frame, key)
  return frame.replaceAll(',"own1"', "")
}

const meet = (hasOwn: boolean, change?: Link["change"]) => {
  const clock = { now: 1_000_000 }
  const [left, right] = [new NaiveReplica(a), new NaiveReplica(b)]
  if (hasOwn) left.append([title(a, 1, "r"), title(a, 2, "r"), title(a, 3, "s")])
  right.append([write(b, { wall: 9, counter: 0 }, "note")])
  const link = () => {
    const made = new Link(left, right, () => clock.now)
    if (change !== undefined) made.change = change
    return made
  }
  return { clock, left, right, link }
}

describe("sessions with kinds of applications", () => {
  it("agree at equal clocks, when they meet and when they meet again", () => {
    for (const hasOwn of [true, false]) {
      const { clock, left, right, link } = meet(hasOwn)
      for (const times of [1, 2]) {
        const met = link()
        settle([met], clock)
        assertConverged([left, right])
        for (const { session } of met.ends) {
          assert.strictEqual(Session.view(session).state, "live", `${times}`)
          assert.isDefined(Agreement.reportOf(session)?.agreed, `${times}`)
        }
      }
    }
  })

  it("see a difference as such between nodes that know the rules", () => {
    const { clock, left, right, link } = meet(true)
    settle([link()], clock)
    right.damage((state) => state.delete([...state.keys()].find((slot) => slot.startsWith("todos")) ?? ""))
    const again = link()
    settle([again], clock)
    assertConverged([left, right])
  })

  it("raise no alarm and compare no rows where one side keeps all operations", () => {
    const { clock, left, right, link } = meet(true, older)
    settle([link()], clock)
    // What the other version has besides, because it merges nothing.
    right.damage((state) => state.set("todos!fields\0r\0other", title(a, 1, "r")))
    for (const times of [1, 2]) {
      const met = link()
      settle([met], clock)
      for (const { session } of met.ends) {
        assert.strictEqual(Session.view(session).state, "live", `${times}`)
        assert.isFalse(session.diverged)
        assert.strictEqual(session.repair.attempts, 0)
      }
      left.append([title(a, 20 + times, "s")])
      settle([met], clock)
      assert.isFalse(met.ends.some(({ session }) => session.diverged))
    }
    assert.strictEqual(right.state.size, 4)
  })
})
