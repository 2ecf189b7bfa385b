/** A node is removed or paused while it is connected: its connection ends, it is told why, and it can be taken back. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { type Node, Nodes, run, until } from "../support/Nodes.ts"

let nodes: Nodes
beforeAll(() => {
  nodes = new Nodes()
})
afterAll(() => nodes.dispose())

interface Removal {
  readonly node_id: string
  readonly was_removed: boolean
  readonly removed: ReadonlyArray<string>
}

describe("peers remove", { timeout: 90_000 }, () => {
  it("ends the connection and hides the node, over a restart as well, until it is readmitted", async () => {
    const a = await nodes.make().start()
    const b = await nodes.make({ FERAL_SYNC_PEERS: a.address, FERAL_SYNC_MDNS_TIMEOUT: "0" }).start()
    const live = () =>
      until(
        "the two are live",
        () => a.status(),
        ({ peers }) => peers.some(({ state, node_id }) => state === "live" && node_id === b.id),
        60_000
      )
    const refused = () =>
      until(
        "it is told why",
        () => b.status(),
        ({ peers }) => peers[0]?.last_error?._tag === "PeerRemoved",
        30_000
      )
    // Whoever is cut off before it says who it is, as a node that is stopped just then, may be shown.
    const hidden = async () => {
      for (const { node_id, last_error } of (await a.status()).peers) {
        assert.isNull(node_id)
        assert.notStrictEqual(last_error?._tag, "PeerRemoved")
      }
    }
    await live()
    const { code, stdout } = await run(["peers", "remove", b.id, "--home", a.home])
    assert.strictEqual(code, 0)
    assert.include(stdout, `Removed ${b.id}. This node closes its connections within seconds`)
    assert.match(stdout, /To lock the device out:\n {2}change the passphrase.*passphrase rotate/)
    const told = await refused()
    assert.match(told.peers[0]?.last_error?.message ?? "", /says: the node .* was removed; .*peers readmit.* there$/)
    await hidden()

    const again = await a.cli<Removal>("peers", "remove", b.id)
    assert.deepStrictEqual(again, { node_id: b.id, was_removed: true, removed: [b.id] })
    await a.stop()
    await a.start({ FERAL_SYNC_PORT: `${a.port}` })
    await b.stop()
    await b.start()
    await refused()
    await hidden()

    const readmitted = await a.cli<Removal>("peers", "readmit", b.id)
    assert.deepStrictEqual(readmitted, { node_id: b.id, was_removed: true, removed: [] })
    await b.stop()
    await b.start()
    await live()

    const self = await run(["peers", "remove", a.id, "--home", a.home])
    assert.strictEqual(self.code, 2)
    assert.include(self.stderr, `${a.id} is this node itself`)
    const strange = await run(["peers", "remove", b.id.slice(1), "--home", a.home])
    assert.strictEqual(strange.code, 2)
    assert.include(strange.stderr, `no known node has the id ${b.id.slice(1)}: see`)
  })

  it("pauses a node that stays listed, over a restart as well, until it is resumed", async () => {
    const a = await nodes.make().start()
    const b = await nodes.make({ FERAL_SYNC_PEERS: a.address, FERAL_SYNC_MDNS_TIMEOUT: "0" }).start()
    const live = () =>
      until(
        "the two are live",
        () => a.status(),
        ({ peers }) => peers.some(({ state, node_id }) => state === "live" && node_id === b.id),
        60_000
      )
    await live()
    assert.deepStrictEqual(await a.cli<unknown>("peers", "pause", b.id), { node_id: b.id, is_paused: true })
    await until(
      "the other one is cut off",
      () => b.status(),
      ({ peers }) => peers[0]?.state !== "live",
      30_000
    )
    await a.stop()
    await a.start({ FERAL_SYNC_PORT: `${a.port}` })
    assert.strictEqual((await a.status()).peers.find(({ node_id }) => node_id === b.id)?.state, "paused")
    const dialled = await b.cli<{ readonly result: string }>("peers", "sync", a.address)
    assert.include(["dialling", "connecting"], dialled.result)
    await until(
      "the other one is told",
      () => b.status(),
      ({ peers }) => peers[0]?.last_error?._tag === "PeerPaused",
      30_000
    )
    const shown = async (node: Node) => (await run(["peers", "--home", node.home])).stdout
    assert.match(await shown(a), new RegExp(`^${b.id} .* paused `, "m"))
    assert.match(await shown(b), new RegExp(`^${a.id} .* paused there `, "m"))
    assert.include((await b.status()).summary, `${a.id}: this node is paused there`)
    await a.cli("peers", "resume", b.id)
    await b.cli("peers", "sync", a.address)
    await live()
    const compared = await a.cli<{ readonly result: string }>("peers", "sync", b.id)
    assert.strictEqual(compared.result, "equal")
  })

  it("pauses and shows a node that was not met since the restart", async () => {
    const a = await nodes.make().start()
    const b = await nodes.make({ FERAL_SYNC_PEERS: a.address, FERAL_SYNC_MDNS_TIMEOUT: "0" }).start()
    await a.cli("note", "add", "known")
    await until(
      "the other one has it",
      () => a.status(),
      ({ peers }) => peers.some(({ node_id, lag_ops: lag }) => node_id === b.id && lag === 0),
      60_000
    )
    await b.stop()
    await a.stop()
    await a.start({ FERAL_SYNC_PORT: `${a.port}` })
    await a.cli("note", "add", "new")
    const { absent, troubles, summary } = await a.status()
    assert.deepStrictEqual([absent?.map(({ node_id }) => node_id), troubles?.map(({ node }) => node)], [[b.id], [b.id]])
    assert.include(summary, "it lacks 1 operation of ours. Start it")
    assert.strictEqual((await a.cli<{ readonly result: string }>("peers", "sync", b.id)).result, "waiting")
    const { stdout } = await run(["peers", "sync", b.id, "--home", a.home])
    assert.match(stdout, /^This node cannot dial it.*: that node connects by itself/)
    assert.deepStrictEqual(await a.cli<unknown>("peers", "pause", b.id), { node_id: b.id, is_paused: true })
    const paused = await a.status()
    assert.deepStrictEqual(
      paused.peers.map(({ node_id, state }) => [node_id, state]),
      [[b.id, "paused"]]
    )
    assert.isUndefined(paused.absent)
  })
})
