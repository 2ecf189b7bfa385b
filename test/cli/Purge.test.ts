/** Rows of an unknown kind, or of one origin, are removed from a node that does not run. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { run } from "../support/Cli.ts"
import { StandardStreams } from "../../src/services/node/StandardStreams.ts"
import { draft } from "../support/Drafts.ts"
import { node, write } from "../support/Network.ts"
import { batch, opened, temporaryDirectory } from "../support/Stores.ts"
import * as SqliteStore from "../../src/services/store/SqliteStore.ts"

/** What a command prints, and its exit code. */
const shown = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
  let stdout = ""
  let stderr = ""
  const code = yield* run(args).pipe(
    Effect.provideService(StandardStreams, {
      output: (text) => Effect.sync(() => void (stdout += text)),
      error: (text) => Effect.sync(() => void (stderr += text)),
      input: Stream.empty
    })
  )
  return { code, stdout, stderr }
})

/** A data directory with rows of two origins and of this node, and its id. */
const filled = Effect.gen(function* () {
  const home = yield* temporaryDirectory
  const nodeId = yield* Effect.scoped(
    Effect.gen(function* () {
      const store = yield* opened(SqliteStore.layer({ home }))
      yield* store.append([draft("mine")])
      const at = (wall: number) => ({ wall, counter: 0 })
      yield* store.apply(
        batch([
          write(node("rogue"), at(1), "r1", "junk"),
          write(node("rogue"), at(2), "r2", "junk"),
          write(node("rogue"), at(3), "r3"),
          write(node("good"), at(4), "r4", "junk"),
          write(node("good"), at(5), "r5")
        ])
      )
      return store.nodeId
    })
  )
  return { home, nodeId }
})

describe("purge", () => {
  it.live("removes the rows of a kind, after a look at them, and says what that means", () =>
    Effect.gen(function* () {
      const { home } = yield* filled
      const looked = yield* shown("purge", "--kind", "junk", "--dry-run", "--home", home)
      assert.strictEqual(looked.code, 0)
      assert.match(looked.stdout, /^Would remove 3 rows of the kind junk.*:\n {2}rogue: 2 rows.*\n {2}good: 1 row/)
      const { code, stdout } = yield* shown("purge", "--kind", "junk", "--home", home)
      assert.strictEqual(code, 0)
      assert.match(stdout, /^Removed 3 rows of the kind junk/)
      assert.match(stdout, /Run the same command on every node/)
      const status = yield* shown("status", "--home", home)
      assert.match(status.stdout, /3 rows purged here/)
      const again = yield* shown("purge", "--kind", "junk", "--home", home)
      assert.deepStrictEqual([again.code, again.stdout], [0, "This node has no rows of the kind junk.\n"])
    })
  )

  it.live("removes all rows of an origin, and no others", () =>
    Effect.gen(function* () {
      const { home } = yield* filled
      const { code, stdout } = yield* shown("purge", "--origin", "rogue", "--json", "--home", home)
      assert.strictEqual(code, 0)
      assert.deepInclude(JSON.parse(stdout), { rows: 3, is_dry_run: false })
      const { counts, opaque } = JSON.parse((yield* shown("status", "--json", "--home", home)).stdout)
      assert.strictEqual(counts.notes, 2)
      assert.deepStrictEqual(
        opaque.origins.map(({ origin }: { readonly origin: string }) => origin),
        ["good"]
      )
      assert.strictEqual((yield* shown("verify", "--home", home)).code, 0)
    })
  )

  const refusals: ReadonlyArray<readonly [string, (nodeId: string) => ReadonlyArray<string>, number, RegExp]> = [
    ["a known kind", () => ["--kind", "notes"], 1, /this version knows "notes".*purge --origin NODE-ID/],
    ["the rows of this node", (nodeId) => ["--origin", nodeId], 1, /is this node itself.*one by one/],
    ["what is no name", () => ["--kind", "a\nb"], 1, /not the name/],
    ["nothing in particular", () => [], 2, /--kind KIND or --origin NODE-ID/],
    ["both at once", () => ["--kind", "junk", "--origin", "rogue"], 2, /--kind KIND or --origin NODE-ID/],
    ["an empty name", () => ["--kind", ""], 2, /must be non-empty/]
  ]
  for (const [what, args, expected, words] of refusals) {
    it.live(`refuses ${what}, and removes nothing`, () =>
      Effect.gen(function* () {
        const { home, nodeId } = yield* filled
        const { code, stderr } = yield* shown("purge", ...args(nodeId), "--home", home)
        assert.strictEqual(code, expected)
        assert.match(stderr, words)
        assert.strictEqual(JSON.parse((yield* shown("verify", "--json", "--home", home)).stdout).rows, 6)
      })
    )
  }
})
