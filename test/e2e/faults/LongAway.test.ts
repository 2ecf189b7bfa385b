/**
 * Deletions are collected, and a node comes back that was away meanwhile: it is refused with the way out, begins anew, and what was
 * deleted stays deleted. What it wrote alone reaches all others.
 */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { existsSync } from "node:fs"
import type { Note } from "../../../src/core/replica/Row.ts"
import type { Finding } from "../../../src/services/admin/doctor/Finding.ts"
import type { NodeStatus } from "../../../src/services/node/Status.ts"
import { fakeTime } from "../../support/FakeTime.ts"
import { needs } from "../../support/Needs.ts"
import { Nodes, run, until } from "../../support/Nodes.ts"

let nodes: Nodes
beforeEach(() => {
  nodes = new Nodes()
})
afterEach(() => nodes.dispose())

describe.skipIf(needs("faketime"))("a node that was away while deletions were collected", () => {
  it("is told so, begins anew, and brings back nothing that was deleted", async () => {
    const on = { FERAL_SYNC_TOMBSTONE_DAYS: "1" }
    const a = await nodes.make(on).start()
    const of = (address: string) => ({ ...on, FERAL_SYNC_PEERS: address, FERAL_SYNC_MDNS_TIMEOUT: "0" })
    const b = await nodes.make(of(a.address)).start()
    const c = await nodes.make(of(a.address)).start()
    const textsOf = async (node: typeof a) =>
      (await node.cli<ReadonlyArray<Note>>("note", "list")).map(({ content }) => content).sort()
    const hold = (what: string, all: ReadonlyArray<typeof a>, texts: ReadonlyArray<string>) =>
      until(
        what,
        () => Promise.all(all.map(textsOf)),
        (lists) => lists.every((list) => list.join() === [...texts].sort().join()),
        60_000
      )
    const gone = await a.cli<{ readonly id: string }>("note", "add", "gone")
    await a.cli("note", "add", "kept")
    await hold("all have both notes", [a, b, c], ["gone", "kept"])
    await c.stop()
    await c.cli("note", "add", "written while away")
    await a.cli("note", "delete", gone.id)
    await hold("the deletion is on both", [a, b], ["kept"])

    // Three days later the third node has not been seen again.
    await a.stop()
    await b.stop()
    const later = fakeTime("+3d")
    await a.start({ ...later, FERAL_SYNC_PORT: `${a.port}` })
    await b.start(later)
    const collected = ({ tombstones }: NodeStatus) => tombstones?.collected === 1 && tombstones.held === 0
    await until(
      "both have collected it",
      () => Promise.all([a.status(), b.status()]),
      (all) => all.every(collected),
      180_000
    )
    const { stdout: shown } = await run(["status", "--home", a.home], a.env)
    assert.match(shown, /1 collected; kept for 1 day after every node has them/)

    await c.start(later)
    const isAway = ({ peers }: NodeStatus) => peers.some(({ last_error }) => last_error?._tag === "TooLongAway")
    const [there, here] = await until(
      "both sides say it",
      () => Promise.all([c.status(), a.status()]),
      (all) => all.every(isAway),
      60_000
    )
    const wordsOf = ({ peers }: NodeStatus) =>
      peers.find(({ last_error }) => last_error?._tag === "TooLongAway")?.last_error
    assert.match(wordsOf(there)?.message ?? "", new RegExp(`this node .*away.*main\\.[jt]s rejoin --home ${c.home}`))
    assert.match(wordsOf(here)?.message ?? "", new RegExp(`${c.id} was away.*main\\.[jt]s rejoin(?! --home)`))
    const doctor = await run(["doctor", "--json", "--home", c.home], c.env)
    const findings = JSON.parse(doctor.stdout) as ReadonlyArray<Finding>
    assert.isTrue(findings.some(({ next_step }) => next_step?.includes(` rejoin --home ${c.home}`) === true))
    assert.deepStrictEqual(await textsOf(a), ["kept"])

    await c.stop()
    const { kept } = await c.cli<{ readonly kept: string; readonly node_id: string }>("rejoin")
    assert.isTrue(existsSync(kept))
    await c.start(later)
    await hold(
      "the note written while away is everywhere, and the deleted one nowhere",
      [a, b, c],
      ["kept", "written while away"]
    )
    const all = await until(
      "all are equal",
      () => Promise.all([a, b, c].map((node) => node.status())),
      (all) => new Set(all.map(({ digest }) => digest)).size === 1,
      60_000
    )
    assert.deepStrictEqual(new Set(all.map(({ node_id }) => node_id)).size, 3)
    // A second time it is not needed, and says so.
    await c.stop()
    const again = await run(["rejoin", "--json", "--home", c.home], c.env)
    assert.strictEqual(again.code, 1)
    assert.include(again.stderr, "no other node has reported TooLongAway")
  }, 400_000)
})
