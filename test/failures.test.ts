/**
 * Failures say what to do next in a field of their own. No text is read apart to find it: a change of words would change what the
 * program does.
 */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { root, sources } from "./support/RepositoryText.ts"

const files = sources("src/**/*.ts").map((file) => ({ file, text: readFileSync(join(root, file), "utf8") }))

/** The tagged failures of a file, each with the text of its class. */
const failuresIn = (text: string): ReadonlyArray<readonly [name: string, body: string]> =>
  [...text.matchAll(/^(?:export )?class (\w+) extends \w+\.TaggedError\b(?:.*\{\}$|[^]*?^\}$)/gm)].map(
    ([body, name = ""]) => [name, body] as const
  )

const failures = files.flatMap(({ text }) => failuresIn(text))

/** Failures without a next step, and why. */
const without: Readonly<Record<string, string>> = {
  StreamFailed: "a command makes OutputFailed or FileUnusable of it",
  SlotTaken: "the store reads again and commits again",
  Dropped: "the listener counts it, and the client gets a close code",
  Distrusted: "the transport makes a TlsHandshakeFailed of it"
}

/** A text of a failure is read apart. Lines of it may be counted: each is shown as one. */
const apart =
  /\b(?:problem|nextStep|next_step)\b\)?\??\.(?:match|replace|slice|substring|search|indexOf|lastIndexOf|endsWith)\(|\b(?:problem|message|nextStep)\??\.split\((?!"\\n"|\/\[\\s)|(?:exec|test)\((?:\w+\.)*(?:problem|nextStep|next_step)\)/

describe("failures", () => {
  it("have a next step as a field, or a reason to have none", () => {
    const silent = failures.filter(([, body]) => !/\bnextStep\b/.test(body)).map(([name]) => name)
    assert.sameMembers(silent, Object.keys(without))
    assert.isAtLeast(failures.length, 60)
  })

  it("have a message that is composed of problem and next step", () => {
    const composed = /messageOf\(|\$\{this\.problem\}.*\$\{this\.nextStep\}|= this\.problem$/m
    const others = failures.filter(([name, body]) => !(name in without) && !composed.test(body)).map(([name]) => name)
    assert.deepStrictEqual(others, [])
  })

  it("are not read apart", () => {
    const found = files.flatMap(({ file, text }) =>
      text.split("\n").flatMap((line) => (apart.test(line) ? [`${file}: ${line.trim()}`] : []))
    )
    assert.deepStrictEqual(found, [])
  })

  it("would be seen when they were read apart", () => {
    for (const line of [
      "const [, what, step] = /^(.*): (.+)$/s.exec(problem) ?? []",
      'const step = message.split("; ").at(-1)',
      'const what = error.problem.replace(/: .*/, "")',
      "const step = failure.problem.slice(at)"
    ]) {
      assert.match(line, apart)
    }
  })

  it("are joined in one place", () => {
    const glued = /\$\{(?:\w+\.)*problem\}[;:] \$\{(?:\w+\.)*nextStep\}/
    const found = files.flatMap(({ file, text }) => (glued.test(text) ? [file] : []))
    assert.deepStrictEqual(
      found.filter((file) => !file.startsWith("src/testing/")),
      ["src/services/admin/api/Failures.ts"]
    )
  })
})
