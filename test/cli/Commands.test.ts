/**
 * Every command as a process of its own, on a real database and without a running node.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { existsSync } from "node:fs"
import type { Episode, Execution, Fact, Note } from "../../src/core/replica/Row.ts"
import type { NodeStatus } from "../../src/services/node/Status.ts"
import { freshHome, run } from "../support/Nodes.ts"
import { open } from "../support/OpenProcess.ts"

let home: string
let remove: () => void
beforeAll(() => {
  const fresh = freshHome()
  home = fresh.home
  remove = fresh.remove
})
afterAll(() => remove())

/** Runs a command that must succeed, and must print one JSON value and nothing else. */
const json = async <A>(...args: ReadonlyArray<string>): Promise<A> => {
  const { code, stdout, stderr } = await run(["--json", ...args], { FERAL_HOME: home })
  assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
  return JSON.parse(stdout) as A
}

/** Runs a command that must succeed, as people do. */
const human = async (...args: ReadonlyArray<string>): Promise<string> => {
  const { code, stdout, stderr } = await run([...args, "--home", home], {})
  assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
  return stdout
}

interface Written {
  readonly id: string
  readonly hlc: string
}

const provenance = ["updated_at", "origin_node", "hlc"]
const hlc = /^\d+:\d+:[0-9a-f]{16}$/

describe("commands without a node", () => {
  it("note: add, edit, delete, list", async () => {
    const missing = await run(["note", "list", "--json", "--home", home])
    assert.deepInclude(missing, { code: 1, stdout: "" })
    assert.strictEqual((JSON.parse(missing.stderr) as { _tag: string })._tag, "HomeNotFound")
    assert.isFalse(existsSync(home))
    await json("fact", "delete", (await json<Written>("fact", "add", "s", "p", "o")).id)
    assert.include(await human("note", "list"), "note add")
    assert.deepStrictEqual(await json("note", "list"), [])

    const text = "erste Zeile ü\n\tzweite 🙂 \"quoted\" \\ '$HOME'\n"
    const added = await json<Written>("note", "add", text, "--tag", "a", "--tag", "b c", "--importance", "high")
    assert.deepStrictEqual(Object.keys(added), ["id", "hlc"])
    assert.match(added.hlc, hlc)

    const [note, ...none] = await json<ReadonlyArray<Note>>("note", "list")
    assert.deepStrictEqual(none, [])
    assert.deepStrictEqual(Object.keys(note ?? {}), [
      "id",
      "content",
      "tags",
      "importance",
      "source",
      "created_at",
      ...provenance
    ])
    assert.deepInclude(note, {
      id: added.id,
      hlc: added.hlc,
      content: text,
      tags: ["a", "b c"],
      importance: "high",
      source: "user"
    })
    assert.strictEqual(note?.origin_node, added.hlc.split(":")[2])

    const edited = await json<Written>("note", "edit", added.id, "--", "--json")
    assert.strictEqual(edited.id, added.id)
    assert.deepInclude((await json<ReadonlyArray<Note>>("note", "list"))[0], {
      content: "--json",
      tags: ["a", "b c"],
      hlc: edited.hlc,
      created_at: note?.created_at ?? 0
    })
    const table = await human("note", "list")
    assert.match(table, /^ID +CHANGED +TAGS +TEXT\n/)
    assert.include(table, added.id)
    assert.include(table, "a, b c")
    assert.include(table, "[high] --json")

    assert.match(await human("note", "delete", added.id), /^Deleted note /)
    assert.deepStrictEqual(await json("note", "list"), [])
  })

  it("fact: set, add, delete, list", async () => {
    assert.include(await human("fact", "list"), "fact set")
    const first = await json<Written>("fact", "set", "sky", "is", "blue")
    const second = await json<Written>("fact", "set", "--confidence", "0.25", "sky", "is", "grey")
    assert.strictEqual(second.id, first.id)
    const added = await json<Written>("fact", "add", "sky", "is", "--", "-273.15")
    assert.notStrictEqual(added.id, first.id)
    const facts = await json<ReadonlyArray<Fact>>("fact", "list")
    assert.strictEqual(facts.length, 2)
    for (const fact of facts) {
      assert.deepStrictEqual(Object.keys(fact), [
        "id",
        "subject",
        "predicate",
        "object",
        "confidence",
        "source",
        "created_at",
        ...provenance
      ])
    }
    assert.deepInclude(
      facts.find(({ id }) => id === first.id),
      { object: "grey", confidence: 0.25 }
    )
    assert.deepInclude(
      facts.find(({ id }) => id === added.id),
      { object: "-273.15", confidence: 1 }
    )
    assert.match(await human("fact", "list"), /25% +sky +is +grey/)
    assert.match(await human("fact", "delete", added.id), /^Deleted fact /)
    assert.strictEqual((await json<ReadonlyArray<Fact>>("fact", "list")).length, 1)
  })

  it("episode: add, list", async () => {
    assert.include(await human("episode", "list"), "episode add")
    const args = ["--session", "s1", "--type", "talk", "--summary=- a dash"]
    const added = await json<Written>("episode", "add", ...args, "--detail", "more\nlines")
    assert.match(await human("episode", "add", ...args), /^Recorded episode /)
    const [episode] = await json<ReadonlyArray<Episode>>("episode", "list")
    assert.deepStrictEqual(Object.keys(episode ?? {}), [
      "id",
      "session_id",
      "event_type",
      "summary",
      "detail",
      "importance",
      "created_at",
      ...provenance
    ])
    assert.deepInclude(episode, {
      id: added.id,
      session_id: "s1",
      event_type: "talk",
      summary: "- a dash",
      detail: "more\nlines",
      importance: 0.5
    })
    assert.include(await human("episode", "list"), "- a dash (more⏎lines)")
  })

  it("log: append, list", async () => {
    assert.include(await human("log", "list"), "log append")
    const args = ["--session", "s1", "--skill", "search", "--endpoint", "here", "--status", "ok"]
    const appended = await json<Written>("log", "append", ...args, "--args", '{"q": "tea"}', "--latency-ms", "12.5")
    assert.match(await human("log", "append", ...args), /^Logged /)
    const [entry, other] = await json<ReadonlyArray<Execution>>("log", "list")
    assert.deepStrictEqual(Object.keys(entry ?? {}), [
      "id",
      "session_id",
      "skill_id",
      "endpoint_id",
      "args",
      "result_status",
      "result_summary",
      "latency_ms",
      "created_at",
      ...provenance
    ])
    assert.deepInclude(entry, { id: appended.id, skill_id: "search", endpoint_id: "here", latency_ms: 12.5 })
    assert.deepStrictEqual(entry?.args, { q: "tea" })
    assert.deepInclude(other, { args: {}, latency_ms: 0, result_summary: "" })
    assert.match(await human("log", "list"), /ok +12.5 ms +s1 +search +here/)
  })

  it("status says what the database holds, and that nothing runs; peers needs a node", async () => {
    const { digest, vector_clock, node_id, version, ...rest } = await json<NodeStatus>("status")
    assert.match(digest, /^[0-9a-f]{16}$/)
    assert.match(version, /^\d+\.\d+\.\d+/)
    assert.deepStrictEqual(Object.keys(vector_clock), [node_id])
    assert.deepStrictEqual(rest, {
      summary: "This node is not running, so nothing is exchanged.",
      port: null,
      api_port: null,
      tls: "auto",
      legacy: "tls",
      uptime_seconds: 0,
      counts: { notes: 0, knowledge: 1, episodes: 2, execution_log: 2, tombstones: 3, quarantine: 0 },
      // Nobody else has ever been met.
      tombstones: { held: 3, stable: 3, waiting: 0, waiting_for: [] },
      opaque: {
        bytes: 0,
        limit_bytes: 268_435_456,
        limit_bytes_per_origin: 67_108_864,
        origins: [],
        held_back: [],
        purged: []
      },
      peer_limits: { burst_bytes: 1_073_741_824, bytes_per_second: 1_048_576 },
      discovery: { mdns: "off", static: "none" },
      peers: []
    })
    const text = await human("status")
    assert.match(text, /^This node is not running, so nothing is exchanged\.\n\nNode /)
    assert.include(text, node_id)
    assert.include(text, "not running")
    assert.include(text, "1 fact, 2 episodes, 2 log entries, 3 deleted")
    assert.include(text, "3 deletions kept; every known node has them")

    const peers = await run(["peers", "--json"], { FERAL_HOME: home })
    assert.deepInclude(peers, { code: 1, stdout: "" })
    assert.strictEqual((JSON.parse(peers.stderr) as { _tag: string })._tag, "NodeNotRunning")
  })

  it("status --watch shows it again and again, and ends when it is interrupted", async () => {
    const child = open(["status", "--watch", "--json", "--home", home])
    let out = ""
    await new Promise<void>((resolve) =>
      child.stdout?.setEncoding("utf8").on("data", (text: string) => {
        out += text
        if (out.split("\n").length > 2) resolve()
      })
    )
    child.kill("SIGINT")
    await new Promise((resolve) => child.once("close", resolve))
    for (const line of out.trim().split("\n")) {
      assert.strictEqual((JSON.parse(line) as NodeStatus).summary, "This node is not running, so nothing is exchanged.")
    }
  })

  it("commands at the same time wait for each other, and none is lost", async () => {
    const before = (await json<ReadonlyArray<Note>>("note", "list")).length
    const all = await Promise.all(Array.from({ length: 6 }, (_, index) => json<Written>("note", "add", `${index}`)))
    assert.strictEqual(new Set(all.map(({ hlc }) => hlc)).size, 6)
    assert.strictEqual((await json<ReadonlyArray<Note>>("note", "list")).length, before + 6)
  })
})
