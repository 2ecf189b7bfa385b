import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Logger, type Scope } from "effect"
import { homedir } from "node:os"
import { join } from "node:path"
import * as Home from "../../src/services/Home.ts"

/** Runs with a directory of its own, and gives what was logged. */
const within = <A, E>(
  test: (directory: string, logged: ReadonlyArray<string>) => Effect.Effect<A, E, FileSystem.FileSystem | Scope.Scope>
) =>
  Effect.gen(function* () {
    const logged: Array<string> = []
    const logger = Logger.make(({ message }) => logged.push(String(message)))
    const fs = yield* FileSystem.FileSystem
    const directory = yield* fs.makeTempDirectoryScoped()
    yield* test(directory, logged).pipe(Effect.provide(Logger.layer([logger])))
  }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))

const modeOf = (path: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    return (yield* fs.stat(path)).mode & 0o7777
  })

describe("Home", () => {
  it.live("a directory that is made is for its user alone, and nothing is said", () =>
    within((directory, logged) =>
      Effect.gen(function* () {
        const home = join(directory, "a", "b")
        yield* Home.prepare(home)
        yield* Home.prepare(home)
        assert.strictEqual(yield* modeOf(home), 0o700)
        assert.deepStrictEqual(logged, [])
      })
    )
  )

  it.live("a directory that others can enter is closed, with a warning", () =>
    within((directory, logged) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        yield* fs.chmod(directory, 0o755)
        yield* Home.prepare(directory)
        assert.strictEqual(yield* modeOf(directory), 0o700)
        assert.strictEqual(logged.length, 1)
      })
    )
  )

  it.live("a directory that is everybody's is left as it is, with a warning", () =>
    within((directory, logged) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        yield* fs.chmod(directory, 0o1777)
        yield* Home.prepare(directory)
        assert.strictEqual(yield* modeOf(directory), 0o1777)
        assert.strictEqual(logged.length, 1)
        const before = yield* modeOf(homedir())
        yield* Home.prepare(homedir())
        assert.strictEqual(yield* modeOf(homedir()), before)
      })
    )
  )

  it.live("a file in the way is a failure that names it", () =>
    within((directory) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const file = join(directory, "file")
        yield* fs.writeFileString(file, "")
        for (const home of [file, join(file, "below")]) {
          const error = yield* Effect.flip(Home.prepare(home))
          assert.strictEqual(error._tag, "StoreUnavailable")
          assert.include(error.message, home)
        }
      })
    )
  )

  it.live("a secret is for its user alone, also when it replaces a file that was not", () =>
    within((directory) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const file = join(directory, "secret")
        yield* fs.writeFileString(file, "old", { mode: 0o644 })
        yield* fs.writeFileString(`${file}.new`, "left by a crash", { mode: 0o644 })
        yield* Home.writeSecret(file, "new")
        assert.strictEqual(yield* fs.readFileString(file), "new")
        assert.strictEqual(yield* modeOf(file), 0o600)
        assert.deepStrictEqual(yield* fs.readDirectory(directory), ["secret"])
      })
    )
  )
})
