/** Texts that are hard to pass, and to show. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { freshHome, run } from "../support/Nodes.ts"

let home: string
let remove: () => void
beforeAll(() => {
  ;({ home, remove } = freshHome())
})
afterAll(() => remove())

describe("texts", () => {
  // Linux takes no argument of more than 128 KiB.
  it("one that no argument can hold comes from standard input, whole", async () => {
    const text = "Grüße, 你好 🙂\n".repeat(20_000).trimEnd()
    assert.isAbove(Buffer.byteLength(text), 2 * 128 * 1024)
    const { code, stdout, stderr } = await run(["note", "add", "-", "--json", "--home", home], {}, `${text}\n`)
    assert.strictEqual(code, 0, stderr)
    const { id } = JSON.parse(stdout) as { readonly id: string }
    const notes = JSON.parse((await run(["note", "list", "--json", "--home", home])).stdout) as ReadonlyArray<{
      readonly id: string
      readonly content: string
    }>
    assert.isTrue(notes.find((note) => note.id === id)?.content === text)
  })

  it("tags with quotes are shown as they are", async () => {
    const added = await run(["note", "add", "quoted", "--tag", 'a"b', "--tag", "it's", "--home", home])
    assert.strictEqual(added.code, 0, added.stderr)
    const { stdout } = await run(["note", "list", "--home", home])
    assert.include(stdout, `a"b, it's`)
  })
})
