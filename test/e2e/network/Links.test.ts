/** Links that lose, delay, part without a word, or keep half of a connection. */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { howLong } from "../../support/Best.ts"
import { figure, mutual } from "../../support/Discovered.ts"
import { Lab, type Lan } from "../../support/Namespaces.ts"
import { needs } from "../../support/Needs.ts"
import { converged, until } from "../../support/Nodes.ts"

/** The full form is for those who have the time. */
const full = process.env["FERAL_FAULTS"] === "full"

describe.skipIf(needs("root", "ip", "python3"))("links that are bad", () => {
  let lab: Lab
  let lan: Lan
  beforeEach(async () => {
    lab = new Lab()
    lan = await lab.lan()
  })
  afterEach(() => lab.dispose())

  it("with 5 % of all frames lost and 200 ms of delay each way, nodes find each other, converge and stay connected", async () => {
    const hosts = [await lan.host(), await lan.host(), await lan.host()]
    const nodes = hosts.map((host) => host.node())
    const count = full ? 3_000 : 300
    for (const node of nodes) await node.seed(count)
    await lan.degrade(200, 5)
    await Promise.all(nodes.map((node) => node.start()))
    const took = await howLong(async () => {
      await mutual(nodes, "live", 60_000)
      await converged(nodes, full ? 600_000 : 60_000)
    })
    figure(`3 nodes with ${count} notes each converge over a bad link after`, took)
    assert.strictEqual((await nodes[0]?.status())?.counts.notes, 3 * count)
    const before = nodes.map(({ log }) => log.split("peer connected").length)
    await Promise.all(nodes.map((node) => node.cli("note", "add", `from ${node.id}`)))
    figure("what is written then is everywhere after", await howLong(() => converged(nodes, 60_000)))
    assert.deepStrictEqual(
      nodes.map(({ log }) => log.split("peer connected").length),
      before
    )
  }, 900_000)

  it("a silent partition: both sides go on writing, and are equal when it is over", async () => {
    const [one, two, three] = [await lan.host(), await lan.host(), await lan.host()]
    const [a, b, c] = [one.node(), two.node(), three.node()]
    const nodes = [a, b, c]
    await Promise.all(nodes.map((node) => node.start()))
    await mutual(nodes, "live")
    await lan.strand(one.port)
    const parted = performance.now()
    await Promise.all(nodes.map((node) => node.cli("note", "add", `written apart, by ${node.id}`)))
    await converged([b, c])
    // Long enough for the connections to be given up, or short enough for TCP to go on.
    const lasts = full ? 60_000 : 10_000
    if (full) {
      await until(
        "b says that a is gone",
        () => b.status(),
        ({ peers }) => peers.some(({ node_id, state }) => node_id === a.id && state !== "live"),
        45_000
      )
    }
    await until(
      "the partition is over",
      async () => performance.now() - parted,
      (passed) => passed > lasts,
      lasts + 1_000
    )
    assert.strictEqual((await a.status()).counts.notes, 1)
    await lan.rejoin(one.port)
    figure(
      `after a partition of ${lasts / 1000} s, nodes are equal after`,
      await howLong(() => converged(nodes, 60_000))
    )
    assert.strictEqual((await a.status()).counts.notes, 3)
    await mutual(nodes, "live")
  }, 300_000)

  it("a node that lost its power and is back takes the place of the connection that its peer still holds", async () => {
    const [one, two] = [await lan.host(), await lan.host()]
    const [a, b] = [one.node(), two.node()]
    await a.start()
    await b.start()
    await mutual([a, b], "live")
    // Nothing tells b: the cable goes first.
    await lan.strand(one.port)
    await a.stop("SIGKILL")
    await b.cli("note", "add", "into the void")
    await lan.rejoin(one.port)
    await a.start()
    await a.cli("note", "add", "back again")
    const took = await howLong(() => converged([a, b], 20_000))
    figure("a node that is back after a loss of power is equal after", took)
    assert.strictEqual((await b.status()).counts.notes, 2)
    const rows = (await b.status()).peers.filter(({ node_id }) => node_id === a.id)
    assert.deepStrictEqual(
      rows.map(({ state }) => state),
      ["live"]
    )
  }, 120_000)
})
