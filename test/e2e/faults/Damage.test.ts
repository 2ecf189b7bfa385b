/** A database that turns out to be damaged under a running node: it says so first, ends syncing, and goes on answering. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { closeSync, openSync, statSync, writeSync } from "node:fs"
import { request } from "node:http"
import { dirname, join } from "node:path"
import type { Finding } from "../../../src/services/admin/doctor/Finding.ts"
import { converged, Nodes, run, until } from "../../support/Nodes.ts"
import { beside } from "../../support/SqliteFiles.ts"

const nodes = new Nodes()
afterAll(() => nodes.dispose())

const page = 4096

/** Overwrites pages in the middle of a file, as a disk that fails does. */
const damage = (file: string) => {
  const handle = openSync(file, "r+")
  for (let at = 20; at < statSync(file).size / page - 20; at += 2) {
    writeSync(handle, Buffer.alloc(page, 0xa5), 0, page, at * page)
  }
  closeSync(handle)
}

/** What the node answers on its socket. */
const asked = (home: string, path: string) =>
  new Promise<{ readonly status: number | undefined; readonly body: string }>((resolve, reject) => {
    request({ socketPath: join(home, "feral-sync.sock"), path }, (response) => {
      let body = ""
      response.setEncoding("utf8").on("data", (part: string) => (body += part))
      response.on("end", () => resolve({ status: response.statusCode, body }))
    })
      .on("error", reject)
      .end()
  })

describe("a database that is damaged under a running node", () => {
  it("is an error in the log, ends syncing with a reason, and stands first in status and doctor; restore mends it", async () => {
    const a = nodes.make()
    await a.seed(6_000)
    beside(a.home, (db) => db.exec("PRAGMA wal_checkpoint(TRUNCATE)"))
    const backup = join(dirname(a.home), "backup.db")
    await a.cli("backup", backup)
    await a.start()
    damage(join(a.home, "sync.db"))
    const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()

    // Reading for the peer meets it.
    const damaged = await until(
      "the damage is found",
      () => a.status(),
      (status) => status.damage !== undefined,
      30_000
    )
    assert.match(
      String(damaged.damage?.message),
      new RegExp(`corrupt .*restore a backup with .*main\\.[jt]s restore --home ${a.home} FILE`)
    )
    const ready = await asked(a.home, "/readyz?verbose")
    assert.strictEqual(ready.status, 503)
    assert.match(ready.body, /^fail store: .*corrupt.*^not ready$/ms)
    assert.strictEqual((await asked(a.home, "/livez")).status, 200)
    const errors = a.log.split("\n").filter((line) => /"level":"ERROR"/i.test(line) || /ERROR/.test(line))
    assert.lengthOf(
      errors.filter((line) => line.includes("corrupt")),
      1,
      a.log
    )
    const ended = await until(
      "the peer is told",
      () => b.status(),
      ({ peers }) =>
        peers.some(({ last_error }) => /the database of this node is damaged/.test(String(last_error?.message))),
      30_000
    )
    assert.isFalse(ended.peers.some(({ state }) => state === "live" || state === "syncing"))
    assert.isFalse((await a.status()).peers.some(({ state }) => state === "live"))

    const { stdout } = await run(["status", "--home", a.home])
    assert.match(
      stdout,
      /^The database is damaged, and this node does not sync\..*\n\nDAMAGE +the database cannot be used: corrupt/
    )
    const doctor = await run(["doctor", "--json", "--home", a.home])
    const [first] = JSON.parse(doctor.stdout) as ReadonlyArray<Finding>
    assert.deepInclude(first, { check: "database", status: "failed" })
    assert.include(first?.next_step, `restore --home ${a.home} FILE`)
    const refused = await run(["note", "add", "in vain", "--json", "--home", a.home])
    assert.deepStrictEqual([refused.code, JSON.parse(refused.stderr)._tag], [1, "StoreUnavailable"])

    await a.stop()
    const stopped = await run(["doctor", "--json", "--home", a.home])
    assert.deepInclude((JSON.parse(stopped.stdout) as ReadonlyArray<Finding>)[0], {
      check: "database",
      status: "failed"
    })
    await a.cli("restore", backup)
    await a.start({ FERAL_SYNC_PORT: String(a.port) })
    const [after] = await converged([a, b], 60_000)
    assert.strictEqual(after?.counts.notes, 6_000)
    assert.isUndefined(after?.damage)
  }, 150_000)
})
