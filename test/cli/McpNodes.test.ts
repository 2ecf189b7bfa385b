/**
 * The MCP server and real nodes: two machines, restarts, and servers that are left alone.
 */
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { afterAll, assert, describe, it } from "vitest"
import { howLong, within } from "../support/Best.ts"
import { connect, initialize } from "../support/McpClients.ts"
import { clean, freshHome, Node } from "../support/Nodes.ts"
import { main } from "../support/Program.ts"

const ends: Array<() => unknown> = []
afterAll(async () => {
  for (const end of ends.reverse()) await end()
})

const node = (env = {}): Node => {
  const { home, remove } = freshHome()
  const made = new Node(home, env)
  ends.push(remove, () => made.stop("SIGKILL"))
  return made
}

interface Answer {
  readonly rows: ReadonlyArray<{ readonly id: string; readonly content: string; readonly origin_node: string }>
  readonly found: number
  readonly searched: number
  readonly node: string
  readonly in_sync: boolean
  readonly behind: ReadonlyArray<{ readonly node: string }>
}

/** Asks again until it is so; the time-out of the test is the limit. */
const until = async <A>(ask: () => Promise<A>, condition: (answer: A) => boolean): Promise<A> => {
  for (;;) {
    const answer = await ask()
    if (condition(answer)) return answer
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

describe("two machines", () => {
  it("share a memory, and an agent is told what changes and what is missing", async () => {
    const a = await node().start()
    const b = await node({ FERAL_SYNC_PEERS: a.address, FERAL_SYNC_MDNS_TIMEOUT: "0.1" }).start()
    const [writer, reader] = await Promise.all([connect(a.home), connect(b.home)])
    const updated: Array<string> = []
    const arrived = new Promise<void>((resolve) => {
      reader.client.fallbackNotificationHandler = (notification) => {
        updated.push(`${notification.method} ${JSON.stringify(notification.params?.["uri"] ?? "")}`)
        if (notification.method.endsWith("list_changed")) resolve()
        return Promise.resolve()
      }
    })
    const { resourceTemplates } = await reader.client.listResourceTemplates()
    assert.deepStrictEqual(resourceTemplates.map(({ uriTemplate }) => uriTemplate).sort(), [
      "feral://facts/{subject}",
      "feral://notes/{id}"
    ])
    await reader.client.subscribeResource({ uri: "feral://recent" })
    await reader.client.subscribeResource({ uri: "feral://facts/the%20plan" })
    // Watched from now on: the first update says so.
    await until(
      async () => updated.length,
      (length) => length > 0
    )

    const { id } = await writer.call<{ id: string }>("remember", { text: "the tulips are in bloom" })
    const found = await until(
      () => reader.call<Answer>("search_memory", { query: "tulips" }),
      (answer) => answer.found === 1
    )
    assert.deepStrictEqual([found.rows[0]?.id, found.rows[0]?.origin_node, found.node], [id, a.id, b.id])
    assert.deepStrictEqual([found.in_sync, found.behind], [true, []])
    const words = ["roses", "lilies", "asters"]
    await within(1_000, async () => {
      const word = words.pop() ?? ""
      await writer.call("remember", { text: `the ${word} are in bloom` })
      return howLong(() =>
        until(
          () => reader.call<Answer>("search_memory", { query: word }),
          (answer) => answer.found === 1
        )
      )
    })
    await writer.call("set_fact", { subject: "the plan", predicate: "is", object: "ready" })
    await arrived
    await until(
      async () => updated,
      (list) => list.some((line) => line.includes("feral://facts/the%20plan"))
    )
    assert.isFalse(
      updated.some((line) => line.includes("feral://notes/")),
      "no client subscribed to notes"
    )

    const { contents } = await reader.client.readResource({ uri: `feral://notes/${id}` })
    assert.include(JSON.stringify(contents), "tulips")
    assert.include(JSON.stringify(await reader.client.readResource({ uri: "feral://facts/the%20plan" })), "ready")
    for (const uri of ["feral://recent", "feral://status"]) await reader.client.readResource({ uri })
    assert.match(
      String(await reader.client.readResource({ uri: "feral://notes/none" }).catch((error: unknown) => error)),
      /none/
    )
    assert.deepStrictEqual(
      (await reader.client.listPrompts()).prompts.map(({ name }) => name),
      ["recall", "wrap-up"]
    )
    assert.include(
      JSON.stringify(await reader.client.getPrompt({ name: "recall", arguments: { topic: "tulips" } })),
      "bloom"
    )
    assert.match(
      String(await reader.client.getPrompt({ name: "recall", arguments: {} }).catch((error: unknown) => error)),
      /topic/
    )

    // The other machine goes away: what it writes now would be missing.
    await a.stop()
    const alone = await until(
      () => reader.call<Answer>("search_memory", { query: "nothing" }),
      (answer) => !answer.in_sync
    )
    assert.deepStrictEqual(
      alone.behind.map(({ node }) => node),
      [a.id]
    )
    // Without its node, the agent there goes on.
    await writer.call("remember", { text: "written without a node" })
    await a.start({ FERAL_SYNC_PORT: String(a.port) })
    await writer.call("remember", { text: "written with it again" })
    await until(
      () => reader.call<Answer>("search_memory", { query: "written" }),
      (answer) => answer.found === 2
    )
    await Promise.all([writer.close(), reader.close()])
  })
})

describe("a server that is left alone", () => {
  it("ends when its parent is killed, also where another process holds its input open", async () => {
    const { home, remove } = freshHome()
    ends.push(remove)
    // The parent gives the server a pipe that this process holds open too.
    const script = `
      const { spawn } = require("node:child_process")
      const server = spawn(process.execPath, [${JSON.stringify(main)}, "mcp", "--home", ${JSON.stringify(home)}], { stdio: [0, 1, "ignore"] })
      console.error(server.pid)
      setInterval(() => {}, 1000)`
    /** The time from the death of a parent to the end of its server (ms). */
    const measured = async (): Promise<number> => {
      const parent = spawn(process.execPath, ["-e", script], { env: clean, stdio: ["pipe", "pipe", "pipe"] })
      const pid = Number(await new Promise((resolve) => parent.stderr.once("data", resolve)))
      parent.stdin.write(`${JSON.stringify(initialize("2024-11-05"))}\n`)
      await new Promise((resolve) => parent.stdout.once("data", resolve))
      assert.isTrue(isRunning(pid))
      parent.kill("SIGKILL")
      return howLong(() =>
        until(
          async () => isRunning(pid),
          (running) => !running
        )
      )
    }
    await within(2_000, measured)
  })
})

/** Whether a process runs. One that has ended may stay in the table until its new parent asks for it. */
const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return process.platform !== "linux" || !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
  } catch {
    return false
  }
}
