/**
 * A node that goes away in the middle of a call: the call says so, and whether it may be repeated; the next one works.
 *
 * A proxy stands in the place of the socket. It lets the node do what it was asked, and kills it before the agent hears of it:
 * the worst moment, each time.
 */
import { renameSync } from "node:fs"
import { connect as dial, createServer, type Server, type Socket } from "node:net"
import { join } from "node:path"
import { afterAll, assert, it } from "vitest"
import { type Agent, connect } from "../support/McpClients.ts"
import { freshHome, Node } from "../support/Nodes.ts"

const ends: Array<() => unknown> = []
afterAll(async () => {
  for (const end of ends.reverse()) await end()
})

/** A node that can be killed when it has answered a request with some text: the answer is kept. */
const killable = async (node: Node) => {
  const socket = join(node.home, "feral-sync.sock")
  const behind = join(node.home, "behind.sock")
  await node.start()
  renameSync(socket, behind)
  const sockets: Array<Socket> = []
  let fatal: string | undefined
  let done: () => void = () => {}
  const killed = new Promise<void>((resolve) => (done = resolve))
  const server: Server = createServer((client) => {
    const upstream = dial(behind)
    sockets.push(client, upstream)
    let isFatal = false
    client.on("data", (bytes) => {
      isFatal ||= fatal !== undefined && bytes.toString("latin1").includes(fatal)
      upstream.write(bytes)
    })
    upstream.on("data", (bytes) => {
      if (!isFatal) return void client.write(bytes)
      // It is saved, and the agent does not know. Nothing listens any more when it finds that out.
      server.close()
      void node.stop("SIGKILL").then(() => {
        for (const one of sockets) one.destroy()
        done()
      })
    })
    for (const one of [client, upstream]) {
      one.on("error", () => {}).on("close", () => (one === client ? upstream : client).destroy())
    }
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  ends.push(() => server.close())
  return { killed, killAt: (text: string) => void (fatal = text) }
}

it("the server says that the call may have been done, and answers the next one", async () => {
  const { home, remove } = freshHome()
  const node = new Node(home, {})
  const first = await killable(node)
  ends.push(remove, () => node.stop("SIGKILL"))
  const agent: Agent = await connect(home)
  ends.push(() => agent.close())
  const found = async (query: string) => (await agent.call<{ found: number }>("search_memory", { query })).found
  await agent.call("remember", { text: "before" })

  // To remember twice is to have two notes: the agent has to check first.
  first.killAt("apricots")
  const remembered = await agent.fail("remember", { text: "apricots" })
  await first.killed
  assert.deepInclude(remembered, { _tag: "StoreUnavailable", may_repeat: false })
  assert.match(remembered.nextStep, /^check with recent or search_memory/)
  // Without the node, and with it again.
  assert.strictEqual(await found("apricots"), 1)
  const second = await killable(node)
  assert.strictEqual(await found("apricots"), 1)

  // To set a fact twice is to set it once.
  second.killAt("cherries")
  const fact = { subject: "the tree", predicate: "bears", object: "cherries" }
  const set = await agent.fail("set_fact", fact)
  await second.killed
  assert.deepInclude(set, { _tag: "StoreUnavailable", may_repeat: true })
  assert.match(set.nextStep, /^call the tool again/)
  const third = await killable(node)
  const { id } = await agent.call<{ id: string }>("set_fact", fact)
  assert.strictEqual(await found("cherries"), 1)
  assert.strictEqual((await agent.call<{ id: string }>("set_fact", fact)).id, id)

  // What only reads is asked again by the server itself.
  third.killAt("/search")
  assert.strictEqual(await found("apricots"), 1)
  await third.killed
})
