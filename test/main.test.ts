import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))

/** Runs the program under another version of Node, as far as the program can see. */
const runAs = (version: string, ...args: ReadonlyArray<string>) => {
  const fake = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${version}" } })`
  return spawnSync(process.execPath, ["--import", `data:text/javascript,${encodeURIComponent(fake)}`, main, ...args], {
    encoding: "utf8"
  })
}

describe("main", () => {
  it.each(["12.22.12", "18.20.0", "20.20.2", "22.18.0", "22.9.1"])("does not start on Node %s, and says why", (old) => {
    const { status, stdout, stderr } = runAs(old, "--version")
    assert.strictEqual(status, 2)
    assert.strictEqual(stdout, "")
    assert.strictEqual(stderr, `feral-sync needs Node 22.19 or later; this is ${old}: install a newer Node\n`)
  })

  it("says so in JSON with --json", () => {
    const { status, stderr } = runAs("20.20.2", "note", "list", "--json")
    assert.strictEqual(status, 2)
    assert.deepEqual(JSON.parse(stderr), {
      _tag: "NodeTooOld",
      message: "feral-sync needs Node 22.19 or later; this is 20.20.2: install a newer Node"
    })
  })

  it.each(["22.19.0", "22.20.1", "23.0.0", "24.21.0"])("starts on Node %s", (version) => {
    assert.match(runAs(version, "--version").stdout, /^feral-sync v\d/)
  })

  it("needs the Node that the package names, and loads nothing before it has checked", () => {
    const { engines } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"))
    assert.strictEqual(engines.node, ">=22.19")
    assert.notMatch(readFileSync(main, "utf8"), /^(import|export .* from)\b/m)
  })
})
