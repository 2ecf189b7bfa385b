import { assert, describe, it } from "@effect/vitest"
import type { Remembered } from "../../../src/core/sync/v1/V1Exchange.ts"
import * as V1Memory from "../../../src/core/sync/v1/V1Memory.ts"
import { slotOf } from "../../../src/core/replica/Merge.ts"
import type { NodeId } from "../../../src/core/replica/NodeId.ts"
import * as Roster from "../../../src/core/peers/Roster.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { PassphraseUnset } from "../../../src/core/sync/SyncFailure.ts"
import * as PeerTable from "../../../src/services/peers/PeerTable.ts"
import * as PeerView from "../../../src/services/peers/PeerView.ts"
import * as V1Peers from "../../../src/services/peers/V1Peers.ts"
import { node, write } from "../../support/Network.ts"
import { report } from "../../../src/services/node/Status.ts"

const [roster] = Roster.initial({ self: node("us"), mdns: true, mdnsTimeout: 30_000, interval: 30_000, peers: [] }, 0)

const address = (port: number) => ({ host: "10.0.0.7", port })

const met = (
  table: PeerTable.PeerTable,
  peer: NodeId,
  at: number,
  {
    memory = {},
    port = 9090,
    isDialled = true,
    labels = new Map(),
    late = new Map()
  }: {
    readonly memory?: Partial<V1Memory.Memory>
    readonly port?: number
    readonly isDialled?: boolean
    readonly labels?: Remembered["labels"]
    readonly late?: Remembered["late"]
  } = {}
) =>
  V1Peers.noteExchange(
    table.v1,
    { peer, memory: { ...V1Memory.none, ...memory }, labels, late },
    { connection: { remote: address(port), tls: "none" }, isDialled, at },
    undefined
  )

const shown = (table: PeerTable.PeerTable, now: number) =>
  PeerView.statuses(table, roster, now, 300_000).map(
    ({ node_id, state, last_error }) => `${node_id} ${state} ${last_error?._tag ?? "well"}`
  )

describe("peers that are lost", () => {
  const lost = (lostAt: number) => {
    const table = PeerTable.make()
    table.lost.set(node("b"), {
      remote: address(1),
      isDialled: false,
      lastSyncAt: 2_000,
      usesPrevious: false,
      seenAt: lostAt
    })
    return table
  }

  it("are shown with their last sync, for a week", () => {
    const table = lost(5_000)
    const [peer, ...more] = PeerView.statuses(table, roster, 45_000, 300_000)
    assert.deepStrictEqual(more, [])
    assert.deepInclude(peer, { node_id: "b", address: "10.0.0.7", last_sync_at: 2, last_seen_at: 5, state: "backoff" })
    assert.deepStrictEqual(PeerView.statuses(table, roster, 8 * 86_400_000, 300_000), [])
  })

  it("are not those that took their leave", () => {
    const table = lost(5_000)
    PeerTable.noteGoodbye(table, node("b"), 6_000)
    assert.deepStrictEqual(PeerView.statuses(table, roster, 7_000, 300_000), [])
  })
})

describe("existing FERAL nodes in the table", () => {
  it("one that took a new id at its address leaves no other behind", () => {
    const table = PeerTable.make()
    for (const name of ["first", "second", "third"]) met(table, node(name), 1_000)
    assert.deepStrictEqual(shown(table, 2_000), ["third live well"])
  })

  it("one that comes no more is missed, and then forgotten", () => {
    const table = PeerTable.make()
    met(table, node("first"), 0, { port: 50_000, isDialled: false })
    met(table, node("second"), 100_000, { port: 50_001, isDialled: false })
    assert.deepStrictEqual(shown(table, 80_000), ["first live well", "second live well"])
    assert.deepStrictEqual(shown(table, 100_000), ["first backoff PeerTimeout", "second live well"])
    assert.deepStrictEqual(shown(table, 400_000), ["second backoff PeerTimeout"])
    assert.deepStrictEqual(shown(table, 1_000_000), [])
  })

  it("what one does not take is said, in words that name the row", () => {
    const table = PeerTable.make()
    const tooLarge = new Map([["row", { table: "notes", row_id: "01a2", bytes: 3 * 1024 * 1024, limit: 1024 * 1024 }]])
    assert.strictEqual(met(table, node("old"), 0, { memory: { tooLarge } }).length, 1)
    assert.strictEqual(met(table, node("old"), 0, { memory: { tooLarge } }).length, 0, "no news")
    const [status] = PeerView.statuses(table, roster, 0, 300_000)
    assert.strictEqual(
      status?.last_error?.message,
      "1 row is larger than the 1.0 MiB that this existing FERAL node accepts (notes 01a2, 3.0 MiB); split these rows into smaller ones"
    )
    met(table, node("old"), 0, { memory: { takesNothing: true } })
    assert.deepStrictEqual(shown(table, 0), ["old live NoScopeGranted"])
  })

  it("the failure of one that comes from another port each time is news once", () => {
    const table = PeerTable.make()
    const fail = (port: number, at: number) => {
      const error = report(new PassphraseUnset({ by: `10.0.0.7:${port}` }))
      return PeerTable.noteFailure(table, "from 10.0.0.7", address(port), { error, at, isRefusal: true })
    }
    const news = Array.from({ length: 50 }, (_, round) => fail(50_000 + round, round * 30_000))
    assert.deepStrictEqual(news.indexOf(true), 0)
    assert.deepStrictEqual(news.lastIndexOf(true), 0)
    assert.isTrue(fail(60_000, 10_000_000), "and again after a long while")
  })

  it("what came after the clock of one had passed it waits for it, until something newer is in its place", () => {
    const table = PeerTable.make()
    const third = node("third")
    met(table, node("old"), 0, { memory: { shown: VectorClock.fromEntries([[third, { wall: 9, counter: 0 }]]) } })
    const late = write(third, { wall: 5, counter: 0 }, "late")
    const waiting = () => [...(table.v1.late.get(node("old"))?.values() ?? [])].map(({ row_id }) => String(row_id))
    V1Peers.noteChange(table.v1, [late, write(third, { wall: 10, counter: 0 }, "in time")])
    assert.deepStrictEqual(waiting(), ["late"])
    V1Peers.noteChange(table.v1, [write(node("old"), { wall: 5, counter: 0 }, "its own")])
    assert.deepStrictEqual(waiting(), ["late"])
    V1Peers.noteChange(table.v1, [write(third, { wall: 11, counter: 0 }, "late")])
    assert.deepStrictEqual(waiting(), [])
    V1Peers.noteChange(table.v1, [late])
    met(table, node("old"), 0, { late: new Map([[slotOf(late), late]]) })
    assert.deepStrictEqual(waiting(), [], "it was sent")
  })
})
