/**
 * A file system without room: what must wait waits, what can go on goes on, and all is well by itself when there is room.
 */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { mkdirSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import type { Note } from "../../../src/core/replica/Row.ts"
import { converged, freshHome, Node, Nodes, run, until } from "../../support/Nodes.ts"
import { fill, SmallDisk } from "../../support/SmallDisk.ts"
import { write } from "../../support/Writer.ts"
import { needs } from "../../support/Needs.ts"

let nodes: Nodes
beforeEach(() => {
  nodes = new Nodes()
})
afterEach(() => nodes.dispose())

const large = (name: string) => `${name} ${"x".repeat(100_000)}`

const quiet = {
  FERAL_SYNC_HOST: "127.0.0.1",
  FERAL_SYNC_PORT: "0",
  FERAL_SYNC_API_PORT: "0",
  FERAL_SYNC_MDNS: "off"
}

describe.skipIf(needs("root"))("a disk that is full", () => {
  it("a node with a full disk keeps what was acknowledged, still serves reads, and accepts writes when there is space", async () => {
    const disk = new SmallDisk("48m")
    const { root } = disk
    const a = new Node(join(root, "home"), {})
    try {
      await a.start()
      const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
      assert.isDefined(await write(a, large("before")))
      await converged([a, b])
      const filler = join(root, "filler")
      fill(filler)

      const { code, stderr } = await run(["note", "add", large("in vain"), "--json", "--home", a.home])
      assert.strictEqual(code, 1)
      const refused = JSON.parse(stderr) as { readonly _tag: string; readonly message: string }
      assert.strictEqual(refused._tag, "StoreUnavailable")
      assert.match(refused.message, /disk full .*; free some space/)

      const connections = a.log.split("peer connected").length
      for (let n = 0; n < 30; n++) assert.isDefined(await write(b, large(`${n}`)))
      const { peers } = await until(
        "a says that it cannot take what b sends",
        () => a.status(),
        ({ peers }) => peers.some(({ last_error }) => last_error?._tag === "StoreUnavailable")
      )
      assert.deepStrictEqual(
        peers.map(({ node_id, state }) => [node_id, state]),
        [[b.id, "live"]]
      )
      assert.match(peers[0]?.last_error?.message ?? "", /operations of peers wait: .*disk full/)
      // It serves others meanwhile.
      const c = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
      await until(
        "c has what a has",
        () => c.status(),
        ({ counts }) => counts.notes >= 1
      )
      const notes = await a.cli<ReadonlyArray<Note>>("note", "list")
      assert.isTrue(notes.some(({ content }) => content.startsWith("before")))
      assert.isFalse(notes.some(({ content }) => content.startsWith("in vain")))
      assert.strictEqual(a.log.split("peer connected").length, connections + 1, "no connection was lost")
      assert.strictEqual(a.log.split("disk full").length, 2, "the operator is told once")

      rmSync(filler)
      await converged([a, b, c], 60_000)
      const after = await a.status()
      assert.strictEqual(after.counts.notes, 31)
      assert.isTrue(after.peers.every(({ last_error }) => last_error === null))
      assert.include(a.log, "the database is writable again")
    } finally {
      await a.stop("SIGKILL")
      disk.remove()
    }
  }, 180_000)

  it("is read without a node, and what could not be begun leaves nothing behind", async () => {
    const disk = new SmallDisk("8m")
    const home = join(disk.root, "home")
    const elsewhere = freshHome()
    try {
      assert.strictEqual((await run(["note", "add", "kept", "--home", home])).code, 0)
      fill(join(disk.root, "filler"))
      const at = (name: string) => join(elsewhere.home, name)
      mkdirSync(elsewhere.home, { recursive: true })
      const reads: ReadonlyArray<ReadonlyArray<string>> = [
        ["note", "list"],
        ["search", "kept"],
        ["export", "-"],
        ["status"],
        ["verify"],
        ["doctor"],
        ["export", at("out")],
        ["backup", at("backup.db")]
      ]
      for (const args of reads) {
        const { code, stdout, stderr } = await run([...args, "--home", home], quiet)
        // The check of the disk has found something, and no other one.
        assert.strictEqual(code, args[0] === "doctor" ? 1 : 0, `${args.join(" ")}: ${stdout}${stderr}`)
        assert.notMatch(stdout + stderr, /disk I\/O error/)
        if (args[0] === "doctor") assert.match(stdout, /✗ data directory: .*disk full[^✗]*1 failed/)
      }
      const other = join(disk.root, "other")
      const writes: ReadonlyArray<ReadonlyArray<string>> = [
        ["start", "--home", other],
        ["note", "add", "x".repeat(100_000), "--home", other],
        ["passphrase", "rotate", "--home", home],
        ["tls", "init", "--home", other],
        ["tls", "init", "--home", home],
        ["tls", "init", "--out", join(disk.root, "deep", "within")]
      ]
      for (const args of writes) {
        const { code, stderr } = await run(args, quiet)
        assert.notStrictEqual(code, 0, args.join(" "))
        assert.match(stderr, /disk .*full|disk full/, args.join(" "))
        assert.match(stderr, /free some space/, args.join(" "))
        const left = readdirSync(disk.root, { recursive: true, encoding: "utf8" }).filter(
          (name) => !name.startsWith("home") && name !== "filler"
        )
        assert.deepStrictEqual(left, [], args.join(" "))
        assert.deepStrictEqual(
          readdirSync(home).filter((name) => name.endsWith(".new") || name === "tls"),
          [],
          args.join(" ")
        )
      }
    } finally {
      elsewhere.remove()
      disk.remove()
    }
  }, 120_000)
})
