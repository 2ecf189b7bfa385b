/** What a user sees first, and in which order. */
import { assert, describe, it } from "@effect/vitest"
import { DeferredByPeer, DuplicateNodeId, nextSteps, OriginsLeftOut } from "../../../../src/core/sync/SyncFailure.ts"
import * as Oddities from "../../../../src/core/sync/Oddities.ts"
import * as Alarms from "../../../../src/services/admin/api/Alarms.ts"
import type { PeerStatus } from "../../../../src/services/node/Status.ts"
import { peer } from "../../../support/Surroundings.ts"

const now = 1_000_000_000
const calm: Alarms.Seen = { peers: [], oddities: Oddities.none, origins: 2, lastWall: now, now, maxDriftMs: 300_000 }
const saying = ({ _tag, message }: { readonly _tag: string; readonly message: string }): PeerStatus => ({
  ...peer,
  last_error: { _tag, message }
})
const offset = (clock_offset_ms: number): PeerStatus => ({ ...peer, last_error: null, clock_offset_ms })
const some = { count: 2, first: "notes n" }

const tags = (seen: Partial<Alarms.Seen>) => Alarms.of({ ...calm, ...seen }).map(({ _tag }) => _tag)

describe("alarms", () => {
  const deferred = saying(new DeferredByPeer({ wall: now + 1_000_000, local: now }))
  const duplicate = saying(new DuplicateNodeId({ nodeId: "n", at: ["a", "b"] }))
  const leftOut = saying(new OriginsLeftOut({ count: 3, origins: ["o1", "o2", "o3"] }))
  const cases: ReadonlyArray<readonly [string, Partial<Alarms.Seen>, ReadonlyArray<string>]> = [
    ["nothing", {}, []],
    ["a peer that cannot be reached", { peers: [peer] }, []],
    ["rows that peers defer", { peers: [deferred] }, ["DeferredByPeer"]],
    ["the same on a node with no peers", { lastWall: now + 300_001 }, ["ClockAhead"]],
    ["a clock within the bound", { lastWall: now + 300_000 }, []],
    ["a clock that is ahead of all peers", { peers: [offset(-400_000)] }, ["ClockFast"]],
    ["a clock that is ahead of one peer of three", { peers: [offset(-400_000), offset(0), offset(5)] }, []],
    ["two nodes with one id, told twice", { peers: [duplicate, duplicate] }, ["DuplicateNodeId"]],
    ["own operations of another node", { oddities: { ...Oddities.none, foreign: some } }, ["OwnOperationsForeign"]],
    ["own operations that came back", { oddities: { ...Oddities.none, cameBack: some } }, ["OwnOperationsReturned"]],
    ["as many origins as there can be", { origins: 9_999 }, ["OriginsFull"]],
    ["origins that a peer brings and that wait", { peers: [leftOut] }, ["OriginsLeftOut"]],
    ["timestamps used twice", { oddities: { ...Oddities.none, twice: some } }, ["TimestampReused"]],
    [
      "all at once",
      { peers: [duplicate, deferred], oddities: { cameBack: some, foreign: some, twice: some } },
      ["DeferredByPeer", "DuplicateNodeId", "OwnOperationsForeign", "TimestampReused", "OwnOperationsReturned"]
    ]
  ]
  for (const [name, seen, expected] of cases) {
    it(`${name}: ${expected.join(", ") || "none"}`, () => assert.deepStrictEqual(tags(seen), expected))
  }

  it("each ends with its next step; what may be as it should be is a notice", () => {
    const all = Alarms.of({
      ...calm,
      peers: [duplicate, deferred],
      oddities: { cameBack: some, foreign: some, twice: some }
    })
    for (const { _tag, level, message } of [...all, ...Alarms.of({ ...calm, lastWall: now + 1e9 })]) {
      assert.isTrue(
        Object.values(nextSteps).some((step) => message.endsWith(step)),
        message
      )
      assert.strictEqual(level, _tag === "OwnOperationsReturned" ? "notice" : "alarm")
    }
  })
})
