/** Each claim of SECURITY.md that has a footnote is shown by the tests and attacks that it names. */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { attacks } from "../../scripts/attack/Attacks.ts"

const file = (path: string) => new URL(`../../${path}`, import.meta.url)
const text = readFileSync(file("SECURITY.md"), "utf8")
const [body = "", ...rest] = text.split(/^(?=\[\^[a-z]+\]: )/m)

/** What a footnote says, in one line. */
const footnotes = new Map(
  rest.map((note) => {
    const [, name = "", content = ""] = /^\[\^([a-z]+)\]: ([^]*)$/.exec(note) ?? []
    return [name, content.replace(/\s+/g, " ").trim()] as const
  })
)

describe("SECURITY.md", () => {
  it("every footnote is there, once, and is used", () => {
    assert.isAtLeast(footnotes.size, 40)
    assert.strictEqual(footnotes.size, rest.length)
    const used = new Set(Array.from(body.matchAll(/\[\^([a-z]+)\]/g), ([, name = ""]) => name))
    assert.sameMembers([...used], [...footnotes.keys()])
  })

  it("no claim of a test stands outside the footnotes", () => {
    assert.notMatch(body, /\.test\.ts/)
  })

  for (const [name, content] of footnotes) {
    it(`[^${name}] names what is there`, () => {
      const parts = content.split("; `").map((part, index) => (index === 0 ? part : `\`${part}`))
      for (const part of parts) {
        const attack = /^`npm run attack -- ([a-z-]+)`$/.exec(part)?.[1]
        if (attack !== undefined) {
          assert.include(
            attacks.map(({ name }) => name),
            attack
          )
          continue
        }
        const [, path = "", title = ""] = /^`(test\/[\w/.-]+\.test\.ts)`: "(.+)"$/.exec(part) ?? []
        assert.isTrue(existsSync(file(path)), `${part} names no test`)
        assert.include(readFileSync(file(path), "utf8"), title, `${path} has no such test`)
      }
    })
  }
})
