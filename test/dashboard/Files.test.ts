import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { root } from "../support/RepositoryText.ts"

const directory = join(root, "src/dashboard")
const files = readdirSync(directory)
const read = (file: string) => readFileSync(join(directory, file), "utf8")
const modules = files.filter((file) => file.endsWith(".js") && file !== "lit-html.js")

describe("the files of the dashboard", () => {
  it("are less than 40 kB on the wire", () => {
    const sizes = files.map((file) => gzipSync(read(file)).length)
    assert.isBelow(
      sizes.reduce((sum, size) => sum + size, 0),
      40_000
    )
  })

  it("have lit-html as its package has it", () => {
    const original = readFileSync(join(root, "node_modules/lit-html/lit-html.js"), "utf8")
    const code = original.replace(/\/\/# sourceMappingURL.*/, "")
    assert.strictEqual(read("lit-html.js").trim(), code.trim())
  })

  it("put what a member wrote nowhere but into text nodes and attributes", () => {
    const ways = /innerHTML|outerHTML|insertAdjacent|document\.write|unsafeHTML|eval\(|new Function|srcdoc/
    assert.deepStrictEqual(
      modules.filter((file) => ways.test(read(file))),
      []
    )
  })

  it("name the paths of the node in one module", () => {
    const asking = modules.filter((file) => /\bfetch\(|EventSource|XMLHttpRequest|WebSocket/.test(read(file)))
    assert.deepStrictEqual(asking, ["api.js"])
  })

  it("name no other place", () => {
    const named = files
      .filter((file) => file !== "lit-html.js")
      .flatMap((file) => read(file).match(/\b(?:https?:)?\/\/[a-z][\w.-]*\.\w+/g) ?? [])
    assert.deepStrictEqual(named, ["http://www.w3.org"])
  })
})
