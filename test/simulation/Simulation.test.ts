import { assert, describe, it } from "@effect/vitest"
import { type Happening, type Lie, lies, scenarioOf } from "./Scenario.ts"
import { simulate } from "./Simulation.ts"

describe("a simulation", () => {
  // With existing FERAL nodes, with a hostile member, and on disk.
  for (const seed of [1, 7, 5]) {
    it(`is the same for the same seed, to the last step (${seed})`, { timeout: 60_000 }, () => {
      assert.deepStrictEqual(simulate(scenarioOf(seed)), simulate(scenarioOf(seed)))
    })
  }

  it("these seeds have existing FERAL nodes, a hostile member, and databases on disk", () => {
    const [old, hostile, onDisk] = [1, 7, 5].map((seed) => scenarioOf(seed))
    assert.isNotEmpty(old?.old)
    assert.isDefined(hostile?.hostile)
    assert.isNotEmpty(onDisk?.sqlite)
  })

  it("is another one for another seed", { timeout: 60_000 }, () => {
    const scenario = scenarioOf(12)
    const fingerprints = Array.from({ length: 8 }, (_, n) => simulate({ ...scenario, seed: n }).fingerprint)
    assert.strictEqual(new Set(fingerprints).size, fingerprints.length)
  })
})

describe("nodes whose rows differ", () => {
  it(
    "find out again when one of them was given more coverage after it heard of the difference",
    { timeout: 60_000 },
    () => {
      const lie = (node: number, lie: Lie, seed: number) => ({ _tag: "Lie", node, lie, seed }) as const
      const { broken } = simulate({
        seed: 5_409,
        nodes: 3,
        old: [],
        dials: [
          [0, 1],
          [2, 1],
          [1, 2]
        ],
        latency: 0,
        hostile: "until the end",
        happenings: [
          { after: 0, happening: lie(2, "flood", 1_651_973_826) },
          { after: 7_780, happening: { _tag: "Stall", node: 2, lasts: 28_572 } },
          { after: 25_712, happening: lie(2, "garbage", 664_773_127) },
          { after: 0, happening: lie(1, "flood", 1_776_629_138) },
          { after: 8_005, happening: lie(2, "garbage", 1_134_187_509) },
          { after: 0, happening: { _tag: "Write", node: 1, kind: "notes", row: 2, isDelete: true } }
        ]
      })
      assert.strictEqual(broken, undefined)
    }
  )
})

describe("a node", () => {
  it("that is written to while it stops keeps what it acknowledged", { timeout: 60_000 }, () => {
    const { broken, operations } = simulate({
      seed: 5_628,
      nodes: 2,
      old: [],
      sqlite: [0, 1],
      dials: [[1, 0]],
      latency: 0,
      happenings: [
        { after: 1_705, happening: { _tag: "Write", node: 0, kind: "dreams", row: 4, isDelete: false } },
        { after: 0, happening: { _tag: "Restart", node: 0, downFor: 3 } },
        { after: 0, happening: { _tag: "Write", node: 0, kind: "knowledge", row: 1, isDelete: false } }
      ]
    })
    assert.strictEqual(broken, undefined)
    assert.strictEqual(operations, 2)
  })

  it("gets all of more than 1,024 commits that were made while its connection stood still", { timeout: 60_000 }, () => {
    const writes = Array.from({ length: 1_100 }, (_, row) => ({
      after: 0,
      happening: { _tag: "Write", node: 0, kind: "notes", row, isDelete: false } as const
    }))
    const { broken, operations } = simulate({
      seed: 1,
      nodes: 2,
      old: [],
      dials: [[0, 1]],
      latency: 0,
      credit: { bytes: 1, frames: 1 },
      // A frame is under way when the connection stands still: from then on nothing is read.
      happenings: [
        { after: 5_000, happening: { _tag: "Write", node: 0, kind: "notes", row: 2_000, isDelete: false } },
        { after: 0, happening: { _tag: "Stall", node: 1, lasts: 20_000 } },
        ...writes
      ]
    })
    assert.strictEqual(broken, undefined)
    assert.strictEqual(operations, 1_101)
  })
})

describe("a node that restarts while its peer cannot hear it", () => {
  for (const seed of [1010, 1013, 1017, 1018, 1022, 1024, 1028]) {
    it(`is no copy of itself, where the clock of the peer is set back before it hears of that (${seed})`, () => {
      // The clock of one of two is ahead, then all clocks are set right.
      assert.strictEqual(simulate({ ...scenarioOf(393), seed }).broken, undefined)
    })
  }
})

describe("the scenarios", () => {
  it("among them are members that lie in every way that can be drawn", () => {
    const missing = new Set<Lie>(lies)
    let hostile = 0
    for (let seed = 1; seed <= 500; seed++) {
      const scenario = scenarioOf(seed)
      if (scenario.hostile !== undefined) hostile++
      for (const { happening } of scenario.happenings) if (happening._tag === "Lie") missing.delete(happening.lie)
    }
    assert.deepStrictEqual([...missing], [])
    assert.isAtLeast(hostile, 15)
  })

  it("hold everything that can happen", () => {
    const missing: Partial<Record<Happening["_tag"], true>> = {
      Write: true,
      Crash: true,
      Restart: true,
      Cut: true,
      Partition: true,
      Stall: true,
      FullDisk: true,
      ClockJump: true,
      ClockDrift: true,
      Backup: true,
      Restore: true,
      Import: true,
      YearAhead: true,
      Renew: true,
      Look: true,
      Export: true,
      Rejoin: true,
      Lie: true,
      OldWrite: true,
      OldRestart: true,
      OldGarbage: true
    } satisfies Record<Happening["_tag"], true>
    for (let seed = 1; seed <= 500; seed++) {
      for (const { happening } of scenarioOf(seed).happenings) delete missing[happening._tag]
    }
    assert.deepStrictEqual(missing, {})
  })
})
