/**
 * `backup` and `identity new` as processes: a copy of a database that is written to, its restore, and a copied directory
 * that becomes a node of its own.
 */
import { afterAll, assert, describe, it } from "@effect/vitest"
import {
  closeSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeSync
} from "node:fs"
import { dirname, join } from "node:path"
import type { Note } from "../../src/core/replica/Row.ts"
import { converged, type Node, Nodes, run, until } from "../support/Nodes.ts"
import { beside } from "../support/SqliteFiles.ts"
import { Writer } from "../support/Writer.ts"

const nodes = new Nodes()
afterAll(() => nodes.dispose())

const contents = async (node: Node) =>
  (await node.cli<ReadonlyArray<Note>>("note", "list")).map(({ content }) => content).sort()

const refusal = async (...args: ReadonlyArray<string>) => {
  const { code, stdout, stderr } = await run([...args, "--json"])
  assert.deepStrictEqual([code, stdout], [1, ""])
  return JSON.parse(stderr) as { readonly _tag: string; readonly message: string }
}

describe("backup", () => {
  it("of a node that is written to holds what was acknowledged before, is one sound file, and is never made over another", async () => {
    const node = await nodes.make().start()
    const writer = new Writer(node)
    const early = await node.cli<{ id: string }>("note", "add", "early")
    const file = join(dirname(node.home), "backup.db")
    const made = await node.cli<{ file: string; node_id: string; bytes: number; rows: number }>("backup", file)
    await writer.stop()
    const { size, mode } = statSync(file)
    assert.deepInclude(made, { file, node_id: node.id, bytes: size })
    assert.strictEqual(mode & 0o777, 0o600)
    const restored = nodes.make()
    mkdirSync(restored.home)
    copyFileSync(file, join(restored.home, "sync.db"))
    const held = beside(restored.home, (db) => db.prepare("SELECT id FROM notes").all())
    assert.isTrue(held.some(({ id }) => id === early.id))
    assert.isAtLeast(held.length, made.rows)

    const again = await refusal("backup", file, "--home", node.home)
    assert.deepStrictEqual([again._tag, again.message.includes("choose another name")], ["FileUnusable", true])
    const nowhere = await refusal("backup", join(dirname(node.home), "no", "x.db"), "--home", node.home)
    assert.include(nowhere.message, "its directory does not exist")
    const nothing = join(dirname(node.home), "nothing.db")
    assert.strictEqual((await refusal("backup", nothing, "--home", join(dirname(file), "empty")))._tag, "HomeNotFound")
    assert.deepStrictEqual(
      readdirSync(dirname(file)).filter((name) => name.endsWith("tmp") || name.startsWith("nothing")),
      []
    )
  }, 60_000)

  it("of a damaged database is not kept, and says so", async () => {
    const node = nodes.make()
    await node.seed(2_000)
    beside(node.home, (db) => db.exec("PRAGMA wal_checkpoint(TRUNCATE)"))
    const handle = openSync(join(node.home, "sync.db"), "r+")
    for (let page = 20; page < 200; page += 3) writeSync(handle, Buffer.alloc(4096, 0xa5), 0, 4096, page * 4096)
    closeSync(handle)
    const file = join(dirname(node.home), "damaged.db")
    const failed = await refusal("backup", file, "--home", node.home)
    assert.match(failed.message, /damaged|corrupt/)
    assert.isFalse(existsSync(file))
  }, 30_000)

  it("that is put in place of the database takes back what the node has written since, and no timestamp is issued twice", async () => {
    const a = await nodes.make().start()
    const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
    await a.cli("note", "add", "early")
    const file = join(dirname(a.home), "backup.db")
    await a.cli("backup", file)
    const late = await a.cli<{ hlc: string }>("note", "add", "late")
    await converged([a, b])
    await a.stop()
    for (const end of ["-wal", "-shm"]) rmSync(join(a.home, `sync.db${end}`), { force: true })
    copyFileSync(file, join(a.home, "sync.db"))
    await a.start({ FERAL_SYNC_PORT: String(a.port) })
    const next = await a.cli<{ hlc: string }>("note", "add", "next")
    assert.notStrictEqual(next.hlc, late.hlc)
    await converged([a, b])
    assert.deepStrictEqual(await contents(a), ["early", "late", "next"])
    assert.deepStrictEqual(await contents(b), ["early", "late", "next"])
    // It says what came back, and takes it for no forgery.
    const { alarms = [] } = await a.status()
    assert.deepStrictEqual(
      alarms.map(({ _tag, level }) => [_tag, level]),
      [["OwnOperationsReturned", "notice"]]
    )
    assert.notProperty(await b.status(), "alarms")
  }, 60_000)
})

describe("identity new", () => {
  it("makes a node of its own of a copy: nothing is lost of what both wrote under one id", async () => {
    const a = await nodes.make().start()
    const c = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
    await a.cli("note", "add", "before the copy")
    await converged([a, c])
    await a.stop()
    const b = nodes.make({ FERAL_SYNC_PEERS: c.address })
    cpSync(a.home, b.home, { recursive: true })
    // Both write under one id, and what the third has seen of it covers what it has not.
    await b.cli("note", "add", "by the copy")
    await a.start({ FERAL_SYNC_PORT: String(a.port) })
    await a.cli("note", "add", "by the original")
    await converged([a, c])

    // The two refuse each other, and say what to do.
    await b.start({ FERAL_SYNC_PEERS: a.address })
    assert.strictEqual(b.id, a.id)
    for (const node of [a, b]) {
      const { peers } = await until(
        "it says so",
        () => node.status(),
        ({ peers }) => peers.some(({ last_error }) => last_error?._tag === "DuplicateNodeId")
      )
      assert.isTrue(peers.some(({ last_error }) => last_error?.message.includes(" identity new")))
      assert.isFalse(peers.some(({ node_id, state }) => node_id === a.id && state === "live"))
    }
    assert.strictEqual((await refusal("identity", "new", "--home", b.home)).message.includes("locked"), true)
    await b.stop()
    const certificate = join(b.home, "tls-cert.pem")
    assert.isTrue(existsSync(certificate))
    const renewed = await b.cli<{ node_id: string; previous_node_id: string }>("identity", "new")
    assert.strictEqual(renewed.previous_node_id, a.id)
    assert.notStrictEqual(renewed.node_id, a.id)
    assert.isFalse(existsSync(certificate))

    await b.start()
    assert.strictEqual(b.id, renewed.node_id)
    await b.cli("note", "add", "under the new id")
    await until(
      "all have all",
      () => Promise.all([a, b, c].map(contents)),
      (all) => all.every((texts) => texts.length === 4),
      60_000
    )
    await converged([a, b, c])
  }, 120_000)
})
