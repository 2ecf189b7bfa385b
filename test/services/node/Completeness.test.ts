import { assert, describe, it } from "@effect/vitest"
import * as Completeness from "../../../src/services/node/Completeness.ts"
import { peerStatus } from "../../support/Statuses.ts"

const counts = { notes: 30, knowledge: 5, episodes: 0, execution_log: 7, tombstones: 100, quarantine: 1 }
const status = { node_id: "here", counts, peers: [] }

describe("Completeness", () => {
  it("a read of a node that lacks nothing has looked at all rows of its kinds", () => {
    const node = { node: "here", in_sync: true, behind: [] }
    assert.deepStrictEqual(Completeness.of(status, { found: 0 }), { found: 0, searched: 42, ...node })
    const live = { ...status, peers: [peerStatus("nas")] }
    assert.deepStrictEqual(Completeness.of(live, { found: 3, kinds: ["notes"] }), { found: 3, searched: 30, ...node })
  })

  it("rows that are not indexed yet were not looked at", () => {
    const read = Completeness.of(status, { found: 2, indexing: { done: 10, total: 35 } })
    assert.deepInclude(read, { searched: 17, in_sync: false })
    assert.isTrue(Completeness.of(status, { found: 2, indexing: { done: 35, total: 35 } }).in_sync)
  })

  it("another node may have what is missing", () => {
    const peers = [
      peerStatus("desk"),
      peerStatus(null, { state: "connecting" }),
      peerStatus("nas", { state: "backoff", last_seen_at: 7 }),
      peerStatus("pi", { state: "syncing", we_lack: { origins: 2 } }),
      peerStatus("tv", { we_lack: { origins: 1, operations: 5 } })
    ]
    const absent = [{ node_id: "old", last_seen_at: 3, it_lacks: { operations: 9 } }]
    const { in_sync, behind } = Completeness.of({ ...status, peers, absent }, { found: 0 })
    assert.isFalse(in_sync)
    assert.deepStrictEqual(behind, [
      { node: "tv", operations: 5 },
      { node: "pi", operations: 2 },
      { node: "10.0.0.5:9090", operations: 0 },
      { node: "nas", operations: 0, last_seen_at: 7 },
      { node: "old", operations: 0, last_seen_at: 3 }
    ])
  })
})
