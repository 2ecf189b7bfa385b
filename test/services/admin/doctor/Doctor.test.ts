/**
 * What doctor says of a machine: real files, and sockets on loopback alone. Real nodes are examined in `e2e/Doctor.test.ts`.
 */
import { assert, describe, it } from "@effect/vitest"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, Option, Redacted, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { createSocket } from "node:dgram"
import { chmod, mkdir, open, readdir, stat, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import type { Variable } from "../../../../src/services/node/Settings.ts"
import type { Network } from "../../../../src/services/discovery/MdnsRuntime.ts"
import * as MdnsDiscovery from "../../../../src/services/discovery/MdnsDiscovery.ts"
import { Discovery } from "../../../../src/services/discovery/Discovery.ts"
import { Doctor, type Finding } from "../../../../src/services/admin/doctor/Doctor.ts"
import * as CertificatesCheck from "../../../../src/services/admin/doctor/Certificates.ts"
import * as CheckReplica from "../../../../src/services/admin/doctor/CheckReplica.ts"
import * as CheckPeers from "../../../../src/services/admin/doctor/CheckPeers.ts"
import { HlcClock } from "../../../../src/services/node/HlcClock.ts"
import { MdnsUnavailable } from "../../../../src/services/node/NodeFailure.ts"
import { NodeId } from "../../../../src/core/replica/NodeId.ts"
import * as Certificates from "../../../support/Certificates.ts"
import * as Directory from "../../../support/Directory.ts"
import { draft } from "../../../support/Drafts.ts"
import { open as openStore } from "../../../support/SqliteFiles.ts"
import { plainServer } from "../../../support/RawPeers.ts"
import { settings } from "../../../support/Settings.ts"
import { ok } from "../../../../src/services/admin/doctor/Finding.ts"

type Values = Partial<Record<Variable, string>>

const quiet: Values = {
  FERAL_SYNC_HOST: "127.0.0.1",
  FERAL_SYNC_PORT: "0",
  FERAL_SYNC_API_PORT: "0",
  FERAL_SYNC_MDNS: "off"
}

/** Everything that is found, and what is found of one check: the first that is not ok. */
const examine = Effect.fnUntraced(function* (home: string, values: Values = {}, network?: Network) {
  const told: Array<Finding> = []
  const overrides = { values: { ...quiet, FERAL_HOME: home, ...values } }
  const all = yield* Effect.gen(function* () {
    const doctor = yield* Doctor
    return yield* doctor.examine((finding) => Effect.sync(() => void told.push(finding)))
  }).pipe(
    Effect.provide(Doctor.layer({ overrides, environment: [], ...(network === undefined ? {} : { network }) })),
    Effect.scoped
  )
  assert.deepStrictEqual(told, all)
  const of = (check: string): Finding => {
    const found = all.filter((finding) => finding.check === check)
    const worst = found.find(({ status }) => status !== "ok") ?? found[0]
    if (worst === undefined) throw new Error(`${check} is not among ${JSON.stringify(all)}`)
    return worst
  }
  return { all, of }
})

const says = (
  { status, message, next_step }: Finding,
  expected: Finding["status"],
  words: RegExp,
  nextStep: RegExp
) => {
  assert.strictEqual(status, expected, message)
  assert.match(message, words)
  assert.match(next_step ?? "", nextStep)
}

/** A data directory with a database in it. */
const replica = Effect.gen(function* () {
  const home = join(yield* Directory.directory, "home")
  yield* Effect.promise(() => mkdir(home, { mode: 0o700 }))
  yield* Effect.scoped(Effect.flatMap(openStore({ home }), (store) => store.append([draft("kept")])))
  return home
}).pipe(Effect.provide(HlcClock.layer))

const live = (name: string, test: () => Effect.Effect<unknown, unknown, Scope.Scope>) =>
  it.live(name, () => Effect.scoped(Effect.suspend(test)), 60_000)

const database = (home: string) => join(home, "sync.db")

describe("doctor: database", () => {
  live("one that is sound is left as it is", () =>
    Effect.gen(function* () {
      const home = yield* replica
      const before = yield* Effect.promise(() => readdir(home))
      const { of } = yield* examine(home)
      assert.strictEqual(of("database").status, "ok")
      assert.match(String(of("database").message), /^intact/)
      assert.deepStrictEqual(yield* Effect.promise(() => readdir(home)), before)
    })
  )

  live("its size is that of the file with its log", () =>
    Effect.gen(function* () {
      const home = yield* replica
      const store = yield* openStore({ home })
      yield* store.append(Array.from({ length: 200 }, (_, n) => draft(`r${n}`, "x".repeat(10_000))))
      const [file, log] = yield* Effect.promise(() =>
        Promise.all([stat(database(home)), stat(`${database(home)}-wal`)])
      )
      assert.isAbove(log.size, 1024 * 1024)
      const [finding] = (yield* CheckReplica.database(home, true, undefined).pipe(Effect.provide(NodeFileSystem.layer)))
        .findings
      assert.strictEqual(finding?.facts["bytes"], file.size + log.size)
      assert.match(finding?.message ?? "", /^intact, [2-9] MiB$/)
    }).pipe(Effect.provide(HlcClock.layer))
  )

  live("damage is found", () =>
    Effect.gen(function* () {
      const home = yield* replica
      yield* Effect.promise(async () => {
        const file = await open(database(home), "r+")
        const { size } = await file.stat()
        for (let page = 4096 * 2; page < size; page += 4096) await file.write(Buffer.alloc(4000, 0x5a), 0, 4000, page)
        await file.close()
      })
      says((yield* examine(home)).of("database"), "failed", /corrupt/, /restore a backup with feral-sync restore FILE/)
    })
  )

  live("a file that is no database is found", () =>
    Effect.gen(function* () {
      const home = yield* replica
      yield* Effect.promise(() => writeFile(database(home), "this is a text, and a long one".repeat(1000)))
      says((yield* examine(home)).of("database"), "failed", /corrupt/, /restore a backup with feral-sync restore FILE/)
    })
  )

  live("one of a newer version is found", () =>
    Effect.gen(function* () {
      const home = yield* replica
      const sqlite = new DatabaseSync(database(home))
      sqlite.exec("PRAGMA user_version = 99")
      sqlite.close()
      says((yield* examine(home)).of("database"), "failed", /is from a newer feral-sync/, /^upgrade this/)
    })
  )

  live("a lock of another process is found", () =>
    Effect.gen(function* () {
      const home = yield* replica
      const holder = new DatabaseSync(join(home, "lock"))
      holder.exec("BEGIN EXCLUSIVE")
      const { of } = yield* examine(home).pipe(Effect.ensuring(Effect.sync(() => holder.close())))
      says(of("node"), "failed", /locked, but no node answers/, /another process uses this data directory/)
      assert.strictEqual(of("database").status, "ok")
    })
  )
})

describe("doctor: data directory and ports", () => {
  live("a file in the way, a directory that cannot be written, a place where none can be made", () =>
    Effect.gen(function* () {
      const directory = yield* Directory.directory
      const file = join(directory, "file")
      yield* Effect.promise(() => writeFile(file, ""))
      says((yield* examine(file)).of("data directory"), "failed", /is a file, not a directory/, /FERAL_HOME/)
      says(
        (yield* examine(join(file, "home"))).of("data directory"),
        "failed",
        /cannot be created: .* is a file/,
        /FERAL_HOME/
      )
      if (process.getuid?.() === 0) return
      const closed = join(directory, "closed")
      yield* Effect.promise(() => mkdir(closed, { mode: 0o500 }))
      says(
        (yield* examine(closed)).of("data directory"),
        "failed",
        /this user may not use/,
        new RegExp(`chmod u\\+rwX ${closed}`)
      )
      says((yield* examine(join(closed, "home"))).of("data directory"), "failed", /may not create it/, /FERAL_HOME/)
    })
  )

  live("a passphrase that others can read is found, and left as it is", () =>
    Effect.gen(function* () {
      const home = yield* replica
      const file = join(home, "passphrase")
      yield* Effect.promise(() => writeFile(file, "very secret indeed\n", { mode: 0o644 }))
      const { all, of } = yield* examine(home)
      says(of("passphrase"), "warning", /other users can read/, /^chmod 600 /)
      assert.strictEqual((yield* Effect.promise(() => stat(file))).mode & 0o777, 0o644)
      assert.notInclude(JSON.stringify(all), "very secret indeed")
      yield* Effect.promise(() => chmod(file, 0o600))
      for (const [text, words] of [
        ["secret \n", /ends with white space/],
        ['"secret"', /is in quotes/]
      ] as const) {
        yield* Effect.promise(() => writeFile(file, text))
        says((yield* examine(home)).of("passphrase"), "warning", words, /the same on every node/)
      }
      yield* Effect.promise(() => writeFile(file, Buffer.from("secret", "utf16le")))
      says((yield* examine(home)).of("passphrase"), "failed", /NUL bytes/, /correct the file/)
      yield* Effect.promise(() => writeFile(file, "\n"))
      says((yield* examine(home)).of("passphrase"), "failed", /contains no passphrase/, /FERAL_SYNC_PASSPHRASE/)
    })
  )

  live("ports that are taken are found", () =>
    Effect.gen(function* () {
      const server = yield* Effect.acquireRelease(
        Effect.sync(() => createServer()),
        (server) => Effect.sync(() => server.close())
      )
      const port = yield* Effect.callback<string>((resume) => {
        server.listen(0, "127.0.0.1", () => {
          const bound = server.address()
          resume(Effect.succeed(typeof bound === "object" && bound !== null ? `${bound.port}` : "0"))
        })
      })
      const directory = yield* Directory.directory
      const { of } = yield* examine(directory, { FERAL_SYNC_PORT: port, FERAL_SYNC_API_PORT: port })
      says(of("sync port"), "failed", /another program uses the port/, /FERAL_SYNC_PORT/)
      says(of("API port"), "warning", /is taken/, /FERAL_SYNC_API_PORT/)
    })
  )
})

describe("doctor: certificates", () => {
  const env = ({ cert, key, ca }: { cert: string; key: string; ca: string }): Values => ({
    FERAL_SYNC_TLS_CERT: cert,
    FERAL_SYNC_TLS_KEY: key,
    FERAL_SYNC_TLS_CA: ca
  })

  live("good ones, a key of another certificate, a key that others can read, a file that is missing", () =>
    Effect.gen(function* () {
      const directory = yield* Directory.directory
      const [a, b] = yield* Effect.all([Certificates.issue(directory, "a"), Certificates.issue(directory, "b")])
      yield* Effect.promise(() => chmod(a.key, 0o600))
      const good = (yield* examine(directory, env(a))).of("certificates")
      assert.strictEqual(good.status, "ok")
      assert.include(good.message, "CN=peer-a, issued by CN=CA-a")
      const certificates = (values: Values) => Effect.map(examine(directory, values), ({ of }) => of("certificates"))
      says(
        yield* certificates(env({ ...a, key: b.key })),
        "failed",
        /does not belong to the certificate/,
        /use the key of that certificate/
      )
      says(yield* certificates(env({ ...a, cert: "/nowhere.pem" })), "failed", /the file does not exist/, /^.+$/)
      yield* Effect.promise(() => chmod(a.key, 0o644))
      says(yield* certificates(env(a)), "failed", /other users can read the private key/, /^chmod 600/)
    })
  )

  it.effect("one that expires within two weeks", () =>
    Effect.gen(function* () {
      const directory = yield* Directory.directory
      const a = yield* Certificates.issue(directory, "a")
      yield* Effect.promise(() => chmod(a.key, 0o600))
      yield* TestClock.setTime(Date.now() + 352 * 86_400_000)
      const look = CertificatesCheck.examine({ ...settings(directory), tls: Option.some(a) })
      const [finding] = yield* look
      if (finding === undefined) return assert.fail("no finding")
      says(finding, "warning", /CN=peer-a, issued by CN=CA-a\) expires on/, /sign a new certificate/)
      yield* TestClock.setTime(Date.now() + 340 * 86_400_000)
      assert.strictEqual((yield* look)[0]?.status, "ok")
    }).pipe(Effect.provide(NodeFileSystem.layer))
  )
})

describe("doctor: multicast", () => {
  const mdns = { FERAL_SYNC_MDNS: "on", FERAL_SYNC_MDNS_INTERFACE: "127.0.0.1" }

  /** A UDP port that nobody uses, so that nobody else is met. */
  const freePort = Effect.callback<number>((resume) => {
    const socket = createSocket("udp4")
    socket.bind(0, "127.0.0.1", () => {
      const { port } = socket.address()
      socket.close(() => resume(Effect.succeed(port)))
    })
  })

  live("receives itself, and the nodes that answer", () =>
    Effect.gen(function* () {
      const options = { interfaces: ["127.0.0.1"], port: yield* freePort }
      const directory = yield* Directory.directory
      const alone = yield* examine(directory, mdns, MdnsDiscovery.networkOf(options))
      assert.strictEqual(alone.of("multicast").status, "ok")
      says(alone.of("discovery"), "warning", /^peers are not discovered/, /open UDP 5353.*FERAL_SYNC_PEERS/)
      yield* Effect.gen(function* () {
        const discovery = yield* Discovery
        yield* discovery.sightings({ nodeId: NodeId.make("somebody"), port: 9_000 })
        const { of } = yield* examine(directory, mdns, MdnsDiscovery.networkOf(options))
        assert.strictEqual(of("discovery").status, "ok")
        assert.deepStrictEqual(of("discovery").facts["nodes"], ["somebody"])
        // It does not listen there, and no passphrase is made to ask it: nobody is dialled.
        assert.notStrictEqual(of("peer").status, "failed")
      }).pipe(Effect.provide(MdnsDiscovery.layer(options)))
    })
  )

  /** Loopback, with sockets that a firewall stands before. */
  const firewalled = (opens: boolean): Network => {
    const { port, links } = MdnsDiscovery.networkOf({ interfaces: ["127.0.0.1"] })
    const socket = {
      send: (_: unknown, done: (error: Error | undefined) => void) => done(undefined),
      close: Effect.void
    }
    return {
      port,
      links,
      open: (link) =>
        opens ? Effect.succeed(socket) : Effect.fail(new MdnsUnavailable({ detail: `${link.key}: not permitted` }))
    }
  }

  live("multicast that is blocked", () =>
    Effect.gen(function* () {
      const directory = yield* Directory.directory
      const { of } = yield* examine(directory, mdns, firewalled(true))
      says(of("multicast"), "failed", /sent on lo.* do not come back/, /open UDP 5353/)
      says(of("discovery"), "warning", /^peers are not discovered/, /open UDP 5353/)
    })
  )

  live("a socket that cannot be opened", () =>
    Effect.gen(function* () {
      const directory = yield* Directory.directory
      const { of } = yield* examine(directory, mdns, firewalled(false))
      says(of("multicast"), "failed", /^mDNS is unavailable \(lo.*127\.0\.0\.1: not permitted\)/, /UDP 5353 is open/)
    })
  )
})

describe("doctor: peers", () => {
  live("a silent peer, one that hangs up and one that is missing are told apart, all at once", () =>
    Effect.gen(function* () {
      const directory = yield* Directory.directory
      const silent = yield* plainServer((socket) => socket.resume())
      const rude = yield* plainServer((socket) => socket.destroy())
      const [quietly, rudely] = [silent, rude].map(({ at }) => `127.0.0.1:${at.port}`)
      const peers = `${quietly},${rudely},127.0.0.1:1`
      const none = (yield* examine(directory, { FERAL_SYNC_PEERS: peers })).of("peer")
      says(none, "warning", /not checked, because this node has no passphrase yet/, /set FERAL_SYNC_PASSPHRASE/)

      const told: Array<Finding> = []
      const overrides = {
        values: { ...quiet, FERAL_HOME: directory, FERAL_SYNC_PEERS: peers },
        passphrase: Redacted.make("secret")
      }
      yield* Effect.gen(function* () {
        const doctor = yield* Doctor
        yield* doctor.examine((finding) => Effect.sync(() => void told.push(finding)))
      }).pipe(Effect.provide(Doctor.layer({ overrides, environment: [] })))
      const of = (address: string | undefined) => {
        const found = told.find(({ facts }) => facts["address"] === address)
        return found ?? assert.fail(`${address} is not among ${JSON.stringify(told)}`)
      }
      const nextStep = /check that the node there runs and that its port is open/
      says(of(quietly), "failed", /cannot be reached \(no answer in time\)/, nextStep)
      says(of(rudely), "failed", /cannot be reached \(connection reset\)/, nextStep)
      says(of("127.0.0.1:1"), "failed", /cannot be reached \(connection refused/, nextStep)
    })
  )
})

describe("doctor: clock", () => {
  const peer = (address: string, offset: number) => ok("peer", "", { address, clock_offset_ms: offset })
  const clock = (...peers: ReadonlyArray<Finding>) =>
    Effect.map(CheckPeers.clock(peers, 300_000), ([finding]) => finding)

  it.effect("is compared with the peer that is furthest away", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* clock())?.status, "skipped")
      assert.strictEqual((yield* clock(peer("a:1", 900), peer("b:1", -20)))?.status, "ok")
      const [ahead, behind, apart] = yield* Effect.all([
        clock(peer("a:1", 20), peer("b:1", 301_000)),
        clock(peer("a:1", 20), peer("b:1", -301_000)),
        clock(peer("a:1", 20), peer("b:1", 60_000))
      ])
      const steps = /set the clocks of both machines/
      if (ahead === undefined || behind === undefined || apart === undefined) return assert.fail("no finding")
      says(ahead, "failed", /^b:1: a clock is 301 s ahead of ours \(allowed: 300 s\)$/, steps)
      says(behind, "failed", /^b:1: its clock is 301 s behind ours$/, steps)
      says(apart, "warning", /^b:1: its clock is 60 s ahead of ours$/, steps)
      const [west] = yield* Effect.all([clock(peer("b:1", -3_601_500))])
      if (west === undefined) return assert.fail("no finding")
      says(west, "failed", /^b:1: its clock is 1 h behind ours$/, /wrong time zone or daylight saving time/)
    })
  )
})
