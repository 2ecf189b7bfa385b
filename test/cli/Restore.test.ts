/** `restore` and `compact` as processes, and what a start makes of files that were put there by hand. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import type { Note } from "../../src/core/replica/Row.ts"
import { type Node, Nodes, run } from "../support/Nodes.ts"
import { beside } from "../support/SqliteFiles.ts"
import { write, Writer } from "../support/Writer.ts"

const nodes = new Nodes()
afterAll(() => nodes.dispose())

const contents = async (node: Node) =>
  (await node.cli<ReadonlyArray<Note>>("note", "list")).map(({ content }) => content).sort()
const database = (node: Node) => join(node.home, "sync.db")
const setAside = (node: Node) => readdirSync(node.home).filter((name) => name.includes("of-another-database"))

const refusal = async (node: Node, ...args: ReadonlyArray<string>) => {
  const { code, stdout, stderr } = await run([...args, "--json", "--home", node.home])
  assert.deepStrictEqual([code, stdout], [1, ""])
  return JSON.parse(stderr) as { readonly _tag: string; readonly message: string }
}

describe("a log of writes", () => {
  it("of the database itself is never set aside: six kills under writes, and nothing acknowledged is lost", async () => {
    const node = await nodes.make().start()
    const writer = new Writer(node)
    for (let kill = 0; kill < 6; kill++) {
      const before = writer.acknowledged.length
      while (writer.acknowledged.length < before + 5 + kill * 3) await new Promise((resolve) => setTimeout(resolve, 1))
      // A checkpoint by another program, so that kills come before and after it.
      if (kill % 2 === 1) beside(node.home, (db) => db.prepare("PRAGMA wal_checkpoint(PASSIVE)").get())
      await node.stop("SIGKILL")
      await node.start()
    }
    const acknowledged = await writer.stop()
    const ids = new Set((await node.cli<ReadonlyArray<Note>>("note", "list")).map(({ id }) => id))
    assert.deepStrictEqual(
      acknowledged.filter(({ id }) => !ids.has(id)),
      []
    )
    assert.deepStrictEqual(setAside(node), [])
  }, 120_000)

  it("of the database that was there before a plain copy is set aside at the start, with a warning", async () => {
    const node = await nodes.make().start()
    const early = await write(node, "early")
    await node.stop()
    const copy = join(dirname(node.home), "copy.db")
    copyFileSync(database(node), copy)
    await node.start()
    await node.cli("note", "edit", String(early?.id), "edited")
    for (let n = 0; n < 50; n++) await write(node, `more ${n}`)
    beside(node.home, (db) => db.prepare("PRAGMA wal_checkpoint(PASSIVE)").get())
    await write(node, "last")
    await node.stop("SIGKILL")
    copyFileSync(copy, database(node))
    await node.start()
    assert.include(node.log, "moved away a write-ahead log")
    assert.isNotEmpty(setAside(node))
    assert.deepStrictEqual(await contents(node), ["early"])
    assert.isTrue((await node.cli<{ ok: boolean }>("verify")).ok)
  }, 60_000)
})

describe("restore", () => {
  it("is refused while the node runs, and for a damaged backup; it takes the place of a damaged database", async () => {
    const node = await nodes.make().start()
    await write(node, "kept")
    const backup = join(dirname(node.home), "backup.db")
    await node.cli("backup", backup)
    await write(node, "later")
    const running = await refusal(node, "restore", backup)
    assert.match(running.message, new RegExp(`process ${node.pid} .*stop the node, and run .*restore again`))
    await node.stop()

    const bad = join(dirname(node.home), "bad.db")
    writeFileSync(bad, readFileSync(backup).fill(0, 5 * 4096, 10 * 4096))
    const before = readFileSync(database(node))
    const damaged = await refusal(node, "restore", bad)
    assert.match(damaged.message, /damaged.*use another backup; the current database was not changed/)
    assert.deepStrictEqual(readFileSync(database(node)), before)

    writeFileSync(database(node), before.fill(0, 0, 5 * 4096))
    const { kept } = await node.cli<{ kept: string }>("restore", backup)
    assert.strictEqual(dirname(kept), node.home)
    assert.deepStrictEqual(await contents(node), ["kept"])
    await node.start()
    assert.isTrue((await node.cli<{ ok: boolean }>("verify")).ok)
  }, 60_000)
})

describe("compact", () => {
  it("says what it gained, and is refused while the node runs", async () => {
    const node = nodes.make()
    await node.seed(3_000)
    const rows = (await node.cli<ReadonlyArray<Note>>("note", "list")).length
    beside(node.home, (db) => db.exec("CREATE TABLE much AS SELECT * FROM operations; DROP TABLE much"))
    const size = statSync(database(node)).size
    await node.start()
    assert.match((await refusal(node, "compact")).message, /stop the node, run .*compact, and start it/)
    await node.stop()
    const { bytes_before, bytes_after } = await node.cli<{ bytes_before: number; bytes_after: number }>("compact")
    assert.isAtMost(bytes_before, size)
    assert.isBelow(bytes_after, bytes_before)
    assert.strictEqual(bytes_after, statSync(database(node)).size)
    const { stdout } = await run(["compact", "--home", node.home])
    assert.match(stdout, /^Compacted sync.db: \d+ [KM]iB before, \d+ [KM]iB after.\n$/)
    assert.lengthOf(await node.cli<ReadonlyArray<Note>>("note", "list"), rows)
    mkdirSync(join(dirname(node.home), "empty"))
    const none = await run(["compact", "--json", "--home", join(dirname(node.home), "empty")])
    assert.deepStrictEqual([none.code, JSON.parse(none.stderr)._tag], [1, "HomeNotFound"])
  }, 60_000)
})
