import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { existsSync, statSync } from "node:fs"
import { join } from "node:path"
import { elsewhere, explain, makeDirectories } from "../../../src/services/node/FileError.ts"

const error = (code: string) => Object.assign(new Error(`${code}: x`), { code, syscall: "open" })

describe("FileError", () => {
  const codes: ReadonlyArray<readonly [code: string, reason: string, says: RegExp, nextStep: RegExp]> = [
    ["EROFS", "read-only", /read-only file system/, /--home DIR/],
    ["ENOSPC", "disk full", /disk of \/nowhere\/x is full/, /free some space/],
    ["EDQUOT", "disk full", /quota/, /free some space/],
    ["ENOENT", "not found", /there is no \/nowhere\/x/, /check the path/],
    ["EEXIST", "not found", /a file is in the way/, /move it away/],
    ["EISDIR", "other", /is a directory, not a file/, /path of a file/],
    ["ELOOP", "other", /symbolic links/, /ls -l/],
    ["ENAMETOOLONG", "other", /too long/, /shorter/],
    ["EMFILE", "other", /this process has too many open files/, /ulimit -n/],
    ["ENFILE", "other", /this machine has too many open files/, /limit/],
    ["EIO", "other", /disk of .* reports an error/, /check the disk/]
  ]
  for (const [code, reason, says, nextStep] of codes) {
    it(`${code} is explained wherever in the chain of causes it is`, () => {
      for (const cause of [error(code), { cause: error(code) }, { reason: { cause: error(code) } }]) {
        const explained = explain(cause, "/nowhere/x")
        assert.strictEqual(explained?.reason, reason)
        assert.match(explained?.problem ?? "", says)
        assert.match(explained?.nextStep ?? "", nextStep)
      }
    })
  }

  it("names the file that stands in for a directory", () => {
    const file = join(import.meta.filename, "below", "deeper")
    const says = `a file is in the way of ${file}: ${import.meta.filename} is not a directory`
    assert.strictEqual(explain(error("ENOTDIR"), file)?.problem, says)
  })

  it("what is forbidden names its owner, or the mode to change", () => {
    const { problem = "", nextStep = "" } = explain(error("EACCES"), "/proc/1/x", elsewhere.file) ?? {}
    const isRoot = process.getuid?.() === statSync("/proc/1").uid
    if (isRoot) assert.match(nextStep, /chmod u\+rwX .*choose another path/)
    else assert.match(problem, /belongs to root/)
  })

  it("what is not an error of the file system is left alone", () => {
    for (const cause of [undefined, null, "text", new Error("x"), { code: "EACCES" }, error("ENOTAROOM")]) {
      assert.isUndefined(explain(cause, "/x"))
    }
  })

  it.live("makes directories, and ends where nothing can be made", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      const deep = join(directory, "a", "b", "c")
      yield* makeDirectories(deep)
      yield* makeDirectories(deep)
      assert.isTrue(existsSync(deep))
      assert.strictEqual(statSync(deep).mode & 0o777, 0o700)
      const failed = yield* Effect.flip(makeDirectories("/proc/nowhere/x"))
      assert.strictEqual(failed._tag, "PlatformError")
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )
})
