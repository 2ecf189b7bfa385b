import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Logger, References, type Scope } from "effect"
import { lchownSync, symlinkSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import * as Home from "../../../src/services/node/Home.ts"
import * as Material from "../../../src/services/transport/tls/Material.ts"

/** Runs with a directory of its own, and gives what was logged. */
const within = <A, E>(
  test: (directory: string, logged: ReadonlyArray<string>) => Effect.Effect<A, E, FileSystem.FileSystem | Scope.Scope>
) =>
  Effect.gen(function* () {
    const logged: Array<string> = []
    const logger = Logger.make(({ message, fiber }) =>
      logged.push(`${String(message)} ${JSON.stringify(fiber.getRef(References.CurrentLogAnnotations))}`)
    )
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
  const files = ["sync.db", "passphrase", "token", "tickets", "removed", "paused", "lock", "tls-key.pem"]
  for (const name of [".", ...files]) {
    it.live.skipIf(process.getuid?.() !== 0)(`${name} of another user is refused, also behind a link`, () =>
      within((directory) =>
        Effect.gen(function* () {
          const fs = yield* FileSystem.FileSystem
          const [home, elsewhere] = [join(directory, "home"), join(directory, "elsewhere")]
          yield* Effect.forEach([home, elsewhere], (made) => fs.makeDirectory(made, { mode: 0o700 }))
          const foreign = join(elsewhere, name)
          if (name !== ".") yield* fs.writeFileString(foreign, "of another user")
          yield* fs.chown(foreign, 65_534, 65_534)
          const used = name === "." ? join(directory, "link") : home
          yield* fs.symlink(foreign, name === "." ? used : join(home, name))
          const failure = yield* Effect.flip(Home.prepare(used))
          assert.match(failure.message, /belongs to another user: use a data directory of your own/)
        })
      )
    )
  }

  it.live.skipIf(process.getuid?.() !== 0)("links of another user are refused, wherever they lead to", () =>
    within((directory) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        yield* fs.chmod(directory, 0o711)
        for (const name of [...files, "sync.db-wal", "feral-sync.sock"]) {
          const home = join(directory, `home-${name}`)
          yield* Home.prepare(home)
          const own = join(directory, `own-${name}`)
          yield* fs.writeFileString(own, "ours")
          yield* fs.symlink(own, join(home, name))
          yield* Home.prepare(home)
          lchownSync(join(home, name), 65_534, 65_534)
          const failure = yield* Effect.flip(Home.prepare(home))
          assert.match(failure.message, /belongs to another user: use a data directory of your own/)
        }
      })
    )
  )

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

  it.live("secrets that others can read are mended with one warning that names them; the rest is left alone", () =>
    within((directory, logged) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const secrets = ["sync.db", "sync.db-wal", "sync.db-shm", "lock", "passphrase", "tls-key.pem"]
        const others = ["tls-cert.pem", "notes.txt"]
        for (const name of [...secrets, ...others]) {
          yield* fs.writeFileString(join(directory, name), name)
          yield* fs.chmod(join(directory, name), 0o644)
        }
        assert.strictEqual((yield* Home.exposed(directory)).length, secrets.length)
        yield* Home.prepare(directory)
        for (const name of secrets) assert.strictEqual(yield* modeOf(join(directory, name)), 0o600)
        for (const name of others) assert.strictEqual(yield* modeOf(join(directory, name)), 0o644)
        assert.strictEqual(logged.length, 1)
        for (const name of secrets) assert.include(logged[0], join(directory, name))
        assert.deepStrictEqual(yield* Home.exposed(directory), [])
        yield* Home.prepare(directory)
        assert.strictEqual(logged.length, 1)
      })
    )
  )

  it.live.skipIf(process.getuid?.() !== 0)("a page that belongs to another user is left alone, with a warning", () =>
    within((directory, logged) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const file = join(directory, "open.html")
        yield* fs.writeFileString(file, "secret")
        yield* fs.chmod(file, 0o644)
        yield* fs.chown(file, 65534, 65534)
        yield* Home.prepare(directory)
        assert.strictEqual(yield* modeOf(file), 0o644)
        assert.match(logged.join(), /chmod go= as their owner.*open/)
      })
    )
  )

  for (const mask of [0o000, 0o277]) {
    it.live(`what is made has its mode, though the mask of the process is 0${mask.toString(8)}`, () =>
      within((directory, logged) =>
        Effect.gen(function* () {
          const [home, secret] = [join(directory, "home"), join(directory, "secret")]
          yield* Effect.acquireUseRelease(
            Effect.sync(() => process.umask(mask)),
            () => Effect.andThen(Home.prepare(home), Home.writeSecret(secret, "one")),
            (before) => Effect.sync(() => process.umask(before))
          )
          assert.strictEqual(yield* modeOf(home), 0o700)
          assert.strictEqual(yield* modeOf(secret), 0o600)
          assert.deepStrictEqual(logged, [])
        })
      )
    )
  }

  it.live("a directory with nothing but what a node makes there is closed, wherever it is", () =>
    within((directory) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        yield* fs.chmod(directory, 0o755)
        const made = [...Object.values(Home.paths(directory)), ...Object.values(Material.ownPaths(directory))]
        const kept = ["sync.db-wal.of-another-database-x", "sync.db.before-restore-x", "lock", "passphrase.new"]
        for (const path of [...made, ...kept.map((name) => join(directory, name))]) yield* fs.writeFileString(path, "")
        yield* fs.makeDirectory(join(directory, "tls"))
        yield* Home.prepare(directory)
        assert.strictEqual(yield* modeOf(directory), 0o700)
      })
    )
  )

  it.live("a directory with other files is left as it is, with a warning; the files of a node keep others out", () =>
    within((directory, logged) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        yield* fs.chmod(directory, 0o755)
        for (const name of ["fstab", "sync.db"]) yield* fs.writeFileString(join(directory, name), "")
        yield* fs.chmod(join(directory, "sync.db"), 0o644)
        yield* Home.prepare(directory)
        assert.strictEqual(yield* modeOf(directory), 0o755)
        assert.strictEqual(yield* modeOf(join(directory, "sync.db")), 0o600)
        assert.match(logged.join(), /contains other files: use a separate directory/)
      })
    )
  )

  it.live("a directory that all users can enter is left as it is, with a warning", () =>
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

  for (const [name, make, words] of [
    [
      "a link that leads nowhere",
      (at: string) => symlinkSync("missing", at),
      /is a symbolic link to missing, which does/
    ],
    [
      "a link that leads to itself",
      (at: string) => symlinkSync(at, at),
      /is a symbolic link that leads back to itself/
    ],
    ["a file", (at: string) => writeFileSync(at, ""), /is a file, not a directory/],
    ["a link to a file", (at: string) => symlinkSync("/etc/passwd", at), /is a file, not a directory/]
  ] as const) {
    it.live(`${name} is no data directory, and neither is what is below it`, () =>
      within((directory) =>
        Effect.gen(function* () {
          const at = join(directory, "home")
          make(at)
          const error = yield* Effect.flip(Home.prepare(at))
          assert.deepInclude(error, { _tag: "StoreUnavailable", reason: "other" })
          assert.match(error.message, words)
          const below = yield* Effect.flip(Home.prepare(join(at, "a", "b")))
          assert.deepInclude(below, { _tag: "StoreUnavailable", reason: "other" })
          assert.include(below.message, at)
        })
      )
    )
  }

  it.live("a link to a directory is a data directory", () =>
    within((directory) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        yield* fs.makeDirectory(join(directory, "real"), { mode: 0o700 })
        symlinkSync("real", join(directory, "home"))
        yield* Home.prepare(join(directory, "home"))
        yield* Home.prepare(join(directory, "home", "below"))
        assert.strictEqual(yield* modeOf(join(directory, "real", "below")), 0o700)
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
