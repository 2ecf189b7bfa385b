/**
 * The plan of `src`: no circle of imports, one name for one file, tags that load none of what is costly, and a map that shows the
 * folders that there are.
 */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { globSync, readFileSync } from "node:fs"
import { basename, dirname, join, normalize } from "node:path"
import { root, sources } from "./support/RepositoryText.ts"

const files = sources("src/**/*.ts")
const read = (file: string) => readFileSync(join(root, file), "utf8")

/** The files of `src` that a file imports, types included. */
const importsOf = (file: string): ReadonlyArray<string> =>
  [...read(file).matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map(([, path = ""]) =>
    normalize(join(dirname(file), path))
  )

/** A way from a file back to itself; none when there is no circle. */
const circleIn = (graph: ReadonlyMap<string, ReadonlyArray<string>>): ReadonlyArray<string> | undefined => {
  const done = new Set<string>()
  const follow = (file: string, way: ReadonlyArray<string>): ReadonlyArray<string> | undefined => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file]
    if (done.has(file)) return undefined
    for (const next of graph.get(file) ?? []) {
      const circle = follow(next, [...way, file])
      if (circle !== undefined) return circle
    }
    done.add(file)
    return undefined
  }
  for (const file of graph.keys()) {
    const circle = follow(file, [])
    if (circle !== undefined) return circle
  }
  return undefined
}

/** Modules of services that hold a tag and load nothing of an implementation. */
const tags = [
  "store/Store",
  "memory/Memory",
  "discovery/Discovery",
  "transport/Transport",
  "peers/Peers",
  "node/Config",
  "node/HlcClock",
  "node/Passphrase"
].map((name) => `src/services/${name}.ts`)

/** What takes time to load, or is not there everywhere. */
const costly = /node_modules\/(ws|multicast-dns|@effect\/sql-sqlite-node)\/|^node:sqlite$|services\/store\/Sqlite/

/** The files outside of `core/sync/v1` that know it: the policy, one connection, and what is noted of such nodes. */
const knowV1 = ["src/services/node/V1Settings.ts", "src/services/peers/V1Meeting.ts", "src/services/peers/V1Peers.ts"]

/** The files that know those. */
const nearV1 = [
  "src/cli/Running.ts",
  "src/services/admin/doctor/PeerProbe.ts",
  "src/services/peers/Conversation.ts",
  "src/services/peers/Dial.ts",
  "src/services/peers/PeerTable.ts",
  "src/services/peers/PeerView.ts",
  "src/services/transport/WebSocketTransport.ts"
]

/** The files that import one that is `within`, and are not themselves. */
const importersOf = (within: (file: string) => boolean): ReadonlyArray<string> =>
  files.filter((file) => !within(file) && importsOf(file).some(within))

describe("the plan of src", () => {
  it("only the listed files use the protocol of existing FERAL nodes", () => {
    const isV1 = (file: string) => file.startsWith("src/core/sync/v1/")
    assert.isAtLeast(files.filter(isV1).length, 5)
    assert.sameMembers([...importersOf(isV1)], knowV1)
    assert.sameMembers([...importersOf((file) => isV1(file) || knowV1.includes(file))], nearV1)
  })

  it("derives all that is done with a kind from the table of kinds", () => {
    // Beside the table: what a file of the first version knew, and the table of another program.
    const named = globSync("src/**/*.{ts,js}", { cwd: root }).filter((file) => read(file).includes("execution_log"))
    assert.sameMembers(named.map(normalize), [
      "src/core/replica/Kind.ts",
      "src/core/foreign/FeralMemory.ts",
      "src/services/store/SqliteResettle.ts"
    ])
  })

  it("has no circle of imports, of values or of types", () => {
    assert.isUndefined(circleIn(new Map(files.map((file) => [file, importsOf(file)]))))
  })

  it("finds a circle where there is one", () => {
    const graph = new Map([
      ["a", ["b"]],
      ["b", ["c", "d"]],
      ["c", []],
      ["d", ["b"]]
    ])
    assert.deepStrictEqual(circleIn(graph), ["b", "d", "b"])
  })

  it("has one name for one file in core and services", () => {
    const names = files.filter((file) => /^src\/(core|services)\//.test(file)).map((file) => basename(file))
    const twice = names.filter((name, at) => names.indexOf(name) !== at)
    assert.deepStrictEqual(twice, [])
  })

  it("is drawn in docs/architecture.md with every folder, and a sentence for each", () => {
    const [, drawing = ""] = /^```\n(src\/[^]*?)^```$/m.exec(read("docs/architecture.md")) ?? []
    const way: Array<string> = []
    const drawn = drawing
      .trimEnd()
      .split("\n")
      .map((line) => {
        const [, indent = "", name = "", sentence = ""] = /^( *)(\S+)\/ +(\S.*)$/.exec(line) ?? []
        assert.isAtLeast(sentence.length, 20, line)
        way.splice(indent.length / 2, way.length, name)
        return way.join("/")
      })
    const folders = globSync("src/**/", { cwd: root }).map((folder) => normalize(folder).replace(/\/$/, ""))
    assert.sameMembers(drawn, [...new Set(folders)])
  })

  it("has tags that load no database, no WebSocket and no mDNS", () => {
    // Each step loads what is new to it. One process: to load Effect takes seconds, and would be done for each.
    const steps = [
      tags,
      ["src/services/store/SqliteStore.ts"],
      ["src/services/transport/WebSocketTransport.ts"],
      ["src/services/discovery/MdnsDiscovery.ts"]
    ].map((files) => files.map((file) => join(root, file)))
    const script = `
      import { registerHooks } from "node:module"
      let loaded = []
      registerHooks({ resolve: (name, context, next) => {
        const found = next(name, context)
        loaded.push(found.url)
        return found
      } })
      const steps = []
      for (const files of ${JSON.stringify(steps)}) {
        loaded = []
        for (const file of files) await import(file)
        steps.push(loaded)
      }
      console.log(JSON.stringify(steps))`
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
      encoding: "utf8"
    })
    assert.match(stdout, /^\[/, stderr)
    const [ofTags = [], ...others] = JSON.parse(stdout) as ReadonlyArray<ReadonlyArray<string>>
    const isCostly = (url: string) => costly.test(url)
    assert.deepStrictEqual(ofTags.filter(isCostly), [])
    assert.isAtLeast(ofTags.length, 100)
    // And it would be seen.
    assert.lengthOf(others, 3)
    for (const loaded of others) assert.isNotEmpty(loaded.filter(isCostly))
  })
})
