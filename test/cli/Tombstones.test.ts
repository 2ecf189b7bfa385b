/** What `status` says of deletions: which every node has, over restarts, and whom the rest waits for. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { NodeStatus } from "../../src/services/node/Status.ts"
import { Nodes, run, until } from "../support/Nodes.ts"

let nodes: Nodes
beforeAll(() => {
  nodes = new Nodes()
})
afterAll(() => nodes.dispose())

describe("status", { timeout: 120_000 }, () => {
  it("counts the deletions that every node has, and names who keeps the rest back until it is there or removed", async () => {
    const a = await nodes.make().start()
    const b = await nodes.make({ FERAL_SYNC_PEERS: a.address, FERAL_SYNC_MDNS_TIMEOUT: "0" }).start()
    const shows = (what: string, of: typeof a, wanted: { readonly held: number; readonly stable: number }) =>
      until(
        what,
        () => of.status(),
        ({ tombstones }) => tombstones?.held === wanted.held && tombstones.stable === wanted.stable,
        60_000
      )
    const deleteOne = async (text: string) => {
      const { id } = await a.cli<{ readonly id: string }>("note", "add", text)
      await a.cli("note", "delete", id)
    }
    await deleteOne("first")
    await shows("a knows that b has it", a, { held: 1, stable: 1 })
    await b.cli("note", "add", "an answer")
    await shows("b knows that a has it", b, { held: 1, stable: 1 })

    await b.stop()
    await deleteOne("second")
    const waits = ({ tombstones }: NodeStatus) => {
      const [missing, ...others] = tombstones?.waiting_for ?? []
      assert.deepStrictEqual(others, [])
      assert.strictEqual(missing?.node_id, b.id)
      const agreedAt = missing?.agreed_at ?? 0
      assert.isAbove(agreedAt, 1_700_000_000)
      assert.isAtLeast(missing?.last_seen_at ?? 0, agreedAt)
    }
    waits(await shows("a waits for b", a, { held: 2, stable: 1 }))
    await a.stop()
    waits(await a.cli<NodeStatus>("status"))
    const { stdout } = await run(["status", "--home", a.home])
    assert.match(
      stdout,
      /Tombstones {2}2 deletions kept; every known node has 1 of them; waiting for .+ \(last seen .+\)/
    )
    assert.include(stdout, `peers remove ${b.id}`)

    await a.start({ FERAL_SYNC_PORT: `${a.port}` })
    waits(await shows("a still knows after a restart", a, { held: 2, stable: 1 }))
    await a.cli("peers", "remove", b.id)
    const alone = await shows("b counts no more", a, { held: 2, stable: 2 })
    assert.deepStrictEqual(alone.tombstones, { held: 2, stable: 2, waiting: 0, waiting_for: [] })
    await a.cli("peers", "readmit", b.id)
    await shows("b counts again", a, { held: 2, stable: 1 })
    await b.start()
    await shows("b has got it", a, { held: 2, stable: 2 })
  })
})
