/** `verify` as a process: what it finds, what it repairs, and what it says of the rest. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { closeSync, openSync, rmSync, writeSync } from "node:fs"
import { join } from "node:path"
import type { Note } from "../../src/core/replica/Row.ts"
import { converged, type Node, Nodes, run, until } from "../support/Nodes.ts"
import { beside } from "../support/SqliteFiles.ts"

const nodes = new Nodes()
afterAll(() => nodes.dispose())

interface Verified {
  readonly ok: boolean
  readonly database: ReadonlyArray<string>
  readonly rows: number | null
  readonly digest: string | null
  readonly corrected: ReadonlyArray<string>
  readonly peers: ReadonlyArray<{ readonly node_id: string; readonly result: string; readonly rows_repaired: number }>
}

const pair = async () => {
  const a = nodes.make()
  await a.seed(2_000)
  await a.start()
  const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
  await b.cli("note", "add", "by b")
  await converged([a, b])
  return [a, b] as const
}

const connected = (node: Node, peer: Node) =>
  until(
    "they are connected",
    () => node.status(),
    ({ peers }) => peers.some(({ node_id, state }) => node_id === peer.id && state === "live")
  )

describe("verify", () => {
  it("verify reports equal nodes as equal", async () => {
    const [a, b] = await pair()
    await connected(b, a)
    const { digest } = await a.status()
    for (const [node, peer] of [
      [a, b],
      [b, a]
    ] as const) {
      assert.deepStrictEqual(await node.cli<Verified>("verify"), {
        ok: true,
        database: [],
        rows: 2_001,
        digest,
        corrected: [],
        peers: [{ node_id: peer.id, result: "equal", rows_repaired: 0 }]
      })
    }
  }, 90_000)

  it("verify of a node that does not run says that no peer was asked", async () => {
    const node = nodes.make()
    await node.seed(2_000)
    assert.deepInclude(await node.cli<Verified>("verify"), { ok: true, rows: 2_000, peers: [] })
    const { code, stdout } = await run(["verify", "--home", node.home])
    assert.strictEqual(code, 0)
    assert.include(stdout, "no peer was compared: start it")
  })

  it("finds rows and a digest that were changed by another hand, mends both, and takes the rows from the peer", async () => {
    const [a, b] = await pair()
    await a.stop()
    beside(a.home, (db) => {
      db.exec("DELETE FROM operations WHERE seq % 100 = 1")
      db.exec("UPDATE meta SET digest_low = 7")
    })
    await a.start({ FERAL_SYNC_PORT: String(a.port) })
    await connected(a, b)
    const verified = await a.cli<Verified>("verify")
    assert.isTrue(verified.ok, JSON.stringify(verified))
    assert.match(verified.corrected.join(), /digest/)
    assert.deepStrictEqual(
      verified.peers.map(({ node_id, result }) => [node_id, result]),
      [[b.id, "repaired"]]
    )
    await converged([a, b])
    assert.lengthOf(await a.cli<ReadonlyArray<Note>>("note", "list"), 2_001)
    assert.deepInclude(await a.cli<Verified>("verify"), { ok: true, rows: 2_001, corrected: [] })
  }, 90_000)

  it("finds rows whose content was changed by another hand: both nodes end with one content of each", async () => {
    const [a, b] = await pair()
    await a.stop()
    const changed = beside(a.home, (db) => {
      db.exec(`UPDATE operations SET data = json_set(data, '$.content', 'rot') WHERE seq % 250 = 2`)
      return db.prepare("SELECT count(*) AS n FROM operations WHERE seq % 250 = 2").get()?.["n"]
    })
    assert.strictEqual(changed, 8)
    await a.start({ FERAL_SYNC_PORT: String(a.port) })
    await connected(a, b)
    const verified = await a.cli<Verified>("verify")
    assert.deepInclude(verified, { ok: true, database: [], rows: 2_001 }, JSON.stringify(verified))
    assert.match(verified.corrected.join(), /digest/)
    assert.deepStrictEqual(
      verified.peers.map(({ node_id, result }) => [node_id, result]),
      [[b.id, "repaired"]]
    )
    await converged([a, b])
    const lists = await Promise.all([a, b].map((node) => node.cli<ReadonlyArray<Note>>("note", "list")))
    assert.deepStrictEqual(lists[0], lists[1])
    for (const node of [a, b]) {
      const { ok, rows, corrected } = await node.cli<Verified>("verify")
      assert.deepStrictEqual({ ok, rows, corrected }, { ok: true, rows: 2_001, corrected: [] })
    }
  }, 90_000)

  it("verify reports a damaged file, with the next step", async () => {
    const [a, b] = await pair()
    await a.stop()
    const file = join(a.home, "sync.db")
    const handle = openSync(file, "r+")
    for (let page = 50; page < 150; page += 3) writeSync(handle, Buffer.alloc(4096, 0xa5), 0, 4096, page * 4096)
    closeSync(handle)
    const { code, stdout, stderr } = await run(["verify", "--json", "--home", a.home])
    assert.strictEqual(code, 1)
    const verified = JSON.parse(stdout) as Verified
    assert.isFalse(verified.ok)
    assert.isAbove(verified.database.length, 0)
    assert.match(
      (JSON.parse(stderr) as { message: string }).message,
      /restore FILE.*Without a backup, move sync.db away/
    )
    for (const end of ["", "-wal", "-shm"]) rmSync(`${file}${end}`, { force: true })
    await a.start({ FERAL_SYNC_PORT: String(a.port) })
    await converged([a, b], 30_000)
    assert.isTrue((await a.cli<Verified>("verify")).ok)
  }, 90_000)
})
