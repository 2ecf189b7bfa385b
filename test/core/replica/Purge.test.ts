/** Rows that an operator removed from one replica and not from another. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import * as Digest from "../../../src/core/replica/Digest.ts"
import type { NodeId } from "../../../src/core/replica/NodeId.ts"
import { Kind, type Operation } from "../../../src/core/replica/Operation.ts"
import * as Purge from "../../../src/core/replica/Purge.ts"
import * as Session from "../../../src/core/sync/Session.ts"
import { integer, runs } from "../../support/Generators.ts"
import { NaiveReplica } from "../../support/NaiveReplica.ts"
import { Link, node, write } from "../../support/Network.ts"
import { assertConverged, rows, settle } from "../../support/Settle.ts"

const kinds = ["junk", "spam", "notes"]
const scopes: ReadonlyArray<Purge.Scope> = [
  { kind: Kind.make("junk") },
  { kind: Kind.make("spam") },
  { origin: node("rogue") }
]

/** Operations of two origins, of an unknown kind or of a known one. */
const history = (steps: ReadonlyArray<number>): ReadonlyArray<Operation> =>
  steps.map((step, n) =>
    write(node(step % 2 === 0 ? "rogue" : "other"), { wall: 1_000 + n, counter: 0 }, `row-${n}`, kinds[step % 3])
  )

/** Replicas that hold the same, with sessions in a ring. */
const network = (names: ReadonlyArray<string>, operations: ReadonlyArray<Operation>) => {
  const clock = { now: 1_000_000 }
  const replicas = names.map((name) => new NaiveReplica(node(name)))
  const [first] = replicas
  for (const origin of new Set(operations.map(({ hlc }) => hlc.node))) {
    first?.append(operations.filter(({ hlc }) => hlc.node === origin))
  }
  const links: Array<Link> = []
  const connect = (a: NaiveReplica, b: NaiveReplica) => links.push(new Link(a, b, () => clock.now))
  for (const [index, replica] of replicas.entries()) {
    const next = replicas[(index + 1) % replicas.length]
    if (next !== undefined && next !== replica && (replicas.length > 2 || index === 0)) connect(replica, next)
  }
  const rest = () => settle(links, clock)
  rest()
  return { replicas, links, connect, rest }
}

const isPurged = (scope: Purge.Scope, { table, hlc }: Operation) =>
  "kind" in scope ? table === scope.kind : hlc.node === scope.origin

describe("a purge", () => {
  it.prop(
    "is never taken back by peers, raises no alarm, and leaves all replicas equal once each of them was purged",
    [
      Arbitrary.array(integer(0, 11), { minLength: 1, maxLength: 30 }),
      integer(0, scopes.length - 1),
      Arbitrary.array(integer(0, 2), { minLength: 3, maxLength: 3 })
    ],
    ([steps, which, order]) => {
      const scope = scopes[which] ?? { kind: Kind.make("junk") }
      const { replicas, links, rest } = network(["a", "b", "c"], history(steps))
      assertConverged(replicas)
      const todo = [...new Set([...order, 0, 1, 2])]
      for (const [done, index] of todo.entries()) {
        replicas[index]?.purge(scope)
        rest()
        for (const n of todo.slice(0, done + 1)) {
          assert.isFalse([...(replicas[n]?.state.values() ?? [])].some((operation) => isPurged(scope, operation)))
        }
      }
      assertConverged(replicas)
      for (const { ends } of links) {
        for (const end of ends) {
          assert.strictEqual(end.divergences, 0)
          assert.isUndefined(Session.view(end.session).purged)
        }
      }
    },
    runs(200)
  )

  it("is named on both sides until the other one is purged too", () => {
    const { replicas, links, rest } = network(["a", "b"], history([0, 3, 6, 1, 2]))
    replicas[0]?.purge({ kind: Kind.make("junk") })
    rest()
    const views = links.flatMap(({ ends }) => ends.map(({ session }) => Session.view(session)))
    assert.strictEqual(
      views[0]?.purged?.message,
      "b holds 3 rows that this node has purged; run the same feral-sync purge there"
    )
    assert.strictEqual(
      views[1]?.purged?.message,
      "a has purged 3 rows that this node holds; run the same feral-sync purge on this node"
    )
    assert.deepStrictEqual(
      views.map(({ diverged }) => diverged),
      [false, false]
    )
    replicas[1]?.purge({ kind: Kind.make("junk") })
    rest()
    for (const { ends } of links) for (const end of ends) assert.isUndefined(Session.view(end.session).purged)
  })

  it("hides no other difference", () => {
    const { replicas, links, rest } = network(["a", "b"], history([0, 3, 6, 1, 2]))
    replicas[0]?.purge({ kind: Kind.make("junk") })
    rest()
    const lost = [...(replicas[1]?.state ?? [])].find(([, { table }]) => table === "notes")
    assert.isDefined(lost)
    replicas[1]?.damage((state) => void state.delete(lost?.[0] ?? ""))
    rest()
    assert.isAbove(Math.max(...links.flatMap(({ ends }) => ends.map(({ divergences }) => divergences))), 0)
    // The repair brings back what was lost, and not what was purged.
    assert.isTrue(replicas[1]?.state.has(lost?.[0] ?? ""))
    assert.isFalse([...(replicas[0]?.state.values() ?? [])].some(({ table }) => table === "junk"))
  })

  it("leaves a node that joins later equal to those that were purged", () => {
    const { replicas, links, connect, rest } = network(["a", "b"], history([0, 3, 6, 1, 2, 4]))
    for (const replica of replicas) replica.purge({ kind: Kind.make("junk") })
    rest()
    const late = new NaiveReplica(node("late"))
    const [first] = replicas
    if (first !== undefined) connect(first, late)
    rest()
    assertConverged([...replicas, late])
    assert.isTrue(links.every(({ ends }) => ends.every(({ divergences }) => divergences === 0)))
  })

  it("takes what the origin writes afterwards", () => {
    const { replicas, rest } = network(["a", "b"], history([0, 6]))
    for (const replica of replicas) replica.purge({ origin: node("rogue") })
    const after = write(node("rogue"), { wall: 5_000, counter: 0 }, "later", "junk")
    replicas[0]?.append([after])
    rest()
    assertConverged(replicas)
    assert.strictEqual(rows(replicas[1] ?? new NaiveReplica(node("x"))).length, 1)
  })
})

describe("the sum of what was purged", () => {
  const part = (run: number, origin: NodeId, low: number): Purge.Purge => ({
    run,
    kind: Kind.make("junk"),
    origin,
    through: { wall: 9, counter: 0 },
    rows: 2,
    bytes: 10,
    digest: { high: 0, low }
  })
  const purges = Purge.fromList([
    part(1, node("m"), 1),
    part(2, node("m"), 10),
    part(2, node("n"), 20),
    part(3, node("m"), 100)
  ])
  const ours = { high: 7, low: 1_000 }
  const digest = (low: number) => Digest.toText({ high: 7, low })

  for (const [name, theirs, expected] of [
    ["nothing", digest(1_000), undefined],
    ["the last run", digest(1_100), 2],
    ["the last two runs, with all origins", digest(1_130), 6],
    ["all runs", digest(1_131), 8],
    ["a part of a run", digest(1_120), undefined],
    ["an earlier run alone", digest(1_001), undefined],
    ["something else", digest(5), undefined]
  ] as const) {
    it(`explains ${name} ${expected === undefined ? "not at all" : `as ${expected} rows`}`, () => {
      assert.strictEqual(Purge.explains(purges, ours, theirs), expected)
    })
  }
})
