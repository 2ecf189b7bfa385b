/** The settings as documents and help show them: what stands there is what the table of settings says. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Stream } from "effect"
import { StandardStreams } from "../../src/services/node/StandardStreams.ts"
import { flagOf, table } from "../../src/services/node/Settings.ts"
import { known, parse, variables } from "../../src/services/node/Variables.ts"
import * as Cli from "../support/Cli.ts"
import { read, rowsOf, spansOf } from "../support/Markdown.ts"

const settings = Object.values(table)
const document = read("docs/configuration.md")
const rows = new Map(
  rowsOf(document).flatMap(([name = "", byDefault = "", meaning = ""]) =>
    name.startsWith("`") ? [[name.replaceAll("`", ""), { byDefault: byDefault.replaceAll("`", ""), meaning }]] : []
  )
)
const isRight = (variable: string, text: string) => Result.isSuccess(parse({ [variable]: { name: variable, text } }))

/** The texts between backticks in the line or sentence that begins like this. */
const spansAfter = (start: string): ReadonlyArray<string> => {
  const at = document.indexOf(start)
  assert.isAtLeast(at, 0, start)
  return spansOf(document.slice(at, document.indexOf(".\n", at)))
}

/** The numbers in a sentence, which has to be in the document. */
const numbersIn = (sentence: RegExp): ReadonlyArray<number> => {
  const found = sentence.exec(document.replace(/\s+/g, " "))
  assert.isNotNull(found, sentence.source)
  return found?.slice(1).map(Number) ?? []
}

describe("docs/configuration.md", () => {
  it("has every variable once, and no other", () => {
    const listed = rowsOf(document).flatMap(([name = ""]) => (name.startsWith("`") ? [name.replaceAll("`", "")] : []))
    assert.sameMembers(listed, [...known])
  })

  it("says the default of each as the table says it", () => {
    for (const { variable, shown } of settings) assert.strictEqual(rows.get(variable)?.byDefault, shown, variable)
  })

  it("a default that can be written means what the setting is without it", () => {
    const byDefault = Result.getOrThrow(parse({}))
    const written = settings.filter(
      ({ shown, isSecret }) => !isSecret && !/^(none|all interfaces|forever)$/.test(shown)
    )
    assert.isAtLeast(written.length, 18)
    for (const { variable, shown: text } of written) {
      assert.deepStrictEqual(Result.getOrThrow(parse({ [variable]: { name: variable, text } })), byDefault, variable)
    }
  })

  it("has all words of a setting that is one of some words", () => {
    const chosen = settings.filter(({ form }) => /^[A-Z]+(\|[A-Z]+)+$/.test(form.metavar) && form.metavar !== "ON|OFF")
    assert.isAtLeast(chosen.length, 3)
    for (const { variable, form } of chosen) {
      const words = form.metavar.toLowerCase().split("|")
      assert.sameMembers([...spansOf(rows.get(variable)?.meaning ?? "")], words, variable)
    }
  })

  it("says how a flag is named, and what has none", () => {
    const [name = "", flag = ""] = spansAfter("`FERAL_SYNC_MDNS_TIMEOUT` is")
    assert.deepStrictEqual(
      variables.filter((variable) => variable === name).map((variable) => `--${flagOf(variable)}`),
      [flag]
    )
    assert.include(document, "two passphrase variables have no")
    assert.deepStrictEqual(
      settings.filter(({ isSecret }) => isSecret).map(({ variable }) => variable),
      ["FERAL_SYNC_PASSPHRASE", "FERAL_SYNC_PASSPHRASE_PREVIOUS"]
    )
  })

  it("says which values are valid", () => {
    const words = spansAfter("**Yes and no.**")
    assert.lengthOf(words, 8)
    for (const { variable, form } of settings.filter(({ form }) => form.metavar === "ON|OFF")) {
      const wrong = words.filter((word) => form.parse(word)._tag === "Failure")
      assert.deepStrictEqual(wrong, [], variable)
    }
    const times = [...spansAfter("**Times**"), "24 hours"]
    for (const { variable } of settings.filter(({ form }) => form.metavar === "SECONDS")) {
      for (const time of times) assert.isTrue(isRight(variable, time), `${variable}=${time}`)
      assert.isFalse(isRight(variable, "86401"), variable)
    }
    const [least = 0, most = 0] = numbersIn(/A frame is from (\d+) bytes to (\d+) MiB/)
    for (const { form } of [table.maxFrameBytes, table.maxRecvBytes]) {
      const values = [least - 1, least, most * 1024 * 1024, most * 1024 * 1024 + 1]
      const isValid = values.map((value) => Result.isSuccess(form.parse(`${value}`)))
      assert.deepStrictEqual(isValid, [false, true, true, false])
    }
  })

  it("shows peers as they are written, with the default port", () => {
    const [, list = ""] = spansAfter("`FERAL_SYNC_PEERS` is a list")
    const [port] = numbersIn(/The default port is (\d+)/)
    const peers = Result.getOrThrow(table.peers.form.parse(list))
    assert.lengthOf(peers, 3)
    assert.strictEqual(peers.find(({ host }) => host === "192.168.1.5")?.port, port)
  })
})

/** What `--help` of a command prints, each flag in a line. */
const help = (command: string) =>
  Effect.suspend(() => {
    const texts: Array<string> = []
    const keep = (text: string) => Effect.sync(() => void texts.push(text))
    return Cli.run([command, "--help"]).pipe(
      Effect.provideService(StandardStreams, { output: keep, error: keep, input: Stream.empty }),
      Effect.map(() => texts.join("").split("\n"))
    )
  })

describe("help", () => {
  for (const command of ["start", "doctor"]) {
    it.effect(`of ${command} has a flag for each setting, with the default of the table`, () =>
      Effect.gen(function* () {
        const lines = yield* help(command)
        for (const setting of settings) {
          const { variable, form, shown, help: sentence } = setting
          const own = lines.filter((line) => line.endsWith(`(${variable})`))
          if (setting.isSecret || setting === table.home) {
            assert.deepStrictEqual(own, [], variable)
            continue
          }
          const value = form.alone === undefined ? form.metavar : `[=${form.metavar}]`
          const byDefault = shown === "none" ? "" : `; default: ${shown}`
          assert.deepStrictEqual(
            own.map((line) => line.trim().split(/ {2,}/)),
            [[`--${flagOf(setting.variable)} ${value}`, `${sentence}${byDefault} (${variable})`]]
          )
        }
      })
    )
  }

  it.effect("of every command says where the data directory is", () =>
    Effect.gen(function* () {
      const { help: sentence, variable, shown } = table.home
      const lines = yield* help("status")
      const line = lines.find((line) => line.includes("--home DIR")) ?? ""
      assert.isTrue(line.endsWith(`${sentence} (default: ${variable}, else ${shown})`), line)
    })
  )
})
