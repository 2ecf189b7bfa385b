/** Nodes on one network: how soon they know each other, how quiet they are, and how their end is noticed. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Lab, type Lan } from "../../support/Namespaces.ts"
import { needs } from "../../support/Needs.ts"
import { type Node, until } from "../../support/Nodes.ts"
import { howLong, within } from "../../support/Best.ts"
import { figure, mutual, packetsOf } from "../../support/Discovered.ts"

describe.skipIf(needs("root", "ip", "nft"))("nodes on a network", () => {
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

  /** How long the others show the last node after it was told to stop (ms). */
  const leaves = async () => {
    const leaving = nodes.pop()
    ports.pop()
    if (leaving === undefined) throw new Error("no node")
    // A node that was connected before it has announced itself, which takes a second, has nothing to withdraw.
    await until(
      "it has announced itself",
      () => leaving.status(),
      ({ uptime_seconds }) => uptime_seconds >= 2
    )
    const gone = leaving.stop()
    const took = await howLong(() =>
      until(
        "no node shows the node that left",
        () => Promise.all(nodes.map((node) => node.status())),
        (all) => all.every(({ peers }) => !peers.some(({ node_id }) => node_id === leaving.id)),
        5_000
      )
    )
    await gone
    return took
  }
  /** How long it takes until all know each other once there are `count` of them: from the start of the last one (ms). */
  const meets = (count: number) => async () => {
    if (nodes.length === count) await leaves()
    await add(1)
    return howLong(() => mutual(nodes, "known"))
  }

  it("two know each other within a second of the later start", async () => {
    await add(1)
    figure("2 nodes know each other after", await within(1_000, meets(2)))
    await mutual(nodes, "live")
  })

  it("five are all connected, those who came late too", async () => {
    await add(3)
    figure("5 nodes know each other after", await howLong(() => mutual(nodes, "known")))
    await mutual(nodes, "live")
  })

  it("twenty know each other within three seconds of the last start, and are all connected", async () => {
    await add(14)
    figure("20 nodes know each other after", await within(3_000, meets(20)))
    await mutual(nodes, "live", 60_000)
  })

  it("a goodbye is seen within two seconds by all", async () => {
    const took = await within(2_000, async () => {
      if (nodes.length < 20) await meets(20)()
      return leaves()
    })
    figure("a goodbye is seen by all after", took)
  })

  it("a node that was killed, or whose cable was cut, is shown as unreachable within 45 s, without noise or many packets", async () => {
    const [killed, stranded] = nodes.slice(-2)
    const others = nodes.slice(0, -2)
    const port = ports.at(-1)
    if (killed === undefined || stranded === undefined || port === undefined) throw new Error("no nodes")
    const listener = await lan.host()
    const before = others.map(({ log }) => log.length)
    const unreachable = (node: Node) =>
      howLong(() =>
        until(
          "it is shown as unreachable",
          () => Promise.all(others.map((other) => other.status())),
          (all) =>
            all.every(({ peers }) => {
              const row = peers.find(({ node_id }) => node_id === node.id)
              return row?.state === "backoff" && row.last_error !== null
            }),
          60_000
        )
      )
    await Promise.all([killed.stop("SIGKILL"), lan.strand(port)])
    const [packets, afterKill, afterCut] = await Promise.all([
      packetsOf(listener, 45_000),
      unreachable(killed),
      unreachable(stranded)
    ])
    figure("a killed node is shown unreachable after", afterKill)
    figure("a node whose cable is cut is shown unreachable after", afterCut)
    assert.isBelow(Math.max(afterKill, afterCut), 45_000)
    for (const [index, { log }] of others.entries()) {
      const text = log.slice(before[index])
      assert.isAtMost(text.split("\n").filter((line) => /^\d\d:\d\d:\d\d /.test(line)).length, 4, text)
    }
    const perNode = ((packets.length / others.length) * 60) / 45
    figure("packets per minute and node", perNode, "")
    assert.isAbove(packets.length, 0, "the listener hears them")
    // Under 10 at rest; here two have fallen silent.
    assert.isBelow(perNode, 15)
  })
})
