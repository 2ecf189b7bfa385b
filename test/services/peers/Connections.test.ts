import { assert, describe, it } from "@effect/vitest"
import * as Connections from "../../../src/services/peers/Connections.ts"
import { node } from "../../support/Network.ts"

const begun = (peer: string, at: number) => ({ peer: node(peer), host: "h", isDialled: true, at })

describe("Connections", () => {
  it("have a beginning, an end and a reason, the newest first", () => {
    const all = Connections.make()
    Connections.began(all, 1, begun("a", 1_000))
    Connections.began(all, 2, { ...begun("a", 2_000), isDialled: false })
    Connections.ended(all, 1, 5_000, "PeerClosed", "the peer closed")
    const last = { began_at: 2, ended_at: null, dialled_by: "peer", host: "h" }
    const over = {
      began_at: 1,
      ended_at: 5,
      dialled_by: "us",
      host: "h",
      end: "PeerClosed",
      problem: "the peer closed"
    }
    assert.deepStrictEqual<unknown>(all.byPeer.get(node("a")), [last, over])
    all.closing.set(2, "paused")
    Connections.ended(all, 2, 6_000, "duplicate", undefined)
    assert.deepStrictEqual<unknown>(all.byPeer.get(node("a"))?.[0], { ...last, ended_at: 6, end: "paused" })
    // One that was never established is not known here.
    Connections.ended(all, 3, 7_000, "PeerUnreachable", "x")
    assert.lengthOf(all.byPeer.get(node("a")) ?? [], 2)
    assert.deepStrictEqual([all.open.size, all.closing.size], [0, 0])
  })

  it("are bounded, for a peer and in peers", () => {
    const all = Connections.make()
    for (let link = 0; link < 2 * Connections.kept.connections; link++) {
      Connections.began(all, link, begun("a", link))
      Connections.ended(all, link, link, "PeerClosed", undefined)
    }
    assert.lengthOf(all.byPeer.get(node("a")) ?? [], Connections.kept.connections)
    for (let link = 0; link <= Connections.kept.peers; link++) Connections.began(all, link, begun(`p${link}`, link))
    assert.strictEqual(all.byPeer.size, Connections.kept.peers)
    assert.isFalse(all.byPeer.has(node("a")))
  })
})
