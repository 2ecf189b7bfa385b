/** Networks that people have: cables, filters, loss, several interfaces, one family of addresses only. */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { cpSync } from "node:fs"
import { howLong } from "../../support/Best.ts"
import { figure, mutual } from "../../support/Discovered.ts"
import { Lab, type Lan } from "../../support/Namespaces.ts"
import { needs } from "../../support/Needs.ts"
import { type Node, until } from "../../support/Nodes.ts"

const started = (...nodes: ReadonlyArray<Node>) => Promise.all(nodes.map((node) => node.start()))

const discovery = (node: Node, what: string, isGood: (status: Awaited<ReturnType<Node["status"]>>) => boolean) =>
  until(what, () => node.status(), isGood, 30_000)

describe.skipIf(needs("root", "ip", "nft"))("networks that people have", () => {
  let lab: Lab
  let lan: Lan
  beforeEach(async () => {
    lab = new Lab()
    lan = await lab.lan()
  })
  afterEach(() => lab.dispose())

  it("a cable that is pulled and plugged, an interface that comes late, and two nodes on one host", async () => {
    const host = await lan.host()
    const bare = await lab.host()
    const [a, b, c] = [host.node(), host.node({ FERAL_SYNC_PORT: "9091" }), bare.node()]
    await started(a, b, c)
    await mutual([a, b], "live")
    await discovery(c, "no network, no mDNS", (status) => status.discovery.mdns === "unavailable")

    await lan.plug(bare)
    figure("an interface that comes is used after", await howLong(() => mutual([a, b, c], "known")))
    await mutual([a, b, c], "live")

    await lan.cable(host.port, "down")
    await discovery(a, "the link is gone", (status) => status.discovery.mdns === "unavailable")
    await lan.cable(host.port, "up")
    const back = await howLong(() =>
      discovery(
        a,
        "the link is back",
        ({ discovery, peers }) =>
          discovery.mdns === "on" && peers.some(({ node_id, source }) => node_id === c.id && source === "mdns")
      )
    )
    figure("a cable that is plugged again is used after", back)
    await mutual([a, b, c], "live", 60_000)
  })

  it("without multicast the static list is used when it is time: names are looked up, ourselves left alone", async () => {
    const [one, other] = [await lan.host(), await lan.host()]
    const blocked = "input udp dport 5353 drop"
    await Promise.all([one.filter(blocked), other.filter(blocked)])
    // The name leads nowhere at first.
    one.names(["10.77.1.200 friend"])
    const peers = `friend:9090,${one.address}:9090`
    const a = one.node({ FERAL_SYNC_PEERS: peers, FERAL_SYNC_MDNS_TIMEOUT: "3" })
    const b = other.node()
    await started(a, b)
    const since = performance.now()
    assert.deepStrictEqual((await a.status()).discovery, { mdns: "on", static: "waiting" })
    await discovery(a, "the static list is used", (status) => status.discovery.static === "active")
    const waited = performance.now() - since
    figure("the static list of 3 s is used after", waited)
    assert.isTrue(waited > 2000 && waited < 5000, `${waited} ms`)

    one.names([`${other.address} friend`])
    await discovery(a, "the name is looked up again", (status) =>
      status.peers.some(({ node_id, state, source }) => node_id === b.id && state === "live" && source === "static")
    )
    await discovery(a, "our own address is recognised", (status) =>
      status.peers.some(({ last_error }) => last_error?._tag === "SelfConnection")
    )

    // What is discovered later is the same node: nobody is dialled twice.
    await Promise.all([one.filter(), other.filter()])
    await b.stop()
    await b.start()
    await discovery(a, "the node is discovered", (status) =>
      status.peers.some(({ node_id, state }) => node_id === b.id && state === "live")
    )
    await mutual([a, b], "live")
    const rows = (await a.status()).peers.filter(({ node_id }) => node_id === b.id)
    assert.strictEqual(rows.length, 1, JSON.stringify(rows))
    assert.isFalse(/duplicate/i.test(a.log), a.log)
  })

  it("a host with two interfaces joins two networks: it is one peer on both, and passes on what they write", async () => {
    const far = await lab.lan()
    const [left, middle, right] = [await lan.host(), await lan.host(), await far.host()]
    await far.plug(middle, "eth1")
    const [a, m, b] = [left.node(), middle.node(), right.node()]
    await started(a, m, b)
    await mutual([a, m], "live")
    await mutual([m, b], "live")
    assert.strictEqual((await m.status()).peers.length, 2)
    await a.cli("note", "add", "from the left")
    await until(
      "the note is on the right",
      () => b.status(),
      ({ counts }) => counts.notes === 1
    )
    assert.isFalse((await b.status()).peers.some(({ node_id }) => node_id === a.id))
  })

  it("with a fifth of all multicast lost, all nodes still find each other", async () => {
    const hosts = [await lan.host(), await lan.host(), await lan.host(), await lan.host(), await lan.host()]
    await Promise.all(hosts.map((host) => host.filter("input udp dport 5353 numgen random mod 100 < 20 drop")))
    const nodes = hosts.map((host) => host.node())
    await started(...nodes)
    figure("5 nodes with a loss of 20 % know each other after", await howLong(() => mutual(nodes, "known")))
    await mutual(nodes, "live")
  })

  it("where there is IPv6 alone, nodes meet at link-local addresses", async () => {
    const hosts = [await lan.host(), await lan.host()]
    for (const host of hosts) await host.ip("-4", "address", "flush", "dev", "eth0")
    const nodes = hosts.map((host) => host.node())
    await started(...nodes)
    await mutual(nodes, "live")
    const [row] = (await nodes[0]?.status())?.peers ?? []
    assert.match(row?.address ?? "", /^fe80::.*%eth0$/)
  })

  it("two nodes with one id do not fight over it: both say so", async () => {
    const [one, other] = [await lan.host(), await lan.host()]
    const [a, b] = [one.node(), other.node()]
    await a.start()
    await a.stop()
    cpSync(a.home, b.home, { recursive: true })
    await a.start()
    await b.start()
    assert.strictEqual(a.id, b.id)
    for (const node of [a, b]) {
      await discovery(node, "it says so", ({ peers }) =>
        peers.some(({ last_error }) => last_error?._tag === "DuplicateNodeId")
      )
    }
  })
})
