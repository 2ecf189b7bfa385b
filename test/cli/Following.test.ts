/** Lists that are followed: the last rows, and then each one that this node or another one writes. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import type { ChildProcess } from "node:child_process"
import { Nodes, run, until } from "../support/Nodes.ts"
import { open } from "../support/OpenProcess.ts"

const nodes = new Nodes()
const children: Array<ChildProcess> = []
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL")
  await nodes.dispose()
})

/** Starts a command that follows. Gives its lines so far, and its end. */
const follow = (...args: ReadonlyArray<string>) => {
  const child = open(args)
  children.push(child)
  let text = ""
  let errors = ""
  child.stdout?.setEncoding("utf8").on("data", (more: string) => (text += more))
  child.stderr?.setEncoding("utf8").on("data", (more: string) => (errors += more))
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve))
  const lines = () => text.split("\n").slice(0, -1)
  return {
    lines,
    errors: () => errors,
    /** Waits until there are so many lines. */
    until: (count: number) =>
      until(
        `${count} lines of ${args.join(" ")}`,
        async () => lines(),
        ({ length }) => length >= count
      ),
    /** Waits until the last line has this text. */
    last: (text: string) =>
      until(
        `a last line of ${args.join(" ")} with ${text}`,
        async () => lines(),
        (all) => all.at(-1)?.includes(text) === true
      ),
    interrupt: () => {
      child.kill("SIGINT")
      return ended
    },
    ended
  }
}

describe("list --follow", { timeout: 60_000 }, () => {
  it("shows the last rows, oldest first, and then what this and another node write, as the filter says", async () => {
    const server = await nodes.make().start()
    const other = await nodes.make({ FERAL_SYNC_PEERS: server.address, FERAL_SYNC_MDNS_TIMEOUT: "0" }).start()
    const add = (node: typeof server, text: string, tag: string) =>
      node.cli<{ id: string }>("note", "add", text, "--tag", tag)
    for (const text of ["one", "two", "three"]) await add(server, text, "home")
    const where = ["--home", server.home]
    const human = follow("note", "list", "--follow", "--limit", "2", "--tag", "home", ...where)
    const machine = follow("note", "list", "--follow", "--limit", "2", "--tag", "home", "--json", ...where)
    await Promise.all([human.until(3), machine.until(2)])
    const { id } = await add(server, "four \u001b[31m", "home")
    await add(server, "elsewhere", "garden")
    await add(other, "five", "home")
    await Promise.all([human.until(5), machine.until(4)])
    await server.cli("note", "edit", id, "four again")
    await server.cli("note", "delete", id)
    await add(server, "six", "home")
    // A change that another one follows at once may be shown or not.
    await Promise.all([human.last("six"), machine.last("six")])
    const texts = machine.lines().map((line) => JSON.parse(line).content)
    assert.deepStrictEqual(texts.slice(0, 4), ["two", "three", "four \u001b[31m", "five"])
    assert.notInclude(texts, "elsewhere")
    assert.match(human.lines()[0] ?? "", /^ID +CHANGED +TAGS +TEXT$/)
    const words = human.lines().map((line) => line.split("  ").at(-1)?.trim())
    assert.deepStrictEqual(words.slice(1, 3), ["two", "three"])
    assert.include(human.lines()[4], "five")
    // eslint-disable-next-line no-control-regex
    for (const line of human.lines()) assert.notMatch(line, /[\u0000-\u001f\u007f]/)
    assert.deepStrictEqual([await human.interrupt(), await machine.interrupt()], [130, 130])
    assert.deepStrictEqual([human.errors(), machine.errors()], ["", ""])
  })

  it("follows each kind, from nothing on", async () => {
    const server = await nodes.make().start()
    const cases: ReadonlyArray<readonly [string, ReadonlyArray<string>, string]> = [
      ["fact", ["fact", "set", "kitchen", "temperature", "21"], "kitchen"],
      ["episode", ["episode", "add", "--session", "s1", "--type", "talk", "--summary", "tea"], "talk"],
      ["log", ["log", "append", "--session", "s1", "--skill", "k", "--endpoint", "e", "--status", "ok"], "ok"]
    ]
    for (const [kind, write, word] of cases) {
      const list = follow(kind, "list", "--follow", "--home", server.home)
      await list.until(1)
      await server.cli(...write)
      await list.until(2)
      assert.include(list.lines()[1], word)
      await list.interrupt()
    }
  })

  it("needs a running node, and ends with it", async () => {
    const server = nodes.make()
    await run(["note", "add", "x", "--home", server.home], {})
    const refused = await run(["note", "list", "--follow", "--json", "--home", server.home], {})
    assert.deepInclude(refused, { code: 1, stdout: "" })
    assert.include(refused.stderr, "NodeNotRunning")
    assert.match(refused.stderr, /\bstart\b/)
    await server.start()
    const list = follow("note", "list", "--follow", "--home", server.home)
    await list.until(2)
    await server.stop()
    assert.strictEqual(await list.ended, 1)
    assert.include(list.errors(), "feral-sync: ")
  })
})
