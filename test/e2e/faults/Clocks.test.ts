/**
 * A clock that is wrong, by minutes and by a year, in both directions: what it poisons is held back and shown, everything
 * else goes on, and nothing is lost.
 */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import type { Note } from "../../../src/core/replica/Row.ts"
import { fakeTime } from "../../support/FakeTime.ts"
import { needs } from "../../support/Needs.ts"
import type { Finding } from "../../../src/services/admin/doctor/Finding.ts"
import type { NodeStatus } from "../../../src/services/node/Status.ts"
import { converged, Nodes, run, until } from "../../support/Nodes.ts"

let nodes: Nodes
beforeEach(() => {
  nodes = new Nodes()
})
afterEach(() => nodes.dispose())

const seconds = { "10m": 600, "365d": 365 * 86_400 } as const

describe.skipIf(needs("faketime"))("a clock that is wrong", () => {
  it("one write under it is the first thing that status and doctor say afterwards, with the way out", async () => {
    const a = nodes.make()
    await a.start(fakeTime("+365d"))
    await a.cli("note", "add", "from the future")
    await a.stop()
    const says = async (tag: string) => {
      const { stdout } = await run(["status", "--home", a.home], a.env)
      assert.match(stdout, new RegExp(`^[^\\n]*\\.\\n\\nALARM .*identity new --home ${a.home} --reissue\\n`))
      const { alarms } = JSON.parse((await run(["status", "--json", "--home", a.home], a.env)).stdout) as NodeStatus
      assert.strictEqual(alarms?.[0]?._tag, tag)
    }
    // While it does not run, and while it runs alone.
    await says("ClockAhead")
    await a.start()
    await says("ClockAhead")
    await until(
      "the log says it",
      () => Promise.resolve(a.log),
      (log) => /WARN .*alarm=ClockAhead/.test(log)
    )
    // A peer says that it does not take what was written.
    const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
    await until(
      "the peer has told",
      () => a.status(),
      ({ alarms }) => alarms?.[0]?._tag === "DeferredByPeer"
    )
    await says("DeferredByPeer")
    const { stdout, code } = await run(["doctor", "--json", "--home", a.home], a.env)
    const findings = JSON.parse(stdout) as ReadonlyArray<Finding>
    const failed = findings.filter(({ status }) => status === "failed")
    assert.deepStrictEqual([code, failed[0]?.check, failed[0]?.facts["error"]], [1, "alarm", "DeferredByPeer"])
    assert.include(failed[0]?.next_step, `identity new --home ${a.home} --reissue`)

    await a.stop()
    await a.cli("identity", "new", "--reissue")
    await a.start({ FERAL_SYNC_PORT: b.env["FERAL_SYNC_PEERS"]?.split(":")[1] })
    const [one] = await converged([a, b], 60_000)
    assert.notProperty(one, "alarms")
    assert.strictEqual(one?.counts.notes, 1)
  }, 120_000)

  for (const by of ["10m", "365d"] as const) {
    it(`+${by}: its writes wait until their time has come, and those of others pass`, async () => {
      const a = await nodes.make().start()
      const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start(fakeTime(`+${by}`))
      const future = await b.cli<{ id: string; hlc: string }>("note", "add", "from the future")
      const present = await a.cli<{ id: string }>("note", "add", "from the present")
      await until(
        "b has the note of a",
        () => b.status(),
        ({ counts }) => counts.notes === 2
      )
      const { peers } = await until(
        "a says what is wrong",
        () => a.status(),
        ({ peers }) => peers.some(({ last_error: error }) => error?._tag === "ClockDrift")
      )
      const offset = peers.find(({ node_id }) => node_id === b.id)?.clock_offset_ms ?? 0
      assert.closeTo(offset / 1000, seconds[by], 60)
      assert.deepStrictEqual(
        (await a.cli<ReadonlyArray<Note>>("note", "list")).map(({ id }) => id),
        [present.id]
      )
      assert.include(a.log, "clock")
      // The time of what was held has come.
      await a.stop()
      await a.start({ ...fakeTime(`+${by}`), FERAL_SYNC_PORT: String(a.port) })
      await converged([a, b], 60_000)
      assert.include(
        (await a.cli<ReadonlyArray<Note>>("note", "list")).map(({ hlc }) => hlc),
        future.hlc
      )
    }, 90_000)

    it(`-${by}: it holds back what comes from its future; once its clock is right, all is there`, async () => {
      const a = await nodes.make().start()
      const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start(fakeTime(`-${by}`))
      const past = await b.cli<{ id: string }>("note", "add", "from the past")
      const present = await a.cli<{ id: string }>("note", "add", "from the present")
      await until(
        "a has the note of b",
        () => a.status(),
        ({ counts }) => counts.notes === 2
      )
      await until(
        "b says what is wrong",
        () => b.status(),
        ({ peers }) => peers.some(({ last_error: error }) => error?._tag === "ClockDrift")
      )
      assert.include(b.log, "clock")
      await b.stop()
      await b.start()
      await converged([a, b], 60_000)
      const rows = await b.cli<ReadonlyArray<Note>>("note", "list")
      assert.sameMembers(
        rows.map(({ id }) => id),
        [past.id, present.id]
      )
      // The timestamp never went back.
      const next = await b.cli<{ hlc: string }>("note", "edit", present.id, "edited later")
      assert.isAbove(
        Number(next.hlc.split(":")[0]),
        Number(rows.find(({ id }) => id === present.id)?.hlc.split(":")[0])
      )
    }, 90_000)
  }
})
