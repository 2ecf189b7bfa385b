import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Admission from "../../../src/core/peers/Admission.ts"
import { runs } from "../../support/Generators.ts"

const { limits } = Admission

/** A port at which guests come, show a ticket or none, prove themselves and leave. */
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

  enter(id: number, hasTicket = false): number | "network" | "all" {
    const verdict = Admission.enter(this.admission, id, hasTicket, this.now)
    if (verdict._tag === "Admitted") this.admission = verdict.admission
    // The listener closes what was refused.
    else this.admission = Admission.leave(this.admission, id)
    return verdict._tag === "Admitted" ? id : verdict.limit
  }

  stranger(network: string): number | "network" | "all" {
    const id = this.arrive(network)
    return typeof id === "number" ? this.enter(id) : id
  }

  member(network: string): number | "network" | "all" {
    const id = this.stranger(network)
    if (typeof id === "number") this.admission = Admission.prove(this.admission, id)
    return id
  }

  in(room: Admission.Room, network?: string): number {
    return [...this.admission.values()].filter(
      (guest) => guest.room === room && (network === undefined || guest.network === network)
    ).length
  }
}

const times = (count: number, act: (n: number) => void) => {
  for (let n = 0; n < count; n++) act(n)
}

describe("Admission", () => {
  it("a flood from one network gets the room of one network, and keeps no other client out", () => {
    const port = new Port()
    times(1_000, () => port.stranger("bad"))
    times(1_000, () => port.arrive("bad"))
    assert.strictEqual(port.in("pending"), limits.pendingPerNetwork)
    assert.strictEqual(port.in("arriving"), limits.arrivingPerNetwork)
    assert.isNumber(port.member("good"))
  })

  it("a flood from many networks gets the room of strangers, and members stay", () => {
    const port = new Port()
    times(100, (n) => assert.isNumber(port.member(`member ${n}`)))
    times(1_000, (n) => port.stranger(`bad ${n}`))
    times(1_000, (n) => port.arrive(`bad ${n}`))
    assert.strictEqual(port.in("pending"), limits.pending)
    assert.isAtMost(port.in("arriving"), limits.arriving)
    assert.strictEqual(port.in("proven"), 100)
    assert.strictEqual(port.stranger("good"), "all")
  })

  it("a newcomer takes the place of the one that has been arriving for the longest time", () => {
    const port = new Port()
    times(limits.arrivingPerNetwork, () => port.arrive("shared"))
    const verdict = Admission.arrive(port.admission, 1_000, "shared", port.now)
    assert.isTrue(verdict._tag === "Admitted" && verdict.instead === 1)
  })

  it("a client that sends nothing after the upgrade gives its place to a newcomer after a while", () => {
    const port = new Port()
    times(limits.pendingPerNetwork, () => port.stranger("shared"))
    assert.strictEqual(port.stranger("shared"), "network")
    port.now += limits.patience
    const arrived = port.arrive("shared")
    assert.isNumber(arrived)
    if (typeof arrived !== "number") return
    const verdict = Admission.enter(port.admission, arrived, false, port.now)
    assert.isTrue(verdict._tag === "Admitted" && verdict.instead === 1)
  })

  it("when strangers have taken all their room, the network that has the most gives way", () => {
    const port = new Port()
    const honest = port.stranger("honest")
    for (const bad of ["x", "y", "z"]) times(limits.pendingPerNetwork, () => port.stranger(bad))
    times(limits.pendingPerNetwork - 1, () => port.stranger("w"))
    port.now += limits.patience
    assert.isNumber(port.stranger("another"))
    assert.isTrue(typeof honest === "number" && port.admission.has(honest))
    assert.strictEqual(port.in("pending", "x"), limits.pendingPerNetwork - 1)
  })

  it("members of one network leave room for others, and never give way", () => {
    const port = new Port()
    times(limits.perNetwork, () => assert.isNumber(port.member("one")))
    port.now += 60_000
    assert.strictEqual(port.arrive("one"), "network")
    times(limits.total - limits.perNetwork, () => assert.isNumber(port.member("two")))
    assert.strictEqual(port.arrive("three"), "all")
    assert.strictEqual(port.in("proven"), limits.total)
  })

  it("a hundred members of one address are all let in, a few at a time", () => {
    const port = new Port()
    times(100, () => assert.isNumber(port.member("shared")))
  })

  it("more tickets than there is room for are strangers again", () => {
    const port = new Port()
    times(limits.knownPerNetwork + 3, () => {
      const id = port.arrive("shared")
      if (typeof id === "number") port.enter(id, true)
    })
    assert.deepStrictEqual([port.in("known"), port.in("pending")], [limits.knownPerNetwork, 3])
  })

  it("a client that had to give way does not get in through its upgrade", () => {
    const port = new Port()
    const first = port.arrive("shared")
    times(limits.arrivingPerNetwork, () => port.arrive("shared"))
    assert.strictEqual(typeof first === "number" && port.enter(first, true), "network")
  })

  /** One thing that strangers of a network do. */
  const act = (port: Port, network: string, choice: number) => {
    const own = [...port.admission].filter(([, guest]) => guest.network === network && guest.room !== "known")
    const [someone] = own[choice % Math.max(1, own.length)] ?? []
    if (choice % 10 === 7) port.now += (choice % 5) * 400
    else if (choice % 10 === 8 && someone !== undefined) port.admission = Admission.leave(port.admission, someone)
    else if (choice % 10 > 4 && someone !== undefined) port.enter(someone)
    else return port.arrive(network)
    return undefined
  }

  it.prop(
    "a member with a ticket is let in and stays, whatever strangers of its network do",
    [
      Schema.Array(Schema.Natural).check(Schema.isMaxLength(400)),
      Schema.Array(Schema.Natural).check(Schema.isMaxLength(limits.arrivingPerNetwork - 1)),
      Schema.Array(Schema.Natural).check(Schema.isMaxLength(400))
    ],
    ([before, during, after]) => {
      const port = new Port()
      for (const choice of before) act(port, "shared", choice)
      const member = port.arrive("shared")
      assert.isNumber(member)
      if (typeof member !== "number") return
      // Others may come, leave and be upgraded, but for the member itself, which takes its time.
      for (const choice of during) {
        if (choice % 10 <= 4) port.arrive("shared")
        else if (choice % 10 > 8) {
          const [other] = [...port.admission.keys()].filter((id) => id !== member)
          if (other !== undefined) port.enter(other)
        }
      }
      assert.strictEqual(port.enter(member, true), member)
      assert.strictEqual(port.admission.get(member)?.room, "known")
      for (const choice of after) act(port, "shared", choice)
      assert.strictEqual(port.admission.get(member)?.room, "known")
    },
    runs(1_000, 200)
  )

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
        } else if (choice % 10 > 3 && someone !== undefined && port.admission.get(someone)?.room === "arriving")
          port.enter(someone, choice % 3 === 0)
        else port.arrive(`network ${(choice + index) % 9}`)
        const sizes = new Map<string, number>()
        for (const { room, network } of port.admission.values()) {
          for (const key of [room, network, `${room} ${network}`]) sizes.set(key, (sizes.get(key) ?? 0) + 1)
        }
        const sizeOf = (key: string) => sizes.get(key) ?? 0
        assert.isTrue(port.admission.size <= limits.total)
        const rooms = [
          ["arriving", limits.arriving, limits.arrivingPerNetwork],
          ["pending", limits.pending, limits.pendingPerNetwork],
          ["known", limits.known, limits.knownPerNetwork]
        ] as const
        for (const [room, inAll] of rooms) assert.isTrue(sizeOf(room) <= inAll, room)
        for (let n = 0; n < 9; n++) {
          assert.isTrue(sizeOf(`network ${n}`) <= limits.perNetwork)
          for (const [room, , most] of rooms) assert.isTrue(sizeOf(`${room} network ${n}`) <= most, room)
        }
        for (const id of members) assert.strictEqual(port.admission.get(id)?.room, "proven")
      }
    },
    runs(300, 400)
  )
})
