/**
 * Files that go bad under a node: it says what is wrong, goes on with what it can, and loses nothing that it acknowledged.
 */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Note } from "../../../src/core/replica/Row.ts"
import { converged, Node, Nodes, run, until } from "../../support/Nodes.ts"
import { beside } from "../../support/SqliteFiles.ts"
import { write } from "../../support/Writer.ts"
import { needs } from "../../support/Needs.ts"

let nodes: Nodes
beforeEach(() => {
  nodes = new Nodes()
})
afterEach(() => nodes.dispose())

const refusal = async (node: Node, ...args: ReadonlyArray<string>) => {
  const { code, stderr } = await run([...args, "--json", "--home", node.home])
  assert.strictEqual(code, 1)
  return JSON.parse(stderr) as { _tag: string; message: string }
}

describe("files that go bad", () => {
  it.skipIf(needs("root"))(
    "a file system that is read-only: nothing is acknowledged, and all goes on when it is writable again",
    async () => {
      const root = mkdtempSync(join(tmpdir(), "feral-mount-"))
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m", "tmpfs", root])
      const a = new Node(join(root, "home"), {})
      try {
        await a.start()
        await a.cli("note", "add", "before")
        await a.stop()
        execFileSync("mount", ["-o", "remount,ro", root])
        for (const command of [["note", "add", "in vain"], ["start"]]) {
          const failed = await refusal(a, ...command)
          assert.strictEqual(failed._tag, "StoreUnavailable")
          assert.include(failed.message, "read-only")
        }
        execFileSync("mount", ["-o", "remount,rw", root])
        await a.start()
        await a.cli("note", "add", "after")
        const notes = await a.cli<ReadonlyArray<Note>>("note", "list")
        assert.deepStrictEqual(
          notes.map(({ content }) => content),
          ["before", "after"]
        )
      } finally {
        await a.stop("SIGKILL")
        execFileSync("umount", ["--lazy", root])
        rmSync(root, { recursive: true, force: true })
      }
    },
    60_000
  )

  it("a corrupted page is found, named, and never served to others; a new file takes everything back", async () => {
    const a = await nodes.make().start()
    await a.stop()
    await a.seed(3_000)
    await a.start({ FERAL_SYNC_PORT: String(a.port) })
    const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
    const [before] = await converged([a, b])
    await a.stop()
    corrupt(join(a.home, "sync.db"))
    const listed = await refusal(a, "note", "list")
    assert.strictEqual(listed._tag, "StoreUnavailable")
    assert.include(listed.message, "corrupt")
    // The way out that the message names: the file goes, and the peers give everything back.
    for (const end of ["", "-wal", "-shm"]) rmSync(join(a.home, `sync.db${end}`), { force: true })
    await a.start({ FERAL_SYNC_PORT: String(a.port) })
    const [after] = await converged([a, b], 60_000)
    assert.strictEqual(after?.digest, before?.digest)
  }, 120_000)

  it("a database that is deleted under a running node: it does not acknowledge writes that would be lost", async () => {
    const a = await nodes.make().start()
    const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
    const kept = await a.cli<{ id: string }>("note", "add", "kept")
    await converged([a, b])
    for (const end of ["", "-wal", "-shm"]) rmSync(join(a.home, `sync.db${end}`), { force: true })
    const failed = await refusal(a, "note", "add", "in vain")
    assert.strictEqual(failed._tag, "StoreUnavailable")
    assert.include(failed.message, "sync.db")
    assert.isUndefined(await write(a, "in vain as well"))
    await a.stop()
    await a.start({ FERAL_SYNC_PORT: String(a.port) })
    await until(
      "the peer gives it back",
      () => a.cli<ReadonlyArray<Note>>("note", "list"),
      (notes) => notes.some(({ id }) => id === kept.id),
      30_000
    )
  }, 120_000)

  it("a database that is put back as it was: its later writes come back from the peers", async () => {
    const a = await nodes.make().start()
    const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
    await a.cli("note", "add", "early")
    await converged([a, b])
    await a.stop()
    const copy = join(a.home, "..", "copy")
    mkdirSync(copy)
    copyFileSync(join(a.home, "sync.db"), join(copy, "sync.db"))
    await a.start({ FERAL_SYNC_PORT: String(a.port) })
    const late = await a.cli<{ id: string; hlc: string }>("note", "add", "late")
    await converged([a, b])
    await a.stop("SIGKILL")
    for (const end of ["-wal", "-shm"]) rmSync(join(a.home, `sync.db${end}`), { force: true })
    renameSync(join(copy, "sync.db"), join(a.home, "sync.db"))
    await a.start({ FERAL_SYNC_PORT: String(a.port) })
    await until(
      "its own later write is back",
      () => a.cli<ReadonlyArray<Note>>("note", "list"),
      (notes) => notes.some(({ id, hlc }) => id === late.id && hlc === late.hlc),
      30_000
    )
    const next = await a.cli<{ hlc: string }>("note", "add", "next")
    assert.isAbove(Number(next.hlc.split(":")[0]), Number(late.hlc.split(":")[0]))
    await converged([a, b])
  }, 120_000)
})

/** Overwrites the pages of the rows in the middle of a database that nobody has open. */
const corrupt = (file: string) => {
  const handle = openSync(file, "r+")
  const size = statSync(file).size
  const page = 4096
  for (let at = 10; at < Math.floor(size / page) - 1; at += 3)
    writeSync(handle, Buffer.alloc(page, 0xa5), 0, page, at * page)
  closeSync(handle)
  beside(join(file, ".."), () => {})
}
