import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Admission from "../../src/core/Admission.ts"
import { runs } from "../support/Generators.ts"

const { limits } = Admission

/** A port at which guests come, prove themselves and leave. */
class Port {
  admission = Admission.empty
  now = 1_000_000
  private last = 0

  /** The connection that was admitted, or which limit was in the way. */
  arrive(network: string): number | "network" | "all" {
    const id = ++this.last
    const verdict = Admission.arrive(this.admission, id, network, this.now)
    if (verdict._tag === "Refused") return verdict.limit
    this.admission = verdict.admission
    return id
  }

  member(network: string): number | "network" | "all" {
    const id = this.arrive(network)
    if (typeof id === "number") this.admission = Admission.prove(this.admission, id)
    return id
  }

  count(isWanted: (guest: Admission.Guest) => boolean): number {
    return [...this.admission.values()].filter(isWanted).length
  }
}

const flood = (port: Port, times: number, network: (n: number) => string) => {
  for (let n = 0; n < times; n++) port.arrive(network(n))
}

describe("Admission", () => {
  it("a flood from one network gets the room of one network, and keeps nobody else out", () => {
    const port = new Port()
    flood(port, 1_000, () => "bad")
    assert.strictEqual(port.admission.size, limits.strangersPerNetwork)
    assert.isNumber(port.member("good"))
  })

  it("a flood from many networks gets the room of strangers, and members stay", () => {
    const port = new Port()
    for (let n = 0; n < 100; n++) assert.isNumber(port.member(`member ${n}`))
    flood(port, 1_000, (n) => `bad ${n}`)
    assert.strictEqual(
      port.count(({ isProven }) => !isProven),
      limits.strangers
    )
    assert.strictEqual(
      port.count(({ isProven }) => isProven),
      100
    )
    assert.strictEqual(port.arrive("good"), "all")
  })

  it("who says nothing gives its place to a newcomer after a while", () => {
    const port = new Port()
    flood(port, limits.strangersPerNetwork, () => "shared")
    assert.strictEqual(port.arrive("shared"), "network")
    port.now += limits.patience
    const verdict = Admission.arrive(port.admission, 1_000, "shared", port.now)
    assert.isTrue(verdict._tag === "Admitted" && verdict.instead === 1)
    assert.isNumber(port.member("shared"))
  })

  it("when strangers have taken all their room, the network that has the most gives way", () => {
    const port = new Port()
    const honest = port.arrive("honest")
    for (const bad of ["x", "y", "z"]) flood(port, limits.strangersPerNetwork, () => bad)
    flood(port, limits.strangersPerNetwork - 1, () => "w")
    port.now += limits.patience
    assert.isNumber(port.arrive("another"))
    assert.isTrue(typeof honest === "number" && port.admission.has(honest))
    assert.strictEqual(
      port.count(({ network }) => network === "x"),
      limits.strangersPerNetwork - 1
    )
  })

  it("members of one network leave room for others, and give way to nobody", () => {
    const port = new Port()
    for (let n = 0; n < limits.perNetwork; n++) assert.isNumber(port.member("one"))
    port.now += 60_000
    assert.strictEqual(port.arrive("one"), "network")
    for (let n = limits.perNetwork; n < limits.total; n++) assert.isNumber(port.member("two"))
    assert.strictEqual(port.arrive("three"), "all")
    assert.strictEqual(
      port.count(({ isProven }) => isProven),
      limits.total
    )
  })

  it("a hundred members of one address are all let in, a few at a time", () => {
    const port = new Port()
    for (let n = 0; n < 100; n++) assert.isNumber(port.member("shared"))
  })

  it.prop(
    "no order of events exceeds a limit, or sends a member away",
    [Schema.Array(Schema.Natural).check(Schema.isMaxLength(1_500))],
    ([script]) => {
      const port = new Port()
      const members = new Set<number>()
      for (const [index, choice] of script.entries()) {
        const present = [...port.admission.keys()]
        const someone = present[choice % Math.max(1, present.length)]
        // Most of them come; the clock may go back as well.
        if (choice % 10 === 7) port.now += (choice % 5) * 400 - 400
        else if (choice % 10 === 8 && someone !== undefined) {
          port.admission = Admission.prove(port.admission, someone)
          members.add(someone)
        } else if (choice % 10 === 9 && someone !== undefined) {
          port.admission = Admission.leave(port.admission, someone)
          members.delete(someone)
        } else port.arrive(`network ${(choice + index) % 9}`)
        const all = [...port.admission.values()]
        const strangers = all.filter(({ isProven }) => !isProven)
        assert.isAtMost(all.length, limits.total)
        assert.isAtMost(strangers.length, limits.strangers)
        for (let n = 0; n < 9; n++) {
          const isOwn = ({ network }: Admission.Guest) => network === `network ${n}`
          assert.isAtMost(all.filter(isOwn).length, limits.perNetwork)
          assert.isAtMost(strangers.filter(isOwn).length, limits.strangersPerNetwork)
        }
        for (const id of members) assert.isTrue(port.admission.get(id)?.isProven === true)
      }
    },
    runs(300, 400)
  )
})
