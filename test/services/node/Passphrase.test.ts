import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Logger, Option, Redacted, type Scope } from "effect"
import { join } from "node:path"
import { deriveKey } from "../../../src/core/sync/Handshake.ts"
import { Config, type Settings } from "../../../src/services/node/Config.ts"
import * as PassphraseModule from "../../../src/services/node/Passphrase.ts"
import { Passphrase } from "../../../src/services/node/Passphrase.ts"
import { needs } from "../../support/Needs.ts"

const within = <A, E>(test: (home: string) => Effect.Effect<A, E, FileSystem.FileSystem | Scope.Scope>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    yield* test(join(yield* fs.makeTempDirectoryScoped(), "home"))
  }).pipe(Effect.scoped, Effect.provide([NodeFileSystem.layer, Logger.layer([])]))

const open = (settings: Partial<Settings>) =>
  Effect.provide(
    Effect.map(Passphrase, (passphrase) => passphrase),
    Passphrase.layer.pipe(Layer.provide(Layer.succeed(Config, Config.make(settings))))
  )

describe("Passphrase", () => {
  it.live("the first start makes one, and later starts find it", () =>
    within((home) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const first = yield* open({ home })
        assert.isTrue(first.isNew)
        assert.deepStrictEqual(first.file, Option.some(join(home, "passphrase")))
        assert.match(Redacted.value(first.passphrase), /^[\w-]{43}$/)
        const { mode } = yield* fs.stat(join(home, "passphrase"))
        assert.strictEqual(mode & 0o777, 0o600)
        assert.notInclude(JSON.stringify(first), Redacted.value(first.passphrase))

        const second = yield* open({ home })
        assert.isFalse(second.isNew)
        assert.strictEqual(Redacted.value(second.passphrase), Redacted.value(first.passphrase))
      })
    )
  )

  it.live("two homes get two passphrases", () =>
    within((home) =>
      Effect.gen(function* () {
        const one = yield* open({ home: join(home, "one") })
        const other = yield* open({ home: join(home, "other") })
        assert.notStrictEqual(Redacted.value(one.passphrase), Redacted.value(other.passphrase))
      })
    )
  )

  it.live("the configuration wins over the file, and writes none", () =>
    within((home) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const passphrase = Option.some(Redacted.make("from outside"))
        const given = yield* open({ home, passphrase })
        assert.strictEqual(Redacted.value(given.passphrase), "from outside")
        assert.isFalse(given.isNew)
        assert.deepStrictEqual(given.file, Option.none())
        assert.isFalse(yield* fs.exists(join(home, "passphrase")))

        const made = yield* open({ home })
        assert.strictEqual(Redacted.value((yield* open({ home, passphrase })).passphrase), "from outside")
        assert.strictEqual(Redacted.value((yield* open({ home })).passphrase), Redacted.value(made.passphrase))
      })
    )
  )

  it.live("an empty passphrase is refused, from the configuration and from the file", () =>
    within((home) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const empty = yield* Effect.flip(open({ home, passphrase: Option.some(Redacted.make("")) }))
        assert.strictEqual(empty._tag, "PassphraseInvalid")
        for (const text of ["", "\n", "  \r\n"]) {
          yield* fs.writeFileString(join(home, "passphrase"), text, { mode: 0o600 })
          const error = yield* Effect.flip(open({ home }))
          assert.strictEqual(error._tag, "PassphraseInvalid")
          assert.include(error.message, join(home, "passphrase"))
        }
      })
    )
  )

  it.live("a file that others can read is closed", () =>
    within((home) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        yield* open({ home })
        yield* fs.chmod(join(home, "passphrase"), 0o644)
        yield* open({ home })
        assert.strictEqual((yield* fs.stat(join(home, "passphrase"))).mode & 0o777, 0o600)
      })
    )
  )

  it.live("the text of a file is taken as it is, without the end of its line", () =>
    within((home) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        yield* fs.makeDirectory(home)
        const file = join(home, "given")
        for (const [text, expected] of [
          ["plain", "plain"],
          ["line\n", "line"],
          ["dos\r\n", "dos"],
          [" spaces \n", " spaces "],
          ["new\nold\n", "new"],
          ["pässword 🔑\n", "pässword 🔑"]
        ] as const) {
          yield* fs.writeFileString(file, text)
          assert.strictEqual(Redacted.value((yield* PassphraseModule.fromFile(file)).passphrase), expected)
        }
        for (const [text, expected] of [
          ["new\nold\n", Option.some("old")],
          ["new\r\nold", Option.some("old")],
          ["new\n\n", Option.none()],
          ["new\n", Option.none()]
        ] as const) {
          yield* fs.writeFileString(file, text)
          const { previous } = yield* PassphraseModule.fromFile(file)
          assert.deepStrictEqual(Option.map(previous, Redacted.value), expected)
        }
        yield* fs.writeFileString(file, "one\ntwo\nthree\n")
        assert.include((yield* Effect.flip(PassphraseModule.fromFile(file))).message, "more than two lines")
        const error = yield* Effect.flip(PassphraseModule.fromFile(join(home, "missing")))
        assert.include(error.message, "does not exist")
      })
    )
  )

  it.live("a file in another encoding is refused, with what to do", () =>
    within((home) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        yield* fs.makeDirectory(home)
        const file = join(home, "given")
        for (const [bytes, problem] of [
          [Buffer.from("\ufeffsecret", "utf16le"), /the text is UTF-16: save it as UTF-8/],
          [Buffer.from("secret", "utf16le"), /holds NUL bytes, .*: save it as UTF-8/],
          [Buffer.from("caf\xe9", "latin1"), /the text is not UTF-8: save it as UTF-8/]
        ] as const) {
          yield* fs.writeFile(file, bytes)
          const error = yield* Effect.flip(PassphraseModule.fromFile(file))
          assert.match(error.message, problem)
          assert.notInclude(error.message, "secret")
        }
        yield* fs.writeFile(file, Buffer.from("\ufeffsecret\n"))
        assert.strictEqual(Redacted.value((yield* PassphraseModule.fromFile(file)).passphrase), "secret")
      })
    )
  )

  it("what looks like a slip is named, and not shown", () => {
    for (const [text, slip] of [
      ["secret", undefined],
      ["two words", undefined],
      ['say "hello"', undefined],
      ["don't", undefined],
      ["secret ", "ends with white space"],
      ["secret\r", "ends with white space"],
      ["secret\u00a0", "ends with white space"],
      [" secret", "begins with white space"],
      ['"secret"', "is in quotes"],
      ["'secret'", "is in quotes"],
      ["\u201csecret\u201d", "is in quotes"]
    ] as const) {
      assert.strictEqual(PassphraseModule.slipIn(Redacted.make(text)), slip, text)
    }
  })

  it.live("the key is derived from the passphrase, once", () =>
    within((home) =>
      Effect.gen(function* () {
        const { key } = yield* open({ home, passphrase: Option.some(Redacted.make("shared")) })
        const first = yield* key
        assert.strictEqual(yield* key, first)
        assert.deepStrictEqual(Redacted.value(first), deriveKey("shared"))
      })
    )
  )

  it.live.skipIf(needs("root"))("a file of another user is refused, and one of root is not", () =>
    within((home) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const file = `${home}-passphrase`
        yield* fs.writeFileString(file, "secret")
        yield* fs.chmod(file, 0o600)
        assert.strictEqual(Redacted.value((yield* PassphraseModule.fromFile(file)).passphrase), "secret")
        yield* fs.chown(file, 65_534, 65_534)
        for (const path of [file, `${home}-link`]) {
          if (path !== file) yield* fs.symlink(file, path)
          const error = yield* Effect.flip(PassphraseModule.fromFile(path))
          assert.match(error.message, /belongs to another user, .*: copy it .*chown/)
        }
      })
    )
  )
})
