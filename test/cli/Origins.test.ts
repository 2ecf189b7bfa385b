/** The origins of a node are listed and forgotten, while it runs and while it does not; a poisoned database heals. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, HashMap, Stream } from "effect"
import { DatabaseSync } from "node:sqlite"
import { run as runCli } from "../support/Cli.ts"
import type { OriginStatus } from "../../src/services/admin/Origins.ts"
import { StandardStreams } from "../../src/services/node/StandardStreams.ts"
import { draft } from "../support/Drafts.ts"
import { node, write } from "../support/Network.ts"
import { Nodes, run } from "../support/Nodes.ts"
import { batch, opened, temporaryDirectory } from "../support/Stores.ts"
import * as SqliteStore from "../../src/services/store/SqliteStore.ts"

const at = (wall: number) => ({ wall, counter: 0 })

/** What a command prints, and its exit code. */
const shown = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
  let stdout = ""
  let stderr = ""
  const code = yield* runCli(args).pipe(
    Effect.provideService(StandardStreams, {
      output: (text) => Effect.sync(() => void (stdout += text)),
      error: (text) => Effect.sync(() => void (stderr += text)),
      input: Stream.empty
    })
  )
  return { code, stdout, stderr }
})

/** The operations of one origin with a row, and of one whose rows have lost. */
const losing = [write(node("loser"), at(1_000), "r"), write(node("winner"), at(2_000), "r")]

/** A data directory with these and a row of this node, and the id of that. */
const filled = Effect.gen(function* () {
  const home = yield* temporaryDirectory
  const nodeId = yield* Effect.scoped(
    Effect.gen(function* () {
      const store = yield* opened(SqliteStore.layer({ home }))
      yield* store.apply(batch(losing, { loser: at(1_000), winner: at(2_000) }))
      yield* store.append([draft("mine")])
      return store.nodeId
    })
  )
  return { home, nodeId }
})

const listed = Effect.fnUntraced(function* (home: string) {
  const { code, stdout } = yield* shown("origins", "list", "--json", "--home", home)
  assert.strictEqual(code, 0)
  return JSON.parse(stdout) as ReadonlyArray<OriginStatus>
})

describe("origins, of a node that does not run", () => {
  it.live("are listed with their rows and their coverage, for people and for programs", () =>
    Effect.gen(function* () {
      const { home, nodeId } = yield* filled
      const rows = yield* listed(home)
      assert.deepStrictEqual(
        rows.map(({ origin, rows, is_self, is_peer }) => [origin, rows, is_self, is_peer] as const).toSorted(),
        (
          [
            ["loser", 0, false, null],
            ["winner", 1, false, null],
            [nodeId as string, 1, true, null]
          ] as const
        ).toSorted()
      )
      assert.deepInclude(
        rows.find(({ origin }) => origin === "loser"),
        {
          covered_to: "1000:0:loser",
          last_operation_at: 1,
          last_seen_at: null
        }
      )
      const { stdout } = yield* shown("origins", "list", "--home", home)
      assert.match(stdout, /^Origin +Rows +Covered up to +Last operation +Last seen +Peer\n/)
      assert.match(stdout, /^winner +1 +1970-01-01 00:00:02 UTC/m)
      assert.match(stdout, /this node$/m)
    })
  )

  it.live("are forgotten when no row of them is left, and no row changes", () =>
    Effect.gen(function* () {
      const { home } = yield* filled
      const before = JSON.parse((yield* shown("status", "--json", "--home", home)).stdout) as {
        readonly digest: string
      }
      const { code, stdout } = yield* shown("origins", "forget", "loser", "--home", home)
      assert.deepStrictEqual([code, stdout], [0, "Forgot 1 origin: loser. No row changed.\n"])
      assert.isFalse((yield* listed(home)).some(({ origin }) => origin === "loser"))
      const after = JSON.parse((yield* shown("status", "--json", "--home", home)).stdout) as { readonly digest: string }
      assert.strictEqual(after.digest, before.digest)
      assert.strictEqual((yield* shown("verify", "--home", home)).code, 0)
    })
  )

  const refusals: ReadonlyArray<readonly [string, (self: string) => ReadonlyArray<string>, number, RegExp]> = [
    ["one with rows", () => ["winner"], 1, /"winner" still has rows here.*purge --origin NODE-ID/],
    ["this node", (self) => [self], 1, /is this node itself; leave it out/],
    ["one that is not known", () => ["nobody"], 1, /no origin "nobody" is known here; see .*origins list/],
    ["what is no id", () => ["a\nb"], 1, /no origin .* is known here/],
    ["one of two", () => ["loser", "winner"], 1, /nothing was forgotten: "winner" still has rows/],
    ["none", () => [], 2, /origin/]
  ]
  for (const [what, args, expected, words] of refusals) {
    it.live(`are not forgotten: ${what}`, () =>
      Effect.gen(function* () {
        const { home, nodeId } = yield* filled
        const { code, stderr } = yield* shown("origins", "forget", ...args(nodeId), "--home", home)
        assert.strictEqual(code, expected)
        assert.match(stderr, words)
        assert.strictEqual((yield* listed(home)).length, 3)
      })
    )
  }

  it.live("that a database from before holds by the thousand, and that never were, are gone after it was opened", () =>
    Effect.gen(function* () {
      const { home } = yield* filled
      const database = new DatabaseSync(`${home}/sync.db`)
      const insert = database.prepare(
        "INSERT INTO clock (origin, wall, counter, top_wall, top_counter) VALUES (?, 5, 0, 0, 0)"
      )
      database.exec("BEGIN")
      for (let n = 0; n < 10_000; n++) insert.run(`made-up-${n}`)
      database.exec("COMMIT")
      database.close()
      assert.deepStrictEqual((yield* listed(home)).map(({ origin }) => origin.length > 0).length, 3)
      // They leave the file with the next write.
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* opened(SqliteStore.layer({ home }))
          assert.strictEqual(HashMap.size(yield* store.vectorClock), 3)
          yield* store.append([draft("later")])
        })
      )
      const after = new DatabaseSync(`${home}/sync.db`)
      assert.deepInclude(after.prepare("SELECT count(*) AS origins FROM clock").get(), { origins: 3 })
      after.close()
    })
  )
})

describe("origins, of a node that runs", { timeout: 90_000 }, () => {
  let nodes: Nodes
  beforeAll(() => {
    nodes = new Nodes()
  })
  afterAll(() => nodes.dispose())

  it("are listed and forgotten through it", async () => {
    const a = nodes.make()
    await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const store = yield* opened(SqliteStore.layer({ home: a.home }))
          yield* store.apply(batch(losing, { loser: at(1_000), winner: at(2_000) }))
          yield* store.append([draft("mine")])
        })
      )
    )
    await a.start()
    const rows = await a.cli<ReadonlyArray<OriginStatus>>("origins", "list")
    assert.deepInclude(
      rows.find(({ origin }) => origin === "loser"),
      { rows: 0, is_peer: false, last_seen_at: null }
    )
    assert.deepStrictEqual(await a.cli("origins", "forget", "loser"), { forgotten: ["loser"] })
    const refused = await run(["origins", "forget", "winner", "--json", "--home", a.home])
    assert.strictEqual(refused.code, 1)
    assert.deepInclude(JSON.parse(refused.stderr), { _tag: "OriginsKept" })
    const left = await a.cli<ReadonlyArray<OriginStatus>>("origins", "list")
    assert.deepStrictEqual(left.map(({ origin }) => origin).toSorted(), ["winner", a.id].toSorted())
    assert.notProperty((await a.status()).vector_clock, "loser")
  })
})
