/** Earlier versions on the command line: of notes and facts alike, with a node and without one. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Nodes, run } from "../support/Nodes.ts"

const nodes = new Nodes()
afterAll(() => nodes.dispose())

interface Version {
  readonly version: number
  readonly op_type: string
  readonly row: { readonly [column: string]: unknown } | null
}

interface Deleted {
  readonly id: string
  readonly version: number
  readonly row: { readonly [column: string]: unknown }
}

/** How a row of a kind is written, changed and deleted, and what tells its versions apart. */
const cases = [
  {
    kind: "note",
    write: ["note", "add", "tea at \u001b[31mfour"],
    change: (id: string) => ["note", "edit", id, "tea at five"],
    column: "content",
    values: ["tea at \u001b[31mfour", "tea at five"],
    shown: /tea at five$/m
  },
  {
    kind: "fact",
    write: ["fact", "set", "kitchen", "temperature", "20 \u001b[31m"],
    change: () => ["fact", "set", "kitchen", "temperature", "21"],
    column: "object",
    values: ["20 \u001b[31m", "21"],
    shown: /kitchen temperature: 21$/m
  }
] as const

describe.each(cases)("the versions of a $kind", ({ kind, write, change, column, values, shown }) => {
  for (const isRunning of [false, true]) {
    it(
      `are listed and restored, also of a deleted one, ${isRunning ? "with" : "without"} a node`,
      { timeout: 60_000 },
      async () => {
        const node = nodes.make()
        if (isRunning) await node.start()
        const cli = async <A>(...args: ReadonlyArray<string>): Promise<A> => {
          const { stdout, code, stderr } = await run(["--home", node.home, "--json", ...args], {})
          assert.strictEqual(code, 0, stderr)
          return JSON.parse(stdout)
        }
        const { id } = await cli<{ id: string }>(...write)
        assert.deepStrictEqual(await cli(kind, "history", id), [])
        await cli(...change(id))
        await cli(kind, "delete", id)
        const versions = await cli<ReadonlyArray<Version>>(kind, "history", id)
        assert.sameMembers(
          versions.map(({ row }) => row?.[column]),
          [...values]
        )
        const human = await run([kind, "history", id, "--home", node.home], {})
        assert.match(human.stdout, shown)
        assert.notInclude(human.stdout, "\u001b")
        const [gone, ...others] = await cli<ReadonlyArray<Deleted>>(kind, "list", "--deleted")
        assert.deepStrictEqual(others, [])
        assert.deepStrictEqual([gone?.id, gone?.version], [id, versions[0]?.version])
        assert.strictEqual(gone?.row[column], values[1])
        const listed = await run([kind, "list", "--deleted", "--home", node.home], {})
        assert.match(listed.stdout, shown)
        assert.include(listed.stdout, `${id}@${gone?.version} `)
        assert.include(listed.stdout, `${kind} restore ID@VERSION`)
        assert.strictEqual((await run([kind, "list", "--deleted", "--since", "1h", "--home", node.home], {})).code, 2)
        const first = versions.find(({ row }) => row?.[column] === values[0])
        assert.strictEqual((await cli<{ id: string }>(kind, "restore", `${id}@${first?.version}`)).id, id)
        assert.strictEqual((await cli<Record<string, unknown>>("show", id))[column], values[0])
        assert.deepStrictEqual(await cli(kind, "list", "--deleted"), [])
        const deletion = (await cli<ReadonlyArray<Version>>(kind, "history", id)).find(({ row }) => row === null)
        assert.strictEqual(deletion?.op_type, "delete")
        for (const version of [999, deletion?.version]) {
          const refused = await run([kind, "restore", `${id}@${version}`, "--json", "--home", node.home], {})
          assert.strictEqual(refused.code, 1)
          assert.include(JSON.parse(refused.stderr).nextStep, `${kind} history ${id}`)
        }
        assert.strictEqual((await run([kind, "restore", id, "--home", node.home], {})).code, 2)
        assert.deepStrictEqual(await cli(kind, "history", id, "--erase"), { erased: 3 })
        assert.deepStrictEqual(await cli(kind, "history", id), [])
      }
    )
  }
})
