/**
 * A clock that is wrong, by minutes and by a year, in both directions: what it poisons is held back and shown, everything
 * else goes on, and nothing is lost.
 */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import type { Note } from "../../../src/core/Row.ts"
import { fakeTime } from "../../support/FakeTime.ts"
import { needs } from "../../support/Needs.ts"
import { converged, Nodes, until } from "../../support/Nodes.ts"

let nodes: Nodes
beforeEach(() => {
  nodes = new Nodes()
})
afterEach(() => nodes.dispose())

const seconds = { "10m": 600, "365d": 365 * 86_400 } as const

describe.skipIf(needs("faketime"))("a clock that is wrong", () => {
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
      // The reading never went back.
      const next = await b.cli<{ hlc: string }>("note", "edit", present.id, "edited later")
      assert.isAbove(
        Number(next.hlc.split(":")[0]),
        Number(rows.find(({ id }) => id === present.id)?.hlc.split(":")[0])
      )
    }, 90_000)
  }
})
