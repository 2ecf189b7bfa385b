/**
 * Bytes that are not UTF-8, in arguments and from standard input: refused, and nothing is written. Node would replace them in
 * silence. Only a shell can pass such arguments.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { text } from "node:stream/consumers"
import { freshHome, run } from "../support/Nodes.ts"
import { main } from "../support/Program.ts"

let home: string
let remove: () => void
let id: string
beforeAll(async () => {
  ;({ home, remove } = freshHome())
  id = JSON.parse((await run(["note", "add", "before", "--json", "--home", home])).stdout).id
})
afterAll(() => remove())

const written = async () =>
  Promise.all(
    ["note", "fact", "episode", "log"].map(async (kind) => (await run([kind, "list", "--json", "--home", home])).stdout)
  )

const episode = ["episode", "add", "--session", "s", "--type", "t"]
const log = ["log", "append", "--session", "s", "--skill", "k", "--endpoint", "e", "--status", "ok"]

/** Every place where a command takes text; BAD stands for the text. */
const places: ReadonlyArray<ReadonlyArray<string>> = [
  ["note", "add", "BAD"],
  ["note", "add", "x", "--tag", "BAD"],
  ["note", "edit", "ID", "BAD"],
  ["fact", "set", "BAD", "is", "blue"],
  ["fact", "set", "sky", "BAD", "blue"],
  ["fact", "set", "sky", "is", "BAD"],
  ["fact", "add", "sky", "is", "BAD"],
  [...episode, "--summary", "BAD"],
  [...episode, "--summary", "x", "--detail", "BAD"],
  [...log, "--args", '{"a":"BAD"}'],
  ["log", "append", "--session", "BAD", "--skill", "k", "--endpoint", "e", "--status", "ok"],
  ["search", "BAD"]
]

/** Latin-1, a byte of no text, a character that is cut in two, a surrogate, a slash in too many bytes. */
const bad = ["caf\\xe9", "\\xff", "\\xc3", "\\xed\\xa0\\x80", "\\xc0\\xaf"]

/** Runs a command with bytes in the place of BAD. */
const runWith = (bytes: string, args: ReadonlyArray<string>) => {
  const put = `bad=$'${bytes}'; args=(); for arg in "$@"; do args+=("\${arg/BAD/$bad}"); done; exec "\${args[@]}"`
  return run(args, { LC_ALL: "C" }, "", ["bash", "-c", put, "bash"])
}

describe.runIf(process.platform === "linux")("an argument that is not UTF-8", () => {
  it.each(places.map((place, n) => ({ place, name: place.join(" "), bytes: bad[n % bad.length] ?? "" })))(
    "is refused: $name",
    async ({ place, bytes }) => {
      const args = [...place.map((word) => (word === "ID" ? id : word)), "--json", "--home", home]
      const { code, stdout, stderr } = await runWith(bytes, args)
      assert.deepStrictEqual({ code, stdout }, { code: 2, stdout: "" }, stderr)
      assert.match(JSON.parse(stderr).message, /not UTF-8: convert it first, with iconv/)
    }
  )

  it("U+FFFD itself is text", async () => {
    const { code, stderr } = await run(["search", "\ufffd", "--json", "--home", home])
    assert.strictEqual(code, 0, stderr)
  })
})

const fromInput = async (args: ReadonlyArray<string>, bytes: Uint8Array) => {
  const child = spawn(process.execPath, [main, ...args, "--json", "--home", home], { stdio: ["pipe", "pipe", "pipe"] })
  child.stdin.on("error", () => {})
  child.stdin.end(bytes)
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.once("close", resolve))
  ])
  return { code, stdout, stderr }
}

/** Every place where `-` is standard input. */
const inputs: ReadonlyArray<ReadonlyArray<string>> = [
  ["note", "add", "-"],
  ["note", "edit", "ID", "-"],
  ["fact", "set", "sky", "is", "-"],
  ["fact", "add", "sky", "is", "-"],
  [...episode, "--summary", "-"],
  [...episode, "--summary", "x", "--detail", "-"],
  [...log, "--args", "-"]
]

describe("standard input", () => {
  it.each(inputs.map((place) => ({ place, name: place.join(" ") })))(
    "that is not UTF-8, or empty, is refused: $name",
    async ({ place }) => {
      const args = place.map((word) => (word === "ID" ? id : word))
      for (const [bytes, problem] of [
        [Buffer.from('{"caf\xe9":1}', "latin1"), /is not UTF-8: convert it first, with iconv/],
        [Buffer.alloc(0), /is empty: pipe some text/],
        [Buffer.from("\n"), /is empty: pipe some text/]
      ] as const) {
        const { code, stdout, stderr } = await fromInput(args, bytes)
        assert.strictEqual(stdout, "")
        assert.strictEqual(code, 2, stderr)
        assert.match(JSON.parse(stderr).message, problem)
      }
    }
  )
})

describe("nothing of it", () => {
  it("was written", async () => {
    const [notes = "[]", ...others] = await written()
    assert.deepStrictEqual(
      JSON.parse(notes).map(({ content }: { readonly content: string }) => content),
      ["before"]
    )
    assert.deepStrictEqual(
      others.map((rows) => JSON.parse(rows)),
      [[], [], []]
    )
  })
})
