/**
 * `search`, `export` and `import` as processes, with a running node and without one.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Node, Nodes, run, until } from "../support/Nodes.ts"

const nodes = new Nodes()
afterAll(() => nodes.dispose())

let source: Node
let file: string

/** The lines of an export; the first is the header. Without the last one, which adds them up. */
const linesOf = (text: string): ReadonlyArray<string> => text.trimEnd().split("\n").slice(0, -1)
const lines = (): ReadonlyArray<string> => linesOf(readFileSync(file, "utf8"))

const digestOf = async (node: Node) => (await node.cli<{ readonly digest: string }>("status")).digest

interface Imported {
  readonly read: number
  readonly applied: number
  readonly ignored: number
  readonly refused: ReadonlyArray<{ readonly line: number; readonly reason: string }>
}

beforeAll(async () => {
  source = nodes.make()
  file = join(source.home, "memory.jsonl")
  await source.cli("note", "add", "water the plants", "--tag", "garden")
  await source.cli("fact", "set", "plants", "are", "green")
  await source.cli("log", "append", "--session", "s", "--skill", "k", "--endpoint", "e", "--status", "ok")
  const { id } = await source.cli<{ readonly id: string }>("note", "add", "gone")
  await source.cli("note", "delete", id)
  await source.cli("export", file)
}, 60_000)

describe("export", () => {
  it("writes a header and every row, tombstones too, for its owner alone", async () => {
    const [header = "", ...operations] = lines()
    assert.deepInclude(JSON.parse(header), { format: "feral-sync", version: 1 })
    assert.lengthOf(operations, 4)
    assert.strictEqual(operations.filter((line) => line.includes('"op_type":"delete"')).length, 1)
    assert.strictEqual(statSync(file).mode & 0o777, 0o600)
    const { stdout } = await run(["export", "-", "--home", source.home])
    assert.deepStrictEqual(linesOf(stdout).slice(1), operations)
  })

  it("never replaces a file, and leaves nothing behind", async () => {
    const before = readFileSync(file, "utf8")
    const { code, stdout, stderr } = await run(["export", file, "--json", "--home", source.home])
    assert.deepStrictEqual({ code, stdout }, { code: 1, stdout: "" })
    assert.strictEqual((JSON.parse(stderr) as { _tag: string })._tag, "FileUnusable")
    assert.strictEqual(readFileSync(file, "utf8"), before)
    assert.strictEqual((await run(["export", join(source.home, "no", "x"), "--home", source.home])).code, 1)
    assert.deepStrictEqual(
      readdirSync(source.home).filter((name) => name.includes("tmp")),
      []
    )
  })
})

describe("export --format", () => {
  it.each(["ndjson", "csv", "markdown"])(
    "%s is read back as the same rows, and the second time changes nothing",
    async (format) => {
      const place = join(source.home, `rows-${format}`)
      const rows = await source.cli<{ readonly rows: number }>("export", place, "--format", format)
      assert.strictEqual(rows.rows, format === "markdown" ? 1 : 3)
      const target = nodes.make()
      assert.deepInclude(await target.cli<Imported>("import", place), { applied: rows.rows, refused: [] })
      assert.deepInclude(await target.cli<Imported>("import", place), { applied: 0, ignored: rows.rows })
      const [note] = await target.cli<ReadonlyArray<{ content: string; tags: ReadonlyArray<string> }>>("note", "list")
      assert.deepInclude(note, { content: "water the plants", tags: ["garden"] })
      assert.deepInclude(await source.cli<Imported>("import", place), { applied: 0 })
    },
    60_000
  )

  it("writes to standard output, and refuses what has no single table", async () => {
    const { stdout } = await run(["export", "-", "--format", "csv", "--kind", "notes", "--home", source.home])
    assert.match(stdout, /^id,content,tags,.*\r\n.*,water the plants,"\[""garden""\]",/)
    assert.strictEqual((await run(["export", "-", "--format", "csv", "--home", source.home])).code, 2)
  })
})

describe("import", () => {
  it("makes an empty node equal, and the second time changes nothing", async () => {
    const target = nodes.make()
    const first = await target.cli<Imported>("import", file)
    assert.deepInclude(first, { read: 4, applied: 4, ignored: 0, refused: [] })
    assert.strictEqual(await digestOf(target), await digestOf(source))
    assert.deepInclude(await target.cli<Imported>("import", file), { read: 4, applied: 0, ignored: 4, refused: [] })
  })

  it("takes the good lines and names the others", async () => {
    const target = nodes.make()
    const [header = "", ...operations] = lines()
    const input = [header, "garbage", operations[0], "", "{}", ...operations.slice(1), "x".repeat(9_000_000)].join("\n")
    const { code, stdout, stderr } = await run(["import", "-", "--json", "--home", target.home], {}, input)
    assert.strictEqual(code, 1)
    const result = JSON.parse(stdout) as Imported
    assert.deepInclude(result, { read: 7, applied: 4, ignored: 0 })
    assert.deepStrictEqual(
      result.refused.map(({ line }) => line),
      [2, 5, 9]
    )
    assert.strictEqual((JSON.parse(stderr) as { _tag: string })._tag, "LinesRefused")
    assert.strictEqual(await digestOf(target), await digestOf(source))
  })

  it("says that an export is incomplete, or was changed, and takes what is there", async () => {
    const [header = "", ...operations] = lines()
    const end = readFileSync(file, "utf8").trimEnd().split("\n").at(-1) ?? ""
    const old = header.replace(/"rows":\d+,?/, "")
    const table = [
      { text: [header, ...operations, end], code: 0, complete: true, said: /^$/ },
      { text: [header, ...operations.toReversed(), end], code: 0, complete: true, said: /^$/ },
      { text: [header, ...operations], code: 1, complete: false, said: /incomplete \(4 of 4 rows/ },
      { text: [header, ...operations.slice(0, 2)], code: 1, complete: false, said: /incomplete \(2 of 4 rows/ },
      { text: [header, ...operations.slice(1), end], code: 1, complete: false, said: /incomplete \(3 of 4 rows/ },
      { text: [header], code: 1, complete: false, said: /incomplete \(0 of 4 rows/ },
      { text: [header, ...operations, operations[0], end], code: 1, complete: false, said: /changed/ },
      { text: [old, ...operations], code: 0, complete: null, said: /^$/ }
    ]
    for (const { text, code, complete, said } of table) {
      const target = nodes.make()
      const result = await run(["import", "-", "--json", "--home", target.home], {}, `${text.join("\n")}\n`)
      assert.strictEqual(result.code, code, text.join("\n"))
      assert.strictEqual((JSON.parse(result.stdout) as { complete: unknown }).complete, complete)
      assert.match(result.stderr, said)
    }
  }, 60_000)

  it("takes nothing of a file that is no export", async () => {
    const target = nodes.make()
    const other = join(source.home, "other")
    for (const text of ["", "\n\n", lines().slice(1).join("\n"), '{"format":"feral-sync","version":2}\n']) {
      writeFileSync(other, text)
      const { code, stderr } = await run(["import", other, "--home", target.home])
      assert.strictEqual(code, 1)
      assert.match(stderr, /other: it /)
    }
    assert.strictEqual((await run(["import", join(source.home, "none"), "--home", target.home])).code, 1)
    // Not even the data directory is made.
    assert.isFalse(existsSync(target.home))
  })
})

describe("with running nodes", () => {
  it("goes through the node, and what is imported reaches the others", async () => {
    const target = nodes.make()
    await target.start()
    const other = nodes.make({ FERAL_SYNC_PEERS: target.address })
    await other.start()
    await until(
      "the two are live",
      () => target.cli<ReadonlyArray<{ readonly state: string }>>("peers"),
      (peers) => peers.some(({ state }) => state === "live")
    )
    assert.deepInclude(await target.cli<Imported>("import", file), { read: 4, applied: 4, refused: [] })
    const digest = await digestOf(source)
    await until(
      "the other has it too",
      () => digestOf(other),
      (found) => found === digest
    )
    const { stdout } = await run(["export", "-", "--home", other.home])
    assert.deepStrictEqual(linesOf(stdout).slice(1), lines().slice(1))
    for (const node of [source, target, other]) {
      const found = await node.cli<ReadonlyArray<Record<string, unknown>>>("search", "plant")
      assert.deepStrictEqual(found.map(({ kind }) => kind).toSorted(), ["knowledge", "notes"])
      const [note] = await node.cli<ReadonlyArray<Record<string, unknown>>>("search", "PLANTS gard", "--limit", "1")
      assert.deepInclude(note, { kind: "notes", content: "water the plants", tags: ["garden"] })
      assert.containsAllKeys(note, ["id", "snippet", "updated_at", "origin_node", "hlc"])
      assert.deepStrictEqual(await node.cli("search", '"* OR ('), [])
    }
    assert.strictEqual((await run(["search", "x", "--limit", "0", "--home", target.home])).code, 2)
  }, 60_000)
})
