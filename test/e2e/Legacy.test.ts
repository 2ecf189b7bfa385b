/**
 * Networks of our nodes and existing FERAL nodes, the latter in another language, all as real processes.
 */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import type { Note } from "../../src/core/replica/Row.ts"
import { recipe } from "../support/Certificates.ts"
import { directory } from "../support/Directory.ts"
import { LegacyPeer } from "../support/LegacyPeer.ts"
import { needs } from "../support/Needs.ts"
import { type Env, type Node, Nodes, until } from "../support/Nodes.ts"

const passphrase = "correct horse battery staple"
const open: Env = { FERAL_SYNC_LEGACY: "on", FERAL_SYNC_INTERVAL: "1" }

let nodes: Nodes
let peers: Array<LegacyPeer>
beforeEach(() => {
  nodes = new Nodes()
  peers = []
})
afterEach(async () => {
  await nodes.dispose()
  await Promise.all(peers.map((peer) => peer.dispose()))
})

const legacy = (generation: "early" | "newest", ...args: ReadonlyArray<string>): LegacyPeer => {
  const peer = new LegacyPeer(generation, ["--passphrase", passphrase, "--no-mdns", ...args])
  peers.push(peer)
  return peer
}

const note = (content: string) => ({ content, tags: "[]", importance: "normal", source: "user", created_at: 1 })

const holds = (node: Node, count: number, timeoutMs = 30_000) =>
  until(
    `${count} notes`,
    () => node.status(),
    ({ counts }) => counts.notes === count,
    timeoutMs
  )

const logHolds = (peer: LegacyPeer, count: number, timeoutMs = 30_000) =>
  until(
    `${count} operations`,
    () => peer.dump(),
    ({ log }) => log.length === count,
    timeoutMs
  )

describe.skipIf(needs("websockets", "zeroconf", "openssl"))("existing FERAL nodes", () => {
  for (const generation of ["early", "newest"] as const) {
    it(`a node of the ${generation} generation is dialled, and both sides hold everything`, async () => {
      const scopes = generation === "newest" ? ["--scopes", "family"] : []
      const peer = await legacy(generation, ...scopes).start()
      await peer.write("notes", "theirs", { id: "theirs", ...note("from an old node") })
      const node = await nodes
        .make({ ...open, FERAL_SYNC_LEGACY_SCOPE: "family", FERAL_SYNC_PEERS: `plain://127.0.0.1:${peer.port}` })
        .start()
      await node.cli("note", "add", "from ours")
      await holds(node, 2)
      await logHolds(peer, 2)
      // The rows are there before the exchange is over.
      const { peers: shown } = await until(
        "the exchange is over",
        () => node.status(),
        ({ peers: [first] }) => first?.state === "live"
      )
      assert.deepInclude(shown[0], { node_id: peer.id, protocol: 1, state: "live", tls: "none", last_error: null })
      // Both have shown their clocks: further exchanges carry nothing.
      const before = peer.exchanges.length
      await until(
        "two more exchanges",
        async () => peer.exchanges.length,
        (count) => count >= before + 3
      )
      assert.deepStrictEqual(
        peer.exchanges.slice(-2).map(({ sent_ops, received_ops }) => [sent_ops, received_ops]),
        [
          [0, 0],
          [0, 0]
        ]
      )
    })

    it(`a node of the ${generation} generation dials several of ours`, async () => {
      const [a, b] = [await nodes.make(open).start(), await nodes.make(open).start()]
      const scopes = generation === "newest" ? ["--scopes", "family"] : []
      const peer = legacy(generation, ...scopes, "--interval", "1", "--peers", `${a.address},${b.address}`)
      await peer.start()
      await peer.write("notes", "n1", { id: "n1", ...note("one") })
      await a.cli("note", "add", "two")
      if (generation === "early") {
        // The two of ours meet only through the old one.
        await Promise.all([holds(a, 2), holds(b, 2)])
      } else await Promise.all([holds(a, 2), holds(b, 1)])
    })
  }

  it("a history of 50,000 operations goes to an early node in frames that it takes, and comes back from it", async () => {
    // Without a file for its log: it would be written after every exchange.
    const peer = await legacy("early", "--state", "").start()
    const node = nodes.make({ ...open, FERAL_SYNC_PEERS: `plain://127.0.0.1:${peer.port}` })
    await node.seed(50_000, 1)
    await node.start()
    await until(
      "all of it is there",
      async () => peer.exchanges.reduce((sum, { received_ops }) => sum + received_ops, 0),
      (count) => count >= 50_000,
      90_000
    )
    assert.isAtLeast(peer.exchanges.length, 10)
    assert.isTrue(peer.exchanges.every(({ largest_frame_in }) => largest_frame_in < 1024 * 1024))
    // Another node of ours gets all of it from the old one, in the single frame that it sends: it stays below the 16 MiB that we take.
    const other = await nodes.make({ ...open, FERAL_SYNC_PEERS: `plain://127.0.0.1:${peer.port}` }).start()
    await holds(other, 50_000, 60_000)
  }, 180_000)

  it("a restart of the old node in the middle loses nothing", async () => {
    const peer = await legacy("early").start()
    const node = await nodes.make({ ...open, FERAL_SYNC_PEERS: `plain://127.0.0.1:${peer.port}` }).start()
    await peer.write("notes", "before", { id: "before", ...note("before") })
    await node.cli("note", "add", "ours")
    await holds(node, 2)
    await logHolds(peer, 2)
    await peer.stop()
    await peer.start()
    await peer.write("notes", "after", { id: "after", ...note("after") })
    await node.cli("note", "add", "ours again")
    await holds(node, 4)
    await logHolds(peer, 4)
  })

  it("malformed operations are set aside one by one", async () => {
    const peer = await legacy("early").start()
    await peer.write("notes", "a", { id: "a", ...note("a") })
    peer.inject({
      op_id: "broken",
      table: "notes",
      op_type: "insert",
      row_id: "x",
      data: "no object",
      hlc: "9999:0:z",
      origin_node: "z",
      timestamp: 1
    })
    await peer.write("notes", "b", { id: "b", ...note("b") })
    const node = await nodes.make({ ...open, FERAL_SYNC_PEERS: `plain://127.0.0.1:${peer.port}` }).start()
    const { counts } = await holds(node, 2)
    assert.strictEqual(counts.quarantine, 1)
  })

  it("a wrong passphrase is refused at both ends", async () => {
    const peer = await legacy("early", "--passphrase", "another").start()
    const node = await nodes.make({ ...open, FERAL_SYNC_PEERS: `plain://127.0.0.1:${peer.port}` }).start()
    await until(
      "the mismatch is shown",
      () => node.status(),
      ({ peers: [first] }) => first?.last_error?._tag === "PassphraseMismatch"
    )
    const dialler = legacy("early", "--passphrase", "another", "--interval", "1", "--peers", node.address)
    await dialler.start()
    await until(
      "the visitor is shown",
      () => node.status(),
      ({ peers }) =>
        peers.some(({ source, last_error }) => source === "inbound" && last_error?._tag === "PassphraseMismatch")
    )
  })

  it("an empty passphrase is never accepted", async () => {
    const node = await nodes.make(open).start()
    await node.cli("note", "add", "secret")
    const dialler = legacy("early", "--passphrase", "", "--interval", "1", "--peers", node.address)
    await dialler.start()
    await until(
      "the visitor is shown",
      () => node.status(),
      ({ peers }) => peers.some(({ last_error }) => last_error?._tag === "PassphraseUnset")
    )
    assert.deepStrictEqual((await dialler.dump()).log, [])
  })

  it("without TLS they are refused by default, and the reason says what would have leaked", async () => {
    const peer = await legacy("early").start()
    const node = await nodes.make({ FERAL_SYNC_PEERS: `127.0.0.1:${peer.port}` }).start()
    await node.cli("note", "add", "secret")
    const isRefused = ({
      last_error
    }: {
      readonly last_error: { readonly _tag: string; readonly message: string } | null
    }) => last_error?._tag === "LegacyRefused" && /in clear.*FERAL_SYNC_LEGACY=on/.test(last_error.message)
    await until(
      "the refusal is shown",
      () => node.status(),
      ({ peers: shown }) => shown.some(isRefused)
    )
    const dialler = legacy("early", "--interval", "1", "--peers", node.address)
    await dialler.start()
    await until(
      "the refusal of the visitor is shown",
      () => node.status(),
      ({ peers: shown }) => shown.some((shown) => shown.source === "inbound" && isRefused(shown))
    )
    assert.deepStrictEqual((await peer.dump()).log, [])
  })

  it("inside TLS with one CA they are let in by default", async () => {
    const scope = Effect.runSync(Scope.make())
    const files = await Effect.runPromise(Effect.flatMap(directory, recipe).pipe(Scope.provide(scope)))
    const tls = { FERAL_SYNC_TLS_CERT: files.cert, FERAL_SYNC_TLS_KEY: files.key, FERAL_SYNC_TLS_CA: files.ca }
    const flags = ["--tls-cert", files.cert, "--tls-key", files.key, "--tls-ca", files.ca]
    const peer = await legacy("early", ...flags).start()
    await peer.write("notes", "n", { id: "n", ...note("over TLS") })
    const node = await nodes.make({ ...tls, FERAL_SYNC_PEERS: `127.0.0.1:${peer.port}` }).start()
    await holds(node, 1)
    const [{ content } = { content: "" }] = await node.cli<ReadonlyArray<Note>>("note", "list")
    assert.strictEqual(content, "over TLS")
    assert.deepInclude((await node.status()).peers[0], { protocol: 1, tls: "ca" })
    const dialler = legacy("early", ...flags, "--interval", "1", "--peers", node.address)
    await dialler.start()
    await dialler.write("notes", "m", { id: "m", ...note("dialled over TLS") })
    await holds(node, 2)
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })

  it("an old node is found by mDNS, and a network of all kinds ends with every operation at every node of ours", async () => {
    const mdns = { FERAL_SYNC_MDNS: "on", FERAL_SYNC_MDNS_INTERFACE: "127.0.0.1" }
    const olds = await Promise.all(
      (["early", "early", "newest"] as const).map((generation) => {
        const peer = new LegacyPeer(generation, [
          "--passphrase",
          passphrase,
          "--mdns",
          "--mdns-interface",
          "127.0.0.1",
          "--interval",
          "2",
          ...(generation === "newest" ? ["--scopes", "family"] : [])
        ])
        peers.push(peer)
        return peer.start()
      })
    )
    // What is found is dialled in clear where it is named as plain, and nowhere else.
    const named = { FERAL_SYNC_PEERS: olds.map(({ port }) => `plain://127.0.0.1:${port}`).join(",") }
    const ours = await Promise.all(
      [0, 1].map(() => nodes.make({ ...open, ...mdns, ...named, FERAL_SYNC_LEGACY_SCOPE: "family" }).start())
    )
    // Writes everywhere, while one after the other is cut off and comes back: the network loses a member in every round.
    for (let n = 0; n < 6; n++) {
      for (const [index, peer] of olds.entries()) {
        const id = `old-${index}-${n}`
        await peer.write("notes", id, { id, ...note(id) })
      }
      await Promise.all(ours.map((node, index) => node.cli("note", "add", `ours ${index} ${n}`)))
      const [lost, cut] = [olds[n % 3], ours[n % 2]]
      if (n % 2 === 0) {
        await lost?.stop()
        await ours[0]?.cli("note", "add", `while ${n} is away`)
        await lost?.start()
      } else {
        await cut?.stop(n === 1 ? "SIGKILL" : "SIGTERM")
        await cut?.cli("note", "add", `written offline ${n}`)
        await cut?.start()
      }
    }
    const written = 6 * 3 + 6 * 2 + 6
    for (const node of ours) await holds(node, written, 60_000)
  }, 120_000)
})
