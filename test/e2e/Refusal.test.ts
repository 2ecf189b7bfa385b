/**
 * Certificates and passphrases: who is let in, who is not, and what both sides say about it.
 */
import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it } from "@effect/vitest"
import { Effect, Scope, Exit } from "effect"
import type { TlsFiles } from "../../src/services/node/Config.ts"
import type { PeerStatus } from "../../src/services/node/Status.ts"
import { issue, recipe } from "../support/Certificates.ts"
import { directory } from "../support/Directory.ts"
import { needs } from "../support/Needs.ts"
import { type Env, type Node, Nodes, until } from "../support/Nodes.ts"

const scope = Effect.runSync(Scope.make())
let ours: TlsFiles
let foreign: TlsFiles
beforeAll(async () => {
  const make = Effect.gen(function* () {
    const path = yield* directory
    return [yield* recipe(path), yield* issue(path, "foreign")] as const
  })
  ;[ours, foreign] = await Effect.runPromise(make.pipe(Scope.provide(scope)))
}, 120_000)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

let nodes: Nodes
beforeEach(() => {
  nodes = new Nodes()
})
afterEach(() => nodes.dispose())

const tls = ({ cert, key, ca }: TlsFiles, env: Env = {}): Env => ({
  FERAL_SYNC_TLS_CERT: cert,
  FERAL_SYNC_TLS_KEY: key,
  FERAL_SYNC_TLS_CA: ca,
  ...env
})

const lastError = (node: Node, isGood: (error: NonNullable<PeerStatus["last_error"]>) => boolean) =>
  until(
    "the node says what is wrong",
    () => node.status(),
    ({ peers }) => peers.some(({ last_error }) => last_error !== null && isGood(last_error)),
    8_000
  )

/** Both sides name the failure within seconds, in `peers` and in the log; nothing is exchanged; nobody runs in circles. */
const bothRefuse = async (
  dialler: Node,
  server: Node,
  tag: string,
  [atDialler, atServer]: readonly [RegExp, RegExp]
): Promise<void> => {
  await lastError(dialler, ({ _tag, message }) => _tag === tag && atDialler.test(message))
  await lastError(server, ({ _tag, message }) => _tag === tag && atServer.test(message))
  assert.match(dialler.log, atDialler)
  assert.match(server.log, atServer)
  const counts = await Promise.all([dialler.status(), server.status()])
  assert.deepStrictEqual(
    counts.map((status) => status.counts.notes),
    [1, 1]
  )
  for (const { peers } of counts) assert.isFalse(peers.some(({ state }) => state === "live" || state === "syncing"))
  assert.strictEqual((await dialler.cli<ReadonlyArray<PeerStatus>>("peers"))[0]?.state, "refused")
  // A refused peer is not dialled again at once: the log holds the failure once, not once for each try.
  const said = dialler.log.split("\n").filter((line) => atDialler.test(line)).length
  assert.isAtMost(said, 2)
}

const pair = async (serverEnv: Env, diallerEnv: Env): Promise<readonly [Node, Node]> => {
  const server = await nodes.make(serverEnv).start()
  const dialler = await nodes.make({ ...diallerEnv, FERAL_SYNC_PEERS: server.address }).start()
  await Promise.all([
    server.cli("note", "add", "secret of the server"),
    dialler.cli("note", "add", "secret of the dialler")
  ])
  return [dialler, server]
}

describe.skipIf(needs("openssl"))("the client that is accepted", () => {
  it("certificates of the openssl recipe, with client certificates required", async () => {
    const required = tls(ours, { FERAL_SYNC_REQUIRE_CLIENT_CERT: "true" })
    const [dialler, server] = await pair(required, required)
    for (const node of [dialler, server]) {
      const status = await until(
        "both notes are there",
        () => node.status(),
        ({ counts }) => counts.notes === 2
      )
      assert.strictEqual(status.tls, "ca")
      assert.deepInclude(status.peers[0], { state: "live", tls: "ca", last_error: null })
    }
  })

  it("not with another passphrase", async () => {
    const [dialler, server] = await pair({}, { FERAL_SYNC_PASSPHRASE: "another passphrase" })
    await bothRefuse(dialler, server, "PassphraseMismatch", [/passphrase mismatch/, /passphrase mismatch/])
  })

  it("not with a certificate of another CA", async () => {
    const [dialler, server] = await pair(tls(ours), tls(foreign))
    await bothRefuse(dialler, server, "TlsHandshakeFailed", [/untrusted.*same CA/, /untrusted.*same CA/])
  })

  it("not without a client certificate where one is required", async () => {
    const [dialler, server] = await pair(tls(ours, { FERAL_SYNC_REQUIRE_CLIENT_CERT: "true" }), {})
    await bothRefuse(dialler, server, "TlsHandshakeFailed", [
      /client certificate required.*FERAL_SYNC_TLS_CERT/,
      /client certificate required/
    ])
  })

  it("no operation leaves before both sides have proved themselves", async () => {
    const [dialler, server] = await pair(
      { FERAL_SYNC_LOG_LEVEL: "debug" },
      { FERAL_SYNC_LOG_LEVEL: "debug", FERAL_SYNC_PASSPHRASE: "another passphrase" }
    )
    await lastError(dialler, ({ _tag }) => _tag === "PassphraseMismatch")
    for (const node of [dialler, server]) assert.notInclude(node.log, "operations sent")
    for (const secret of ["correct horse battery staple", "another passphrase"]) {
      assert.notInclude(dialler.log + server.log, secret)
    }
  })
})
