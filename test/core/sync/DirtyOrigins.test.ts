/** Which origins may hold something that a peer lacks. */
import { assert, describe, it } from "@effect/vitest"
import { HashMap, Option } from "effect"
import * as DirtyOrigins from "../../../src/core/sync/DirtyOrigins.ts"
import { times } from "../../../src/core/sync/SessionLimits.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { node } from "../../support/Network.ts"

const [self, b, c] = [node("self"), node("b"), node("c")]
const at = (wall: number) => ({ wall, counter: 0 })
const now = 1_000
const request = { from: [], since: 0, maxBytes: 1, maxOperations: 1 }
const none = { ranges: new Map(), supersessions: new Map() }
const dirty = HashMap.make(
  [b, { from: at(1), due: now, latest: now, supersedesOwn: false }],
  [c, { from: at(1), due: now, latest: now, supersedesOwn: false }]
)
const changed = (change: Parameters<typeof DirtyOrigins.withChanged>[1], before = dirty) =>
  DirtyOrigins.withChanged(before, change, {
    request,
    atRequest: before,
    known: VectorClock.fromEntries([[c, at(5)]]),
    self,
    now
  })
const isMarked = (origins: DirtyOrigins.DirtyOrigins) =>
  [b, c].filter((one) => Option.exists(HashMap.get(origins, one), ({ supersedesOwn }) => supersedesOwn))

describe("the dirty origins", () => {
  it("stay as they are when nothing was written", () => assert.strictEqual(changed(none), dirty))

  it("hold what won over ours, also by way of a third, though nothing was written", () => {
    assert.deepStrictEqual(isMarked(changed({ ...none, supersessions: new Map([[b, new Set([self])]]) })), [b])
    const chain = new Map([
      [c, new Set([b])],
      [b, new Set([self])]
    ])
    assert.deepStrictEqual(isMarked(changed({ ...none, supersessions: chain })), [b, c])
    assert.deepStrictEqual(isMarked(changed({ ...none, supersessions: new Map([[c, new Set([b])]]) })), [])
  })

  it("are those beyond what the peer has: ours at once, those of others after a while", () => {
    const range = (least: number, greatest: number) => ({ least: at(least), greatest: at(greatest) })
    const ranges = new Map([
      [self, range(7, 9)],
      [b, range(3, 4)],
      [c, range(2, 5)]
    ])
    const after = changed({ ...none, ranges }, DirtyOrigins.none)
    const relayed = { due: now + times.relay, latest: now + times.relayBusy, supersedesOwn: false }
    assert.deepStrictEqual(
      new Map(HashMap.entries(after)),
      new Map([
        [self, { from: { wall: 6, counter: Number.MAX_SAFE_INTEGER }, due: now, latest: now, supersedesOwn: false }],
        [b, { from: { wall: 2, counter: Number.MAX_SAFE_INTEGER }, ...relayed }]
      ])
    )
    const theirs = Option.getOrThrow(HashMap.get(after, b))
    assert.strictEqual(DirtyOrigins.dueOf(theirs, false), now + times.relay)
    assert.strictEqual(DirtyOrigins.dueOf(theirs, true), now + times.relayBusy)
  })
})
