/**
 * A data directory that this user cannot write: a backup on a read-only mount, or one of another user. What is there can be read, and
 * nothing is written.
 */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { needs } from "../../support/Needs.ts"
import { Node, run } from "../../support/Nodes.ts"

let root: string
let node: Node
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "feral-mount-"))
  chmodSync(root, 0o755)
  node = new Node(join(root, "home"), {})
})
afterEach(async () => {
  await node.stop("SIGKILL")
  rmSync(root, { recursive: true, force: true })
})

/** Mounts a file system, and sees to it that it goes. */
const mounted = async (use: (seal: () => void) => Promise<void>) => {
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m,mode=755", "tmpfs", root])
  try {
    await use(() => execFileSync("mount", ["-o", "remount,ro", root]))
  } finally {
    await node.stop("SIGKILL")
    execFileSync("umount", ["--lazy", root])
  }
}

/** Every file of the directory, with its content and when it changed. */
const contents = (home: string) =>
  readdirSync(home)
    .filter((name) => statSync(join(home, name)).isFile())
    .map((name) => {
      const path = join(home, name)
      return [name, readFileSync(path).toString("base64"), statSync(path).mtimeMs] as const
    })

/** Runs all that reads, and says what each gave. */
const readAll = async (home: string, texts: ReadonlyArray<string>, enter: ReadonlyArray<string> = []) => {
  const before = contents(home)
  const ask = async (...args: ReadonlyArray<string>) => {
    const { code, stdout, stderr } = await run([...args, "--home", home], {}, "", enter)
    assert.strictEqual(code, 0, `${args.join(" ")}: ${stderr}`)
    return stdout
  }
  const contentOf = (text: string) =>
    (JSON.parse(text) as ReadonlyArray<{ content?: string; snippet?: string }>).map((row) => row.content ?? row.snippet)
  const [listed, found, exported, status, verified] = await Promise.all([
    ask("note", "list", "--json"),
    ask("search", "kept", "--json"),
    ask("export", "-"),
    ask("status", "--json"),
    ask("verify", "--json")
  ])
  assert.deepStrictEqual(contentOf(listed), [...texts])
  assert.sameMembers(contentOf(found), [...texts])
  for (const text of texts) assert.include(exported, text)
  assert.deepInclude(JSON.parse(status), { uptime_seconds: 0 })
  assert.deepInclude(JSON.parse(verified), { ok: true, rows: texts.length })
  assert.deepStrictEqual(contents(home), before)
}

describe.skipIf(needs("root", "setpriv"))("a data directory that cannot be written", () => {
  it("on a read-only mount: all that reads works, with and without an index for searching", async () => {
    await mounted(async (seal) => {
      await node.cli("note", "add", "kept one")
      seal()
      await readAll(node.home, ["kept one"])
      execFileSync("mount", ["-o", "remount,rw", root])
      await node.cli("search", "kept")
      // The index that is there is behind now.
      await node.cli("note", "add", "kept two")
      seal()
      await readAll(node.home, ["kept one", "kept two"])
      const refused = await run(["note", "add", "in vain", "--home", node.home, "--json"])
      assert.strictEqual(refused.code, 1)
      assert.include(refused.stderr, "read-only")
    })
  }, 120_000)

  it("of a node that was killed: its log is read where its index is left, else what can be done is said", async () => {
    await mounted(async (seal) => {
      await node.start()
      await node.cli("note", "add", "kept in the log")
      await node.stop("SIGKILL")
      assert.isAbove(statSync(join(node.home, "sync.db-wal")).size, 0)
      seal()
      await readAll(node.home, ["kept in the log"])
      execFileSync("mount", ["-o", "remount,rw", root])
      rmSync(join(node.home, "sync.db-shm"))
      seal()
      const before = contents(node.home)
      const refused = await run(["note", "list", "--home", node.home])
      assert.strictEqual(refused.code, 1)
      assert.match(refused.stderr, /sync\.db-wal contains rows that are not in sync\.db yet: copy the directory/)
      assert.deepStrictEqual(contents(node.home), before)
      const copy = mkdtempSync(join(tmpdir(), "feral-copy-"))
      try {
        cpSync(node.home, copy, { recursive: true })
        const { stdout } = await run(["note", "list", "--home", copy, "--json"])
        assert.include(stdout, "kept in the log")
      } finally {
        rmSync(copy, { recursive: true })
      }
    })
  }, 120_000)

  it("of another user, readable for this user", async () => {
    await node.cli("note", "add", "kept by root")
    chmodSync(node.home, 0o755)
    for (const name of readdirSync(node.home)) chmodSync(join(node.home, name), 0o644)
    const nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    await readAll(node.home, ["kept by root"], nobody)
    assert.isFalse(existsSync(join(node.home, "sync.db-wal")))
  }, 60_000)
})
