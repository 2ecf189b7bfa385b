/**
 * Processes that die at any moment: of bulk sync, and of writing.
 *
 * `FERAL_FAULTS=full` kills two hundred times, with the seed that `FERAL_FAULTS_SEED` names; otherwise a dozen times.
 */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import type { Note } from "../../../src/core/replica/Row.ts"
import { converged, type Node, Nodes } from "../../support/Nodes.ts"
import { seeded } from "../../support/Seeded.ts"
import { beside } from "../../support/SqliteFiles.ts"
import { type Acknowledged, Writer } from "../../support/Writer.ts"

const isFull = process.env["FERAL_FAULTS"] === "full"
const kills = isFull ? 200 : 12
const seed = Number(process.env["FERAL_FAULTS_SEED"] ?? 1)

let nodes: Nodes
beforeEach(() => {
  nodes = new Nodes()
})
afterEach(() => nodes.dispose())

describe("kill -9", () => {
  it(
    `${kills} times, at either end of a bulk sync and of writing: nothing acknowledged is lost, and no timestamp is issued twice`,
    async () => {
      const random = seeded(seed)
      const a = await nodes.make().start()
      const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
      const writers = [new Writer(a), new Writer(b)] as const
      let integrity = 0
      for (let kill = 0; kill < kills; kill++) {
        const [victim, writer] = random() < 0.5 ? ([a, writers[0]] as const) : ([b, writers[1]] as const)
        await new Promise((resolve) => setTimeout(resolve, random() * 300))
        await victim.stop("SIGKILL")
        // What the dead process had acknowledged is in its file.
        const before = writer.acknowledged.slice()
        assert.deepStrictEqual(missing(victim, before), [], `seed ${seed}, kill ${kill}`)
        if (kill % 20 === 0) {
          const [row] = beside(victim.home, (db) => db.prepare("PRAGMA integrity_check").all())
          assert.deepEqual(row, { integrity_check: "ok" })
          integrity++
        }
        await victim.seed(400, 300, kill)
        await victim.start({ FERAL_SYNC_PORT: String(victim.port) })
      }
      assert.isAbove(integrity, 0)
      const acknowledged = await Promise.all(writers.map((writer) => writer.stop()))
      await converged([a, b], 60_000)
      const all = acknowledged.flat()
      assert.isAbove(all.length, kills)
      assert.strictEqual(new Set(all.map(({ hlc }) => hlc)).size, all.length, "a timestamp was issued twice")
      const rows = await a.cli<ReadonlyArray<Note>>("note", "list")
      const others = await b.cli<ReadonlyArray<Note>>("note", "list")
      assert.deepStrictEqual(rows, others)
      const held = new Map(rows.map(({ id, hlc }) => [id, hlc]))
      assert.deepStrictEqual(
        all.filter(({ id, hlc }) => held.get(id) !== hlc),
        []
      )
      assert.strictEqual(rows.length, all.length + kills * 400 + unacknowledged(rows, all))
    },
    isFull ? 30 * 60_000 : 120_000
  )
})

/** Those that are not in the file of a node. */
const missing = (node: Node, acknowledged: ReadonlyArray<Acknowledged>): ReadonlyArray<Acknowledged> => {
  const held = beside(
    node.home,
    (db) =>
      new Map(
        db
          .prepare("SELECT id, hlc FROM notes")
          .all()
          .map(({ id, hlc }) => [id, hlc])
      )
  )
  return acknowledged.filter(({ id, hlc }) => held.get(id) !== hlc)
}

/** Rows that were written by a process that died before it could say so: they may be there. */
const unacknowledged = (rows: ReadonlyArray<Note>, acknowledged: ReadonlyArray<Acknowledged>): number => {
  const known = new Set(acknowledged.map(({ id }) => id))
  return rows.filter(({ id, content }) => /^[0-9a-f]{16} \d+$/.test(content) && !known.has(id)).length
}
