/** Two copies of one data directory, as real processes that meet only through a third node. */
import { afterEach, assert, beforeEach, it } from "@effect/vitest"
import { cpSync } from "node:fs"
import type { Finding } from "../../src/services/admin/doctor/Finding.ts"
import { type Node, Nodes, run, until } from "../support/Nodes.ts"

let nodes: Nodes
beforeEach(() => {
  nodes = new Nodes()
})
afterEach(() => nodes.dispose())

const saysTwice = async (node: Node) => {
  const { peers } = await node.status()
  return peers.find(({ last_error: error }) => error?._tag === "DuplicateNodeId")?.last_error?.message
}

it(
  "the third node and both copies say so, with the next step; identity new ends it",
  { timeout: 180_000 },
  async () => {
    const third = await nodes.make().start()
    const [original, copy] = [
      nodes.make({ FERAL_SYNC_PEERS: third.address }),
      nodes.make({ FERAL_SYNC_PEERS: third.address })
    ]
    await original.cli("note", "add", "before the copy")
    cpSync(original.home, copy.home, { recursive: true })
    await Promise.all([original.start(), copy.start()])
    assert.strictEqual(original.id, copy.id)

    for (const node of [third, original, copy]) {
      const message = await until(
        "it is said",
        () => saysTwice(node),
        (said) => said !== undefined,
        60_000
      )
      assert.match(message ?? "", /uses? the id .*: a data directory was copied; .*identity new/)
      assert.match(node.log, /WARN .*uses? the id .*: a data directory was copied; .*identity new/)
    }
    const { stdout } = await run(["doctor", "--json", "--home", third.home], third.env)
    const findings = JSON.parse(stdout) as ReadonlyArray<Finding>
    assert.isTrue(
      findings.some(({ status, facts, next_step: step }) => {
        return status === "failed" && facts["error"] === "DuplicateNodeId" && step?.includes("identity new") === true
      }),
      stdout
    )

    await copy.stop()
    await copy.cli("identity", "new")
    await copy.start()
    await copy.cli("note", "add", "from the copy")
    await until(
      "the third has both notes",
      () => third.status(),
      ({ counts }) => counts.notes === 2,
      60_000
    )
  }
)
