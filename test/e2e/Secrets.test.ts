/**
 * Passphrase, keys and proofs show nowhere: not in a log at debug level, not in an answer, an error or a command line, not in
 * the database. Everything that comes out of a full run, good and bad, is searched for them in every form.
 */
import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Redacted, Scope } from "effect"
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { deriveKey } from "../../src/core/sync/Handshake.ts"
import { NodeId } from "../../src/core/replica/NodeId.ts"
import { Config, type TlsFiles } from "../../src/services/node/Config.ts"
import * as PeerProbe from "../../src/services/admin/doctor/PeerProbe.ts"
import { Transport } from "../../src/services/transport/Transport.ts"
import { issue } from "../support/Certificates.ts"
import { directory } from "../support/Directory.ts"
import { LegacyPeer } from "../support/LegacyPeer.ts"
import { needs } from "../support/Needs.ts"
import { type Env, type Finished, type Node, Nodes, run, until } from "../support/Nodes.ts"
import { settings } from "../support/Settings.ts"
import * as WebSocketTransport from "../../src/services/transport/WebSocketTransport.ts"

/** With characters that JSON, URLs and shells write in another way. */
const passphrase = 'Korrekt "Pferd" & Bätterie/+=%'
const wrong = 'Falsches "Pferd" & Klammer\\/+=%'

const scope = Effect.runSync(Scope.make())
let ours: TlsFiles
let foreign: TlsFiles
beforeAll(async () => {
  const make = Effect.gen(function* () {
    const path = yield* directory
    return yield* Effect.all([issue(path, "ours"), issue(path, "foreign")])
  })
  ;[ours, foreign] = await Effect.runPromise(make.pipe(Scope.provide(scope)))
}, 120_000)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

let nodes: Nodes
let heard: Map<string, string>
let secrets: Map<string, string>
const clean: Array<() => Promise<unknown>> = []
beforeEach(() => {
  nodes = new Nodes()
  heard = new Map()
  secrets = new Map()
})
afterEach(async () => {
  await nodes.dispose()
  await Promise.all(clean.splice(0).map((remove) => remove()))
})

/** A secret in every form in which it could be written. */
const keep = (name: string, secret: string | Uint8Array): void => {
  const bytes = Buffer.from(secret)
  const forms: Record<string, string> = {
    base64: bytes.toString("base64").replace(/=+$/, ""),
    base64url: bytes.toString("base64url"),
    hex: bytes.toString("hex"),
    HEX: bytes.toString("hex").toUpperCase(),
    bytes: [...bytes].join(",")
  }
  if (typeof secret === "string") {
    forms["plain"] = secret
    forms["JSON"] = JSON.stringify(secret).slice(1, -1)
    forms["URL"] = encodeURIComponent(secret)
  }
  for (const [form, text] of Object.entries(forms)) secrets.set(`${name} as ${form}`, text)
}

const keepPassphrase = (name: string, text: string): void => {
  keep(name, text)
  keep(`${name}, its key`, deriveKey(text))
}

const keepPem = (name: string, file: string): void => {
  const body = readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("-----"))
  assert.isAbove(body.length, 1)
  for (const [index, line] of body.entries()) secrets.set(`${name}, line ${index + 1}`, line)
  keep(`${name} as DER`, Buffer.from(body.join(""), "base64"))
}

/** 32 bytes in base64url or hex: what a proof, a nonce, a key or a binding looks like, whoever made it. */
const looksSecret = /(?<![\w-])(?:[\w-]{43}|[0-9a-fA-F]{64})(?![\w-])/

const assertSilent = (): void => {
  for (const [source, text] of heard) {
    for (const [name, secret] of secrets) assert.isFalse(text.includes(secret), `${name} shows in ${source}`)
    // In a database, values stand side by side, and look like anything.
    const found = source.includes("sync.db") ? null : looksSecret.exec(text)
    assert.isNull(
      found,
      `${source} shows ${found?.[0]}: ${text.slice(Math.max(0, (found?.index ?? 0) - 200), (found?.index ?? 0) + 60)}`
    )
  }
}

const debug: Env = { FERAL_SYNC_LOG_LEVEL: "debug", FERAL_SYNC_API_PORT: "0" }

/** Every command; the first ones look at the node. */
const commands: ReadonlyArray<ReadonlyArray<string>> = [
  ["status"],
  ["peers"],
  ["doctor"],
  ["note", "add", "a note"],
  ["note", "list"],
  ["note", "delete", "nothing"],
  ["fact", "set", "s", "p", "o"],
  ["fact", "list"],
  ["episode", "add", "--session", "s", "--type", "t", "--summary", "x"],
  ["episode", "list"],
  ["log", "append", "--session", "s", "--skill", "k", "--endpoint", "e", "--status", "ok"],
  ["log", "list"],
  ["start"],
  ["start", "--port", "nonsense"]
]

const hear = (source: string, { stdout, stderr }: Pick<Finished, "stdout" | "stderr">): void => {
  heard.set(source, `${heard.get(source) ?? ""}${stdout}${stderr}`)
}

const runAll = async (
  name: string,
  node: Node,
  format: ReadonlyArray<string>,
  env: Env = {},
  some: typeof commands = commands
): Promise<void> => {
  for (const command of some) {
    const args = [...command, ...format, "--home", node.home]
    // A node that does not run would start: it is given an address that is not of this machine.
    const blocked = command[0] === "start" ? { FERAL_SYNC_HOST: "192.0.2.1" } : {}
    const all = { ...debug, FERAL_SYNC_MDNS: "off", ...node.env, ...env, ...blocked }
    hear(`${name}: ${args.join(" ")}`, await run(args, all))
  }
}

const hearNode = (name: string, node: Node): void => {
  heard.set(`${name}: log`, node.log)
  heard.set(`${name}: stdout`, node.out)
  heard.set(`${name}: command line`, readFileSync(`/proc/${node.pid}/cmdline`, "utf8"))
}

/** What a node keeps, but for the files that are secrets: nobody else can read those. */
const hearFiles = (name: string, { home }: Node): void => {
  assert.strictEqual(statSync(home).mode & 0o777, 0o700)
  for (const file of readdirSync(home)) {
    const { mode } = statSync(join(home, file))
    assert.strictEqual(mode & 0o077, 0, file)
    if (["passphrase", "tickets", "token", "tls-key.pem", "feral-sync.sock", "tls-cert.pem"].includes(file)) continue
    heard.set(`${name}: ${file}`, readFileSync(join(home, file), "latin1"))
  }
}

const withError = (node: Node, tag: string) =>
  until(
    tag,
    () => node.status(),
    ({ peers }) => peers.some(({ last_error }) => last_error?._tag === tag),
    10_000
  )

/** Shakes hands with a node from this process, and keeps what is said. */
const shakeHands = (port: number, text: string): Promise<ReadonlyArray<string>> => {
  const said: Array<string> = []
  const shake = Effect.gen(function* () {
    const home = yield* directory
    const own = settings(home, { port })
    const context = yield* Layer.build(WebSocketTransport.layer.pipe(Layer.provide(Layer.succeed(Config, own))))
    const real = Context.get(context, Transport)
    const recording = Transport.of({
      ...real,
      dial: (address, ticket) =>
        Effect.map(real.dial(address, ticket), (connection) => {
          said.push(connection.nonces.dialler, connection.nonces.server)
          keep(`channel binding ${secrets.size}`, Redacted.value(connection.binding))
          return {
            ...connection,
            send: (frame: string) => Effect.suspend(() => (said.push(frame), connection.send(frame)))
          }
        })
    })
    const self = {
      nodeId: NodeId.make("somebody"),
      passphrase: Redacted.make(text),
      key: Redacted.make(deriveKey(text))
    }
    yield* Effect.exit(
      Effect.provideService(PeerProbe.probe(own, self, { host: "127.0.0.1", port }), Transport, recording)
    )
  })
  return Effect.runPromise(Effect.scoped(shake)).then(() => said)
}

describe.skipIf(needs("openssl", "websockets", "zeroconf"))("secrets show nowhere", () => {
  it("the search finds what it is to find", () => {
    keepPassphrase("passphrase", passphrase)
    assert.strictEqual(Buffer.from(deriveKey(passphrase)).toString("base64url").length, 43)
    for (const text of secrets.values()) {
      heard.set("a log", `before ${text} after`)
      assert.throws(assertSilent)
    }
  })

  it("in a run at debug level, some logged as text and some as JSON", { timeout: 240_000 }, async () => {
    keepPassphrase("passphrase", passphrase)
    keepPassphrase("another passphrase", wrong)
    keepPem("key of our CA's certificate", ours.key)
    keepPem("key of a foreign certificate", foreign.key)
    const env = { ...debug, FERAL_SYNC_LOG: "pretty", FERAL_SYNC_INTERVAL: "1" }
    // Of each connection that fails, one side.
    const asJson = { FERAL_SYNC_LOG: "json" }

    // From the environment, from a file with the end of a line, and from standard input.
    const server = await nodes.make({ ...env, FERAL_SYNC_PASSPHRASE: passphrase, FERAL_SYNC_LEGACY: "on" }).start()
    const peers = { FERAL_SYNC_PEERS: server.address }
    const fromFile = nodes.make({ ...env, ...asJson, ...peers })
    const given = join(await Effect.runPromise(directory.pipe(Scope.provide(scope))), "given")
    writeFileSync(given, `${passphrase}\n`, { mode: 0o600 })
    const unset = { FERAL_SYNC_PASSPHRASE: "" }
    await fromFile.start(unset, ["--passphrase-file", given])
    const fromStdin = await nodes
      .make({ ...env, ...peers })
      .start(unset, ["--passphrase-file", "-"], `${passphrase}\r\n`)
    const isLive = (node: Node) =>
      until(
        "live",
        () => node.status(),
        ({ peers }) => peers.some(({ state }) => state === "live")
      )
    await Promise.all([isLive(fromFile), isLive(fromStdin)])

    // Handshakes that fail: another passphrase, none, another CA, the wire of existing nodes.
    const mismatched = await nodes.make({ ...env, ...asJson, ...peers, FERAL_SYNC_PASSPHRASE: wrong }).start()
    await withError(mismatched, "PassphraseMismatch")
    const tls = (files: TlsFiles): Env => ({
      FERAL_SYNC_TLS_CERT: files.cert,
      FERAL_SYNC_TLS_KEY: files.key,
      FERAL_SYNC_TLS_CA: files.ca
    })
    const certified = await nodes.make({ ...env, ...asJson, ...tls(ours), FERAL_SYNC_PASSPHRASE: passphrase }).start()
    const untrusted = await nodes
      .make({ ...env, ...tls(foreign), FERAL_SYNC_PEERS: certified.address, FERAL_SYNC_PASSPHRASE: passphrase })
      .start()
    await withError(untrusted, "TlsHandshakeFailed")
    const dials = (text: string) => ["--passphrase", text, "--no-mdns", "--peers", server.address, "--interval", "1"]
    const old = [new LegacyPeer("newest", dials(passphrase)), new LegacyPeer("early", dials(wrong))]
    for (const peer of old) {
      clean.push(() => peer.dispose())
      await peer.start()
    }
    const visits = (tag: string) =>
      until(
        tag,
        () => server.status(),
        ({ peers }) => peers.some(({ last_error }) => last_error?._tag === tag)
      )
    await visits("PassphraseMismatch")
    await until(
      "exchanged",
      () => Promise.resolve(old[0]?.exchanges.length ?? 0),
      (count) => count > 0
    )

    // Handshakes whose every word is known.
    for (const text of [passphrase, wrong]) {
      const said = await shakeHands(server.port, text)
      const proofs = said.flatMap((word) => /"proof":"([\w-]{43})"/.exec(word)?.[1] ?? [])
      assert.strictEqual(proofs.length, 1)
      for (const [index, word] of [...said.slice(0, 2), ...proofs].entries())
        keep(`word ${index} of the handshake with ${text}`, word)
    }

    const looking = commands.slice(0, 3)
    await runAll("running", server, ["--json"])
    await runAll("running", server, [], {}, looking)
    await runAll("running, not told the passphrase", fromStdin, [], {}, looking)
    await runAll("not told the right passphrase", mismatched, ["--json"], {}, looking)
    const all = { server, fromFile, fromStdin, mismatched, certified, untrusted }
    for (const [name, node] of Object.entries(all)) {
      heard.set(`${name}: status`, JSON.stringify(await node.status()))
      hearNode(name, node)
    }
    await fromStdin.stop()
    await runAll("stopped", fromStdin, [], peers)
    for (const [name, node] of Object.entries(all)) {
      await node.stop()
      heard.set(`${name}: log`, node.log)
      hearFiles(name, node)
    }
    // The one that was never told a passphrase has made one, if it was asked to start.
    for (const { home } of Object.values(all)) {
      for (const file of readdirSync(home)) {
        if (file === "token") keep(`token of ${home}`, readFileSync(join(home, file), "utf8").trim())
        if (file === "tls-key.pem") keepPem(`key of ${home}`, join(home, file))
        if (file === "passphrase")
          keepPassphrase(`passphrase of ${home}`, readFileSync(join(home, file), "utf8").trim())
        // What it got from the others, and shows to nobody but them.
        if (file === "tickets") {
          const tickets = JSON.parse(readFileSync(join(home, file), "utf8")) as ReadonlyArray<readonly [string, string]>
          for (const [owner, ticket] of tickets) keep(`ticket of ${home} for ${owner}`, ticket.split(".")[1] ?? ticket)
        }
      }
    }
    assert.include(mismatched.log, '"level":"DEBUG"')
    assert.include(server.log, "DEBUG")
    assert.isAbove(secrets.size, 100)
    assert.isAbove(heard.size, 60)
    assertSilent()
  })

  it("a passphrase on the command line is not taken", async () => {
    const { code, stdout, stderr } = await run(["start", "--passphrase", passphrase])
    assert.strictEqual(code, 2)
    assert.notInclude(stdout + stderr, passphrase)
  })
})
