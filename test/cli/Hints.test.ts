/**
 * Commands that are printed can be pasted as they stand: they name the data directory that the command before them was given.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { clean, freshHome, run } from "../support/Nodes.ts"
import { main } from "../support/Program.ts"

let home: string
let remove: () => void
beforeAll(async () => {
  ;({ home, remove } = freshHome())
  const { id } = JSON.parse((await run(["--json", "fact", "add", "s", "p", "o", "--home", home])).stdout) as {
    readonly id: string
  }
  assert.strictEqual((await run(["fact", "delete", id, "--home", home])).code, 0)
})
afterAll(() => remove())

/** The commands in a text, each to the end of its line or its quotes. */
const commandsIn = (text: string): ReadonlyArray<string> =>
  text.match(/\bnode \S*main\.[jt]s [a-z](?:"[^"\n]*" |[^"\n])*/g) ?? []

const hints: ReadonlyArray<readonly [args: ReadonlyArray<string>, commands: number]> = [
  [["note", "list"], 1],
  [["fact", "list"], 1],
  [["episode", "list"], 1],
  [["log", "list"], 1],
  [["changes"], 1],
  [["status"], 1],
  [["peers"], 1],
  [["peers", "remove", "0123456789abcdef"], 1],
  [["peers", "pause", "0123456789abcdef"], 1],
  [["open"], 1],
  [["note", "edit", "nope", "x"], 1],
  [["note", "restore", "nope@3"], 1],
  [["fact", "delete", "nope"], 1],
  [["origins", "forget", "0123456789abcdef"], 1],
  [["purge", "--kind", "notes"], 1],
  [["note", "add", "water", "the", "plants"], 0],
  [["token", "rotate"], 1],
  [["passphrase", "rotate"], 2],
  [["tls", "init"], 1]
]

describe("hints", () => {
  it.each(hints.map(([args, count]) => ({ args, count, name: args.join(" ") })))(
    "$name: the commands that it names have its --home",
    async ({ args, count }) => {
      const { stdout, stderr } = await run([...args, "--home", home], { HOME: join(home, "elsewhere") })
      const commands = commandsIn(`${stdout}\n${stderr}`).filter((command) => !command.endsWith(" --help"))
      assert.isAtLeast(commands.length, count, `${stdout}${stderr}`)
      for (const command of commands) assert.include(command, `--home ${home}`)
    }
  )

  it("a directory from the environment, or none, is not named", async () => {
    for (const env of [{ FERAL_HOME: home }, { HOME: join(home, "user") }]) {
      mkdirSync(join(home, "user", ".feral"), { recursive: true, mode: 0o700 })
      const { stdout, stderr } = await run(["note", "edit", "nope", "x"], env)
      const commands = commandsIn(`${stdout}\n${stderr}`)
      assert.lengthOf(commands, 1)
      assert.notMatch(commands.join(""), /--home/)
    }
  })

  it("a directory is named as it is, from wherever the command is pasted", async () => {
    const { stdout } = await run(["changes", "--home", `${home}/../${home.split("/").at(-1)}`])
    const { stderr } = await run(["changes", "--home", home])
    assert.strictEqual(stdout, (await run(["changes", "--home", home])).stdout)
    assert.match(stderr, new RegExp(`changes --since \\S+ --home ${home}\n`))
  })

  for (const how of ["--home", "FERAL_HOME"] as const) {
    it(`a node that is started with ${how} names its directory`, async () => {
      const { home, remove } = freshHome()
      const args = ["start", "--host", "127.0.0.1", "--port", "0", "--api-port", "0", "--mdns", "off"]
      const child = spawn(process.execPath, [main, ...args, ...(how === "--home" ? ["--home", home] : [])], {
        env: { ...clean, ...(how === "FERAL_HOME" ? { FERAL_HOME: home } : {}) },
        stdio: ["ignore", "pipe", "ignore"]
      })
      const said = await new Promise<string>((resolve) => {
        let text = ""
        child.stdout.setEncoding("utf8").on("data", (part: string) => {
          text += part
          child.kill("SIGTERM")
        })
        child.once("close", () => resolve(text))
      })
      remove()
      const commands = commandsIn(said)
      assert.lengthOf(commands, 4, said)
      for (const command of commands.filter((command) => !command.includes("--passphrase-file -"))) {
        assert.include(command, `--home ${home}`)
      }
      // It is for another machine.
      assert.notInclude(commands.find((command) => command.includes("--passphrase-file -")) ?? "", "--home")
    })
  }
})
