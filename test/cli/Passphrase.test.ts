/** The passphrase of two running nodes is changed, one node after the other, and they go on. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import type { NodeStatus } from "../../src/services/node/Status.ts"
import { freshHome, Nodes, run, until } from "../support/Nodes.ts"

/** The passphrase is in the data directory, as for most people. */
const kept = { FERAL_SYNC_PASSPHRASE: undefined }

let nodes: Nodes
beforeAll(() => {
  nodes = new Nodes()
})
afterAll(() => nodes.dispose())

const fileOf = ({ home }: { readonly home: string }) => join(home, "passphrase")
const linesOf = (node: { readonly home: string }) => readFileSync(fileOf(node), "utf8").split("\n").slice(0, -1)

describe("passphrase", { timeout: 90_000 }, () => {
  it("rotate, node by node, and drop: both go on at each step", async () => {
    const a = await nodes.make(kept).start()
    const [first = ""] = linesOf(a)
    const b = nodes.make({ ...kept, FERAL_SYNC_PEERS: a.address, FERAL_SYNC_MDNS_TIMEOUT: "0" })
    await b.start({}, ["--passphrase-file", "-"], `${first}\n`)
    const meets = async (what: string, isGood: (status: NodeStatus) => boolean = () => true) => {
      const isLive = (status: NodeStatus) => status.peers.some(({ state }) => state === "live") && isGood(status)
      await until(what, () => a.status(), isLive, 30_000)
    }
    await meets("the two are live")

    const { stdout } = await run(["passphrase", "rotate", "--home", a.home], kept)
    assert.match(stdout, /^The new passphrase is in .*passphrase, next to the old one\.\n\n1\. Restart this node/)
    const [second = ""] = linesOf(a)
    assert.deepStrictEqual(linesOf(a), [second, first])
    assert.notStrictEqual(second, first)
    assert.strictEqual(statSync(fileOf(a)).mode & 0o777, 0o600)
    assert.notInclude(stdout, second)
    // Another change before this one is done would lock out the other node.
    const again = await run(["passphrase", "rotate", "--home", a.home], kept)
    assert.strictEqual(again.code, 2)
    assert.match(again.stderr, /is already in progress: finish it with ".*passphrase drop --home .*" first/)

    await a.stop()
    await a.start({ FERAL_SYNC_PORT: `${a.port}` })
    await meets("b comes with the one before", ({ peers }) => peers[0]?.uses_previous_passphrase === true)
    const status = await run(["status", "--home", a.home], kept)
    assert.match(status.stdout, new RegExp(`the old one is still accepted, and used by ${b.id}: give it the new one`))

    await b.stop()
    await b.start({}, ["--passphrase-file", "-"], `${second}\n${first}\n`)
    await meets("b has the new one", ({ peers }) => peers[0]?.uses_previous_passphrase === undefined)
    assert.match(
      (await run(["status", "--home", a.home], kept)).stdout,
      /still accepted; 1 peer connected since the start, all with the new one\. When all nodes have the new one, run .*passphrase drop/
    )
    const dropped = await run(["passphrase", "drop", "--json", "--home", a.home], kept)
    assert.deepStrictEqual(JSON.parse(dropped.stdout), { file: fileOf(a), was_dropped: true })
    await a.stop()
    await a.start({ FERAL_SYNC_PORT: `${a.port}` })
    await meets("they meet with the new one alone", (status) => status.accepts_previous_passphrase === undefined)
    assert.deepStrictEqual(linesOf(a), [second])
  })

  it("rotate --to takes the new one of another node; the variables are named where they hold it", async () => {
    const { home, remove } = freshHome()
    const node = nodes.make(kept)
    await node.start()
    await node.stop()
    const [first = ""] = linesOf(node)
    const given = await run(
      ["passphrase", "rotate", "--to", "-", "--json", "--home", node.home],
      kept,
      "given\nolder\n"
    )
    assert.deepStrictEqual(JSON.parse(given.stdout), { file: fileOf(node), accepts_previous: true })
    assert.deepStrictEqual(linesOf(node), ["given", first])
    // The same once more changes nothing.
    await run(["passphrase", "rotate", "--to", "-", "--home", node.home], kept, "given\n")
    assert.deepStrictEqual(linesOf(node), ["given", first])
    const configured = await run(["passphrase", "drop", "--home", node.home], { FERAL_SYNC_PASSPHRASE: "given" })
    assert.strictEqual(configured.code, 2)
    assert.match(configured.stderr, /the old one into FERAL_SYNC_PASSPHRASE_PREVIOUS, and restart the node/)
    const nowhere = await run(["passphrase", "rotate", "--home", home], kept)
    assert.strictEqual(nowhere.code, 1)
    assert.match(nowhere.stderr, /no data directory at/)
    remove()
  })
})
