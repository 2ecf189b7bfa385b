/** Nodes on one network: how soon they know each other, how quiet they are, and how their end is noticed. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Lab, type Lan } from "../../support/Namespaces.ts"
import { type Node, until } from "../../support/Nodes.ts"
import { figure, howLong, mutual, needs, packetsOf } from "../../support/Discovered.ts"

describe.skipIf(needs("nft"))("nodes on a network", () => {
  let lab: Lab
  let lan: Lan
  const nodes: Array<Node> = []
  const ports: Array<string> = []
  const add = async (count: number) => {
    for (let index = 0; index < count; index++) {
      const host = await lan.host()
      nodes.push(host.node())
      ports.push(host.port)
    }
    await Promise.all(nodes.slice(-count).map((node) => node.start()))
  }
  beforeAll(async () => {
    lab = new Lab()
    lan = await lab.lan()
  })
  afterAll(() => lab.dispose())

  it("two know each other within a second of the later start", async () => {
    await add(1)
    await add(1)
    const took = await howLong(() => mutual(nodes, "known"))
    figure("2 nodes know each other after", took)
    await mutual(nodes, "live")
    assert.isBelow(took, 1000)
  })

  it("five are all connected, those who came late too", async () => {
    await add(3)
    figure("5 nodes know each other after", await howLong(() => mutual(nodes, "known")))
    await mutual(nodes, "live")
  })

  it("twenty know each other within three seconds of the last start, and are all connected", async () => {
    await add(14)
    await add(1)
    const took = await howLong(() => mutual(nodes, "known"))
    figure("20 nodes know each other after", took)
    await mutual(nodes, "live", 60_000)
    assert.isBelow(took, 3000)
  })

  it("at rest they are quiet: under ten packets per minute and node", async () => {
    const listener = await lan.host()
    // Questions come after 1, 2, 4 ... 32 seconds: after half a minute most of them are over.
    await new Promise((resolve) => setTimeout(resolve, 30_000))
    const packets = await packetsOf(listener, 30_000)
    const perNode = (packets.length / nodes.length) * 2
    figure("packets per minute and node at rest", perNode, "")
    assert.isAbove(packets.length, 0, "the listener hears them")
    assert.isBelow(perNode, 10)
  })

  it("a goodbye is seen within two seconds by all", async () => {
    const leaving = nodes.pop()
    ports.pop()
    if (leaving === undefined) throw new Error("no node")
    const gone = leaving.stop()
    const took = await howLong(() =>
      until(
        "nobody shows the node that left",
        () => Promise.all(nodes.map((node) => node.status())),
        (all) => all.every(({ peers }) => !peers.some(({ node_id }) => node_id === leaving.id)),
        5000
      )
    )
    await gone
    figure("a goodbye is seen by all after", took)
    assert.isBelow(took, 2000)
  })

  it("a node that is killed, and one whose cable is cut, are shown as unreachable within 45 s, without noise", async () => {
    const [killed, stranded] = nodes.slice(-2)
    const others = nodes.slice(0, -2)
    const port = ports.at(-1)
    if (killed === undefined || stranded === undefined || port === undefined) throw new Error("no nodes")
    const before = others.map(({ log }) => log.length)
    const unreachable = async (node: Node) =>
      howLong(() =>
        until(
          "it is shown as unreachable",
          () => Promise.all(others.map((other) => other.status())),
          (all) =>
            all.every(({ peers }) => {
              const row = peers.find(({ node_id }) => node_id === node.id)
              return row?.state === "backoff" && row.last_error?._tag === "PeerUnreachable"
            }),
          60_000
        )
      )
    await Promise.all([killed.stop("SIGKILL"), lan.strand(port)])
    const [afterKill, afterCut] = await Promise.all([unreachable(killed), unreachable(stranded)])
    figure("a killed node is shown unreachable after", afterKill)
    figure("a node whose cable is cut is shown unreachable after", afterCut)
    assert.isBelow(Math.max(afterKill, afterCut), 45_000)
    for (const [index, { log }] of others.entries()) {
      const lines = log.slice(before[index]).trim().split("\n")
      assert.isAtMost(lines.length, 6, log.slice(before[index]))
    }
  })
})
