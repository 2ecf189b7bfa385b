import { assert, describe, it } from "@effect/vitest"
import { seeded } from "../support/Seeded.ts"
import { type Happening, type Scenario, scenarioOf } from "./Scenario.ts"
import { shrink, without } from "./Shrink.ts"

const hostsOf = ({ nodes, old }: Scenario): number => nodes + old.length

/** Whether there is a way from every host to every other, along dials between ours and from old ones to ours. */
const isOnePiece = (scenario: Scenario): boolean => {
  const met = new Set([0])
  for (const host of met) {
    for (const [from, to] of scenario.dials) {
      if (from === host) met.add(to)
      if (to === host) met.add(from)
    }
  }
  return met.size === hostsOf(scenario)
}

const assertDrawable = (scenario: Scenario): void => {
  assert.isAtLeast(scenario.nodes, 1)
  for (const [from, to] of scenario.dials) {
    assert.isBelow(from, hostsOf(scenario))
    assert.isBelow(to, scenario.nodes)
    assert.notStrictEqual(from, to)
  }
  assert.strictEqual(new Set(scenario.dials.map(String)).size, scenario.dials.length)
  for (const { happening } of scenario.happenings) {
    if (happening._tag === "Partition") {
      assert.isBelow(happening.side, 2 ** hostsOf(scenario))
      continue
    }
    assert.isBelow(happening.node, happening._tag.startsWith("Old") ? scenario.old.length : scenario.nodes)
    if (happening._tag === "Cut") assert.isBelow(happening.other, scenario.nodes)
  }
  assert.isTrue(isOnePiece(scenario))
}

const tags = ({ happenings }: Scenario): ReadonlyArray<string> => happenings.map(({ happening }) => happening._tag)

/** Six nodes and two old ones, with a delay, to which these happen among much else. */
const scenarioWith = (...wanted: ReadonlyArray<Happening>): Scenario => {
  const drawn = Array.from({ length: 500 }, (_, seed) => scenarioOf(seed, { nodes: 6 }))
  const scenario = drawn.find(({ old, latency, happenings }) => old.length > 1 && latency > 0 && happenings.length > 30)
  if (scenario === undefined) throw new Error("no seed draws such a scenario")
  const happenings = wanted.reduce(
    (list, happening, index) => list.toSpliced((index + 1) * 8, 0, { after: 7, happening }),
    scenario.happenings
  )
  return { ...scenario, old: [false, true], happenings }
}

describe("shrinking", () => {
  it("shrinking keeps only what the failure needs", () => {
    const crash: Happening = { _tag: "Crash", node: 3, power: true, downFor: 1_111 }
    const stall: Happening = { _tag: "Stall", node: 3, lasts: 2_222 }
    const fails = ({ happenings }: Scenario) => {
      const first = happenings.findIndex(({ happening }) => happening._tag === "Crash" && happening.downFor === 1_111)
      return happenings.some(
        ({ happening }, index) => index > first && first >= 0 && happening._tag === "Stall" && happening.lasts === 2_222
      )
    }
    const { scenario } = shrink(scenarioWith(crash, stall), fails)
    const left = scenario.happenings.map(({ happening }) => happening)
    assert.deepStrictEqual(left, [
      { ...crash, node: 0 },
      { ...stall, node: 0 }
    ])
    assert.deepInclude(scenario, { nodes: 1, old: [], dials: [], latency: 0 })
  })

  it("shrinking keeps the hosts that the failure needs, with their kinds", () => {
    const cut: Happening = { _tag: "Cut", node: 4, other: 2 }
    const write: Happening = { _tag: "OldWrite", node: 1, row: 99 }
    const fails = ({ old, happenings }: Scenario) =>
      happenings.some(({ happening }) => happening._tag === "Cut" && happening.node !== happening.other) &&
      happenings.some(({ happening }) => happening._tag === "OldWrite" && happening.row === 99 && old[happening.node])
    const { scenario } = shrink(scenarioWith(cut, write), fails)
    assert.deepInclude(scenario, { nodes: 2, old: [true], latency: 0 })
    assert.deepStrictEqual(tags(scenario).toSorted(), ["Cut", "OldWrite"])
    assertDrawable(scenario)
  })

  it("keeps the sides of a partition", () => {
    for (let host = 0; host < 8; host++) {
      const splits = (scenario: Scenario) =>
        scenario.happenings.some(
          ({ happening }) =>
            happening._tag === "Partition" &&
            happening.lasts === 3_333 &&
            happening.side > 0 &&
            happening.side < 2 ** hostsOf(scenario) - 1
        )
      const { scenario } = shrink(scenarioWith({ _tag: "Partition", side: 2 ** host, lasts: 3_333 }), splits)
      assert.strictEqual(hostsOf(scenario), 2)
      assert.deepStrictEqual(tags(scenario), ["Partition"])
    }
  })

  it("tries only what could have been drawn", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const scenario = scenarioOf(seed)
      assertDrawable(scenario)
      const random = seeded(seed)
      shrink(scenario, (candidate) => {
        assertDrawable(candidate)
        return random() < 0.3
      })
    }
  })

  it("removing a host keeps the time of its events", () => {
    const scenario = scenarioOf(3, { nodes: 4 })
    const span = ({ happenings }: Scenario) => happenings.reduce((sum, { after }) => sum + after, 0)
    const last: Happening = { _tag: "Write", node: 0, kind: "notes", row: 0, isDelete: false }
    const longer = { ...scenario, happenings: [...scenario.happenings, { after: 5, happening: last }] }
    for (let host = 1; host < hostsOf(longer); host++) {
      assert.strictEqual(span(without(longer, host)), span(longer))
    }
  })

  it("joins no nodes anew when an old one goes", () => {
    const ours = Array.from({ length: 5 }, (_, node) => [node, node + 1] as const)
    const scenario: Scenario = { ...scenarioWith(), old: [true], dials: [...ours, [6, 0], [6, 5]] }
    const fewer = without(scenario, 6)
    assert.deepStrictEqual(fewer.old, [])
    assert.deepStrictEqual(fewer.dials, ours)
  })

  it("tries no more than it may, and gives back what it was given when nothing smaller fails", () => {
    const scenario = scenarioOf(1, { nodes: 12 })
    for (const maxRuns of [0, 1, 17, 300]) {
      for (const isFailing of [true, false]) {
        let runs = 0
        const shrunk = shrink(scenario, () => (runs++, isFailing), maxRuns)
        assert.isAtMost(runs, maxRuns)
        assert.strictEqual(shrunk.runs, runs)
        if (!isFailing) assert.strictEqual(shrunk.scenario, scenario)
      }
    }
  })
})
