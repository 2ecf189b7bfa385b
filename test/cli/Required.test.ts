/** What the command line calls required is what cannot be left out. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import type { Completions } from "effect/cli"
import { StandardStreams } from "../../src/services/node/StandardStreams.ts"
import { grammar, run } from "../support/Cli.ts"

/** The flags that cannot be left out, of the commands that have some. */
const required: Readonly<Record<string, ReadonlyArray<string>>> = {
  "episode add": ["--session", "--type", "--summary"],
  "log append": ["--session", "--skill", "--endpoint", "--status"],
  "tls issue": ["--name"]
}

const leaves = (
  command: Completions.CommandDescriptor,
  path: ReadonlyArray<string> = []
): ReadonlyArray<readonly [name: string, command: Completions.CommandDescriptor]> =>
  command.subcommands.length === 0
    ? [[path.join(" "), command]]
    : command.subcommands.flatMap((one) => leaves(one, [...path, one.name]))

/** Commands that need something: run alone, they say what. */
const needy = leaves(grammar.command).filter(
  // `tls show` takes any number of files, and shows its own for none.
  ([name, command]) =>
    (name !== "tls show" && command.arguments.some(({ required }) => required)) || required[name] !== undefined
)

describe("required", () => {
  it("there are such commands", () => assert.isAbove(needy.length, 15))

  it.effect.each(needy.map(([name]) => name))("%s", (name) =>
    Effect.gen(function* () {
      let said = ""
      const code = yield* run(name.split(" ")).pipe(
        Effect.provideService(StandardStreams, {
          output: () => Effect.void,
          error: (text) => Effect.sync(() => void (said += text)),
          input: Stream.empty
        })
      )
      assert.strictEqual(code, 2, said)
      const flags = /flags?: ([^;]*)/.exec(said)?.[1]?.split(", ") ?? []
      assert.deepStrictEqual(flags.toSorted(), [...(required[name] ?? [])].toSorted(), said)
    })
  )
})
