/** The files of the program run as they are, whatever is kept of them from earlier runs. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { root } from "../support/RepositoryText.ts"

const directory = mkdtempSync(join(tmpdir(), "feral-sync-scripts-"))

/** Two files of a program, of which one calls what the other has, once it is asked to. */
const programOf = (name: string, answer: string) => {
  const place = join(directory, name)
  mkdirSync(place, { recursive: true })
  const body = Array.from({ length: 200 }, (_, index) => `total += ${index} * words.length`).join("; ")
  writeFileSync(
    join(place, "second.cjs"),
    `exports.later = (words) => { let total = 0; ${body}; return total > 0 ? ${JSON.stringify(answer)} : "nothing" }`
  )
  writeFileSync(
    join(place, "first.cjs"),
    `const second = require("./second.cjs"); const { join } = require("node:path")
     exports.run = (words) => {
       return words.length === 0 ? "idle" : second.later(words) + join("/", typeof join)
     }`
  )
  const main = join(place, "main.mjs")
  writeFileSync(
    main,
    `import { enableCompileCache } from "node:module"
     import { load } from ${JSON.stringify(pathToFileURL(join(root, "scripts/bundle/Scripts.ts")).href)}
     if (process.env.CACHE) enableCompileCache(process.env.CACHE)
     console.log(load(${JSON.stringify(join(place, "first.cjs"))}).run(process.argv.slice(2)))`
  )
  return { main, cache: mkdtempSync(join(directory, "cache-")) }
}

const run = (main: string, cache: string, ...words: ReadonlyArray<string>): string =>
  execFileSync(process.execPath, [main, ...words], { env: { ...process.env, CACHE: cache }, encoding: "utf8" }).trim()

/** What is kept of the second file. */
const keptIn = (cache: string): string => {
  const names = readdirSync(cache, { recursive: true, encoding: "utf8" }).filter((name) => /second\.cjs-/.test(name))
  assert.strictEqual(names.length, 1, names.join())
  return join(cache, names[0] ?? "")
}

describe("the scripts of the program", { timeout: 60_000 }, () => {
  it("keep what is compiled only when it is called, also by a later run", () => {
    const { main, cache } = programOf("later", "called")
    assert.strictEqual(run(main, cache), "idle")
    const before = statSync(keptIn(cache)).size
    assert.strictEqual(run(main, cache, "go"), "called/function")
    assert.isAbove(statSync(keptIn(cache)).size, before + 1_000)
  })

  it("are left alone after the first runs", () => {
    const { main, cache } = programOf("often", "called")
    for (let time = 0; time < 4; time++) run(main, cache, "go")
    const { mtimeMs } = statSync(keptIn(cache))
    assert.strictEqual(run(main, cache, "go"), "called/function")
    assert.strictEqual(statSync(keptIn(cache)).mtimeMs, mtimeMs)
  })

  it("run anew when a file has changed, though it is as long as before", () => {
    const { main, cache } = programOf("changed", "one")
    assert.strictEqual(run(main, cache, "go"), "one/function")
    programOf("changed", "two")
    assert.strictEqual(run(main, cache, "go"), "two/function")
    assert.strictEqual(run(main, cache, "go"), "two/function")
  })

  it("run where what was kept is damaged, cut or empty", () => {
    const { main, cache } = programOf("damaged", "called")
    run(main, cache, "go")
    const kept = readFileSync(keptIn(cache))
    const damaged = [0, 20, 21, 60, kept.length >> 1, kept.length - 1].map((at) => {
      const copy = Buffer.from(kept)
      copy.writeUInt8(copy.readUInt8(at) ^ 0xff, at)
      return copy
    })
    // The number of runs alone may be wrong: it says nothing of the code.
    for (const bytes of [...damaged, kept.subarray(0, kept.length >> 1), kept.subarray(0, 20), Buffer.alloc(0)]) {
      writeFileSync(keptIn(cache), bytes)
      assert.strictEqual(run(main, cache, "go"), "called/function")
    }
  })

  it("run without a cache, and with one that cannot be written", () => {
    const { main, cache } = programOf("without", "called")
    assert.strictEqual(run(main, "", "go"), "called/function")
    run(main, cache, "go")
    // Root can write to it all the same.
    chmodSync(join(keptIn(cache), ".."), 0o500)
    assert.strictEqual(run(main, cache, "go"), "called/function")
    chmodSync(join(keptIn(cache), ".."), 0o700)
  })

  it("are read by this user alone", () => {
    const { main, cache } = programOf("mine", "called")
    run(main, cache, "go")
    assert.strictEqual(statSync(keptIn(cache)).mode & 0o077, 0)
  })
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))
