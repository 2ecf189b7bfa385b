/**
 * `doctor` on real nodes: every row of the troubleshooting table is provoked, and named in the words of the log and of `peers`,
 * with the next step. And it changes and disturbs nothing.
 */
import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Redacted, Scope } from "effect"
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync
} from "node:fs"
import { createServer as createTlsServer } from "node:tls"
import { dirname, join } from "node:path"
import { NodeId } from "../../src/core/replica/NodeId.ts"
import { deriveKey } from "../../src/core/sync/Handshake.ts"
import { PeerClosed } from "../../src/core/sync/SyncFailure.ts"
import { Config, type TlsFiles } from "../../src/services/node/Config.ts"
import * as PeerProbe from "../../src/services/admin/doctor/PeerProbe.ts"
import { Transport } from "../../src/services/transport/Transport.ts"
import * as WebSocketTransport from "../../src/services/transport/WebSocketTransport.ts"
import type { Finding } from "../../src/services/admin/doctor/Doctor.ts"
import type { PeerStatus } from "../../src/services/node/Status.ts"
import { issue } from "../support/Certificates.ts"
import { directory } from "../support/Directory.ts"
import { LegacyPeer } from "../support/LegacyPeer.ts"
import { needs } from "../support/Needs.ts"
import { type Env, freshHome, type Node, Nodes, run, until } from "../support/Nodes.ts"
import { settings } from "../support/Settings.ts"

const passphrase = "correct horse battery staple"
const quiet: Env = {
  FERAL_SYNC_HOST: "127.0.0.1",
  FERAL_SYNC_PORT: "0",
  FERAL_SYNC_API_PORT: "0",
  FERAL_SYNC_MDNS: "off",
  FERAL_SYNC_PASSPHRASE: passphrase
}

const scope = Effect.runSync(Scope.make())
let ours: TlsFiles
let foreign: TlsFiles
let past: TlsFiles
beforeAll(async () => {
  const make = Effect.gen(function* () {
    const path = yield* directory
    return yield* Effect.all([issue(path, "ours"), issue(path, "foreign"), issue(path, "past", "past")])
  })
  ;[ours, foreign, past] = await Effect.runPromise(make.pipe(Scope.provide(scope)))
}, 120_000)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

let nodes: Nodes
const clean: Array<() => unknown> = []
beforeEach(() => {
  nodes = new Nodes()
})
afterEach(async () => {
  await nodes.dispose()
  for (const remove of clean.splice(0)) await remove()
})

const fresh = (): string => {
  const { home, remove } = freshHome()
  clean.push(remove)
  return home
}

const tls = ({ cert, key, ca }: TlsFiles, env: Env = {}): Env => ({
  FERAL_SYNC_TLS_CERT: cert,
  FERAL_SYNC_TLS_KEY: key,
  FERAL_SYNC_TLS_CA: ca,
  ...env
})

interface Examined {
  readonly code: number
  readonly findings: ReadonlyArray<Finding>
  /** The only finding of a check, or the first that is not ok. */
  readonly of: (check: string) => Finding
}

const doctor = async (home: string, env: Env = {}): Promise<Examined> => {
  const { code, stdout, stderr } = await run(["doctor", "--json", "--home", home], { ...quiet, ...env })
  const findings = JSON.parse(stdout) as ReadonlyArray<Finding>
  const failures = findings.filter(({ status }) => status === "failed").length
  assert.strictEqual(code, failures > 0 ? 1 : 0, stderr)
  if (failures > 0) assert.strictEqual((JSON.parse(stderr) as { readonly _tag: string })._tag, "ChecksFailed")
  else assert.strictEqual(stderr, "")
  const of = (check: string): Finding => {
    const all = findings.filter((finding) => finding.check === check)
    const found = all.find(({ status }) => status !== "ok") ?? all[0]
    if (found === undefined) throw new Error(`${check} is not among ${JSON.stringify(findings)}`)
    return found
  }
  return { code, findings, of }
}

const failure = ({ status, message, next_step }: Finding, words: RegExp, nextStep: RegExp): void => {
  assert.strictEqual(status, "failed", message)
  assert.match(message, words)
  assert.match(next_step ?? "", nextStep)
}

/** The words of the finding are those of `peers` and of the log. */
const saysTheSame = async (node: Node, { message, next_step, facts }: Finding): Promise<void> => {
  const peers = await node.cli<ReadonlyArray<PeerStatus>>("peers")
  const said = peers.map(({ last_error }) => last_error?.message ?? "")
  const problem = message.replace(`${JSON.stringify(facts["address"]).slice(1, -1)}: `, "")
  assert.isTrue(
    said.some((words) => words.startsWith(problem) && words.endsWith(next_step ?? "")),
    message
  )
  assert.isTrue(said.some((words) => node.log.includes(words)))
}

const withError = (node: Node, tag: string) =>
  until(
    "the node says what is wrong",
    () => node.status(),
    ({ peers }) => peers.some(({ last_error }) => last_error?._tag === tag),
    10_000
  )

const files = (home: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(home).map((name) => {
      const { mode, size, mtimeMs } = statSync(join(home, name))
      return [name, `${mode} ${size} ${mtimeMs}`]
    })
  )

describe.skipIf(needs("openssl"))("doctor", () => {
  it("doctor creates nothing on a fresh machine, and finds no problem", async () => {
    const home = fresh()
    const { code, findings } = await doctor(home)
    assert.strictEqual(code, 0)
    assert.isFalse(existsSync(home))
    for (const { status } of findings) assert.include(["ok", "skipped"], status)
  })

  it("changes nothing of a node that does not run", async () => {
    const node = await nodes.make().start()
    await node.cli("note", "add", "kept")
    await node.stop()
    const before = files(node.home)
    const { code, of } = await doctor(node.home)
    assert.strictEqual(code, 0)
    assert.deepStrictEqual(files(node.home), before)
    assert.deepInclude(of("database"), { status: "ok" })
    assert.strictEqual(of("database").facts["node_id"], node.id)
  })

  it("finds two nodes that sync well, and disturbs neither", async () => {
    const server = await nodes.make().start()
    const dialler = await nodes.make({ FERAL_SYNC_PEERS: server.address }).start()
    await until(
      "live",
      () => dialler.status(),
      ({ peers }) => peers[0]?.state === "live"
    )
    await until(
      "live",
      () => server.status(),
      ({ peers }) => peers[0]?.state === "live"
    )
    const [log, peers] = [server.log + dialler.log, (await server.status()).peers]
    for (const node of [server, dialler]) {
      const { code, of } = await doctor(node.home, node.env)
      assert.strictEqual(code, 0)
      assert.deepInclude(of("node"), { status: "ok" })
      assert.deepInclude(of("peer"), { status: "ok" })
      assert.deepInclude(of("clock"), { status: "ok" })
      assert.include(of("sync port").message, `${node.port}, of the running node`)
    }
    // Dialled by someone with an id of its own, and by someone with the id of a peer that is connected.
    const copy = nodes.make()
    await copy.start({ FERAL_SYNC_PEERS: "" })
    await copy.stop()
    const nowhere = fresh()
    for (const home of [nowhere, copy.home]) {
      const { of } = await doctor(home, { FERAL_SYNC_PEERS: server.address })
      assert.deepInclude(of("peer"), { status: "ok" })
      assert.deepInclude(of("peer").facts, { node_id: server.id, protocol: 2, tls: "auto", source: "static" })
      assert.isBelow(Math.abs(Number(of("clock").facts["clock_offset_ms"])), 5_000)
    }
    assert.isFalse(existsSync(nowhere))
    assert.strictEqual(server.log + dialler.log, log)
    const without = (rows: ReadonlyArray<PeerStatus>) => rows.map(({ clock_offset_ms: _, ...rest }) => rest)
    assert.deepStrictEqual(without((await server.status()).peers), without(peers))
  })

  it("a dial with the id of a peer that is connected takes no place", async () => {
    const server = await nodes.make().start()
    const dialler = await nodes.make({ FERAL_SYNC_PEERS: server.address }).start()
    await until(
      "live",
      () => server.status(),
      ({ peers }) => peers[0]?.state === "live"
    )
    const log = server.log + dialler.log
    // A running node that is not told of the peer does not ask itself about it.
    const { of } = await doctor(dialler.home, { FERAL_SYNC_PEERS: `localhost:${server.port}` })
    assert.deepInclude(of("peer"), { status: "ok" })
    assert.strictEqual(server.log + dialler.log, log)
    assert.strictEqual((await server.status()).peers[0]?.state, "live")
  })

  it("mDNS unavailable", async () => {
    const env = { FERAL_SYNC_MDNS: "on", FERAL_SYNC_MDNS_INTERFACE: "192.0.2.77" }
    const node = await nodes.make(env).start()
    const finding = (await doctor(node.home, env)).of("multicast")
    failure(
      finding,
      /^mDNS is unavailable \(no network interface has the name or address 192\.0\.2\.77\)/,
      /UDP 5353 is open/
    )
    assert.include(node.log, finding.message)
    assert.include(node.log, finding.next_step ?? "nothing")
  })

  it("peers are not discovered", async () => {
    const env = { FERAL_SYNC_MDNS: "on", FERAL_SYNC_MDNS_INTERFACE: "127.0.0.1", FERAL_SYNC_MDNS_TIMEOUT: "1" }
    const node = await nodes.make({ ...env, FERAL_SYNC_PEERS: "127.0.0.1:9" }).start()
    await until(
      "fallback",
      () => node.status(),
      ({ discovery }) => discovery.static === "active"
    )
    const { of } = await doctor(node.home, env)
    assert.deepInclude(of("multicast"), { status: "ok" })
    const { status, message, next_step, facts } = of("discovery")
    assert.strictEqual(status, "warning")
    assert.match(message, /^peers are not discovered .*; this node does$/)
    assert.match(next_step ?? "", /open UDP 5353.*FERAL_SYNC_PEERS/)
    assert.strictEqual(facts["self_seen"], true)
    assert.include(node.log, next_step ?? "nothing")
    failure(of("peer"), /127\.0\.0\.1:9 cannot be reached/, /port is open/)
  })

  it("a node that answers by mDNS is examined", async () => {
    const env = { FERAL_SYNC_MDNS: "on", FERAL_SYNC_MDNS_INTERFACE: "127.0.0.1" }
    const node = await nodes.make(env).start()
    const { of } = await doctor(fresh(), { ...env, FERAL_SYNC_PASSPHRASE: "another" })
    assert.deepInclude(of("discovery"), { status: "ok" })
    assert.include(of("discovery").message, node.id)
    failure(of("peer"), /passphrase mismatch, found by/, /FERAL_SYNC_PASSPHRASE/)
    assert.strictEqual(of("peer").facts["source"], "mdns")
  })

  it("passphrase mismatch, and the node that says so", async () => {
    const server = await nodes.make().start()
    const env = { FERAL_SYNC_PEERS: server.address, FERAL_SYNC_PASSPHRASE: "another passphrase" }
    const words = new RegExp(`passphrase mismatch, found by ${server.address}$`)
    const nextStep = /make FERAL_SYNC_PASSPHRASE the same on both nodes/
    failure((await doctor(fresh(), env)).of("peer"), words, nextStep)

    const dialler = await nodes.make(env).start()
    await withError(dialler, "PassphraseMismatch")
    const atDialler = (await doctor(dialler.home, env)).of("peer")
    failure(atDialler, words, nextStep)
    await saysTheSame(dialler, atDialler)
    const atServer = (await doctor(server.home)).of("peer")
    failure(atServer, /passphrase mismatch, found by this node$/, nextStep)
    await saysTheSame(server, atServer)
  })

  it("the variable is unset on one node", async () => {
    const server = await nodes.make().start()
    const env = { FERAL_SYNC_PEERS: server.address }
    const unset = { ...env, FERAL_SYNC_PASSPHRASE: undefined }
    const forgetful = await nodes.make(unset).start()
    await withError(forgetful, "PassphraseMismatch")
    const { of } = await doctor(forgetful.home, unset)
    assert.match(of("passphrase").message, /FERAL_SYNC_PASSPHRASE is not set: this node uses the one that it created/)
    assert.notInclude(JSON.stringify(of("passphrase")), readFileSync(join(forgetful.home, "passphrase"), "utf8").trim())
    failure(of("peer"), /passphrase mismatch/, /a node where it is not set created its own/)
  })

  it.skipIf(needs("websockets", "zeroconf"))("the variable is unset on an existing FERAL node", async () => {
    const peer = new LegacyPeer("newest", ["--passphrase", "", "--no-mdns"])
    clean.push(() => peer.dispose())
    await peer.start()
    const env = { FERAL_SYNC_LEGACY: "on", FERAL_SYNC_PEERS: `plain://127.0.0.1:${peer.port}` }
    const finding = (await doctor(fresh(), env)).of("peer")
    failure(finding, /127\.0\.0\.1:\d+ has no passphrase$/, /set FERAL_SYNC_PASSPHRASE there to the same value as here/)
    const node = await nodes.make(env).start()
    await withError(node, "PassphraseUnset")
    await saysTheSame(node, (await doctor(node.home, env)).of("peer"))
  })

  it.skipIf(needs("websockets", "zeroconf"))("an existing FERAL node, by policy", async () => {
    const peer = new LegacyPeer("early", ["--passphrase", passphrase, "--no-mdns"])
    clean.push(() => peer.dispose())
    await peer.start()
    const env = { FERAL_SYNC_PEERS: `127.0.0.1:${peer.port}` }
    failure((await doctor(fresh(), env)).of("peer"), /existing FERAL nodes without TLS/, /FERAL_SYNC_LEGACY=on/)
    const unnamed = (await doctor(fresh(), { ...env, FERAL_SYNC_LEGACY: "on" })).of("peer")
    failure(unnamed, /existing FERAL nodes and no certificate from a CA/, /plain:\/\/HOST:PORT in FERAL_SYNC_PEERS/)
    const named = { FERAL_SYNC_LEGACY: "on", FERAL_SYNC_PEERS: `plain://127.0.0.1:${peer.port}` }
    const allowed = (await doctor(fresh(), named)).of("peer")
    assert.deepInclude(allowed, { status: "ok" })
    assert.deepInclude(allowed.facts, { protocol: 1, tls: "none" })
    const wrong = { ...named, FERAL_SYNC_PASSPHRASE: "another" }
    failure((await doctor(fresh(), wrong)).of("peer"), /passphrase mismatch, found by 127/, /FERAL_SYNC_PASSPHRASE/)
    assert.strictEqual((await peer.dump()).log.length, 0)
  })

  it("a certificate of another CA", async () => {
    const server = await nodes.make(tls(ours)).start()
    const env = tls(foreign, { FERAL_SYNC_PEERS: server.address })
    const words = /TLS handshake with 127.* failed: untrusted \(.*CN=CA-foreign.*CN=peer-ours, issued by CN=CA-ours\)$/
    const nextStep = /sign both certificates with the same CA/
    failure((await doctor(fresh(), env)).of("peer"), words, nextStep)
    const dialler = await nodes.make(env).start()
    await withError(dialler, "TlsHandshakeFailed")
    const finding = (await doctor(dialler.home, env)).of("peer")
    failure(finding, words, nextStep)
    await saysTheSame(dialler, finding)
    failure((await doctor(server.home, tls(ours))).of("peer"), /untrusted \(.*CN=peer-ours/, nextStep)
    // Of another CA than the one that is configured here.
    const mixed = tls({ ...ours, ca: foreign.ca })
    failure(
      (await doctor(fresh(), mixed)).of("certificates"),
      /CN=peer-ours, issued by CN=CA-ours\) was not signed by/,
      /sign it with that CA/
    )
  })

  it("a certificate that has expired, here and there", async () => {
    const here = (await doctor(fresh(), tls(past))).of("certificates")
    failure(here, /\(CN=peer-past, issued by CN=CA-past\) expired on/, /sign a new one/)

    const [key, cert] = [readFileSync(past.key), readFileSync(past.cert)]
    const expired = createTlsServer({ key, cert }, (socket) => socket.on("error", () => {}).resume())
    clean.push(() => new Promise((resolve) => expired.close(resolve)))
    await new Promise<void>((resolve) => expired.listen(0, "127.0.0.1", resolve))
    const bound = expired.address()
    const port = typeof bound === "object" && bound !== null ? bound.port : 0
    // Both CAs in one file: that of our own certificate, and that of the one that has expired.
    const ca = join(dirname(ours.ca), "both-ca.pem")
    writeFileSync(ca, `${readFileSync(ours.ca, "utf8")}${readFileSync(past.ca, "utf8")}`)
    const env = tls({ ...ours, ca }, { FERAL_SYNC_PEERS: `127.0.0.1:${port}` })
    const there = (await doctor(fresh(), env)).of("peer")
    failure(there, /failed: expired \(.*CN=peer-past, issued by CN=CA-past, valid from/, /sign a new certificate/)
  })

  it("a client certificate is missing", async () => {
    const required = tls(ours, { FERAL_SYNC_REQUIRE_CLIENT_CERT: "true" })
    const server = await nodes.make(required).start()
    const env = { FERAL_SYNC_PEERS: server.address }
    const nextStep = /set FERAL_SYNC_TLS_CERT, _KEY and _CA on the connecting node/
    failure((await doctor(fresh(), env)).of("peer"), /client certificate required/, nextStep)
    failure((await doctor(server.home, required)).of("peer"), /client certificate required/, nextStep)
    const { of } = await doctor(fresh(), { ...required, ...env })
    assert.deepInclude(of("peer"), { status: "ok" })
    assert.strictEqual(of("peer").facts["tls"], "ca")
  })

  it("our own address among the peers, and a copied data directory", async () => {
    const server = await nodes.make().start()
    const own = (await doctor(server.home, { FERAL_SYNC_PEERS: `localhost:${server.port}` })).of("peer")
    assert.strictEqual(own.status, "warning")
    assert.match(`${own.message} ${own.next_step}`, /this address belongs to this node .*FERAL_SYNC_PEERS/)

    const copy = fresh()
    await server.cli("note", "add", "copied")
    mkdirSync(copy, { recursive: true, mode: 0o700 })
    for (const name of ["sync.db", "sync.db-wal"]) copyFileSync(join(server.home, name), join(copy, name))
    const log = server.log
    const finding = (await doctor(copy, { FERAL_SYNC_PEERS: server.address })).of("peer")
    failure(
      finding,
      new RegExp(`another node uses the id ${server.id} too`),
      /stop one of the two and run .*main\.[jt]s identity new/
    )
    assert.strictEqual(server.log, log)
  })

  it("doctor says why a peer refuses it, even after the peer has closed the connection", async () => {
    const server = await nodes.make().start()
    const probed = Effect.gen(function* () {
      const own = settings(yield* directory)
      const context = yield* Layer.build(WebSocketTransport.layer.pipe(Layer.provide(Layer.succeed(Config, own))))
      const real = Context.get(context, Transport)
      const closed = new PeerClosed({ code: 1000, reason: "" })
      const transport = Transport.of({
        ...real,
        // Nothing can be sent once the peer has answered: it closes with the answer.
        dial: (address, ticket) =>
          Effect.map(real.dial(address, ticket), (connection) => {
            let sent = 0
            return {
              ...connection,
              send: (text: string) => (sent++ === 0 ? connection.send(text) : Effect.fail(closed))
            }
          })
      })
      const self = {
        nodeId: NodeId.make(server.id),
        passphrase: Redacted.make(passphrase),
        key: Redacted.make(deriveKey(passphrase))
      }
      const address = { host: "127.0.0.1", port: server.port }
      return yield* Effect.flip(Effect.provideService(PeerProbe.probe(own, self, address), Transport, transport))
    })
    assert.strictEqual((await Effect.runPromise(Effect.scoped(probed)))._tag, "DuplicateNodeId")
  })

  it("shows every problem of the configuration, and looks at what it can", async () => {
    const { findings, of } = await doctor(fresh(), {
      FERAL_SYNC_PORT: "99999",
      FERAL_SYNC_TLS_CERT: "cert.pem",
      FERAL_SYNC_PASPHRASE: "x"
    })
    const said = findings.filter(({ check }) => check === "configuration")
    assert.isTrue(said.some(({ status, message }) => status === "failed" && message.startsWith("FERAL_SYNC_PORT: ")))
    assert.isTrue(said.some(({ status, message }) => status === "failed" && message.includes("FERAL_SYNC_TLS_KEY")))
    assert.isTrue(said.some(({ status, message }) => status === "warning" && message.includes("FERAL_SYNC_PASPHRASE")))
    assert.strictEqual(of("data directory").status, "skipped")
    assert.strictEqual(of("peer").message, "not checked: correct the configuration first")
  })

  it("doctor takes the flags of start, and the passphrase from stdin, and prints a line for each check", async () => {
    const server = await nodes.make().start()
    const { home } = nodes.make()
    const args = [
      "doctor",
      "--home",
      home,
      "--peers",
      server.address,
      "--mdns",
      "off",
      "--api-port",
      "0",
      "--port",
      "0"
    ]
    const { code, stdout, stderr } = await run([...args, "--passphrase-file", "-"], {}, `${passphrase}\n`)
    assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
    assert.match(
      stdout,
      new RegExp(`^✓ peer: ${server.address}: ${server.id} answers, TLS auto, the passphrase is the same`, "m")
    )
    const wrong = await run([...args, "--passphrase-file", "-"], {}, "another\n")
    assert.strictEqual(wrong.code, 1)
    assert.match(wrong.stdout, /^✗ peer: .*passphrase mismatch.*\n {4}→ make FERAL_SYNC_PASSPHRASE the same/m)
    assert.match(wrong.stderr, /1 check failed/)
    const usage = await run(["doctor", "--nonsense"], {})
    assert.strictEqual(usage.code, 2)
  })

  it("others can enter the data directory", async () => {
    const node = nodes.make()
    await node.cli("note", "add", "kept")
    chmodSync(node.home, 0o755)
    const finding = (await doctor(node.home)).of("data directory")
    assert.deepInclude(finding, { status: "warning", next_step: `chmod 700 ${node.home}` })
    assert.strictEqual(statSync(node.home).mode & 0o777, 0o755)
  })
})
