/**
 * A network of our nodes and existing FERAL nodes of both generations, with everything in it that Python takes for granted and
 * JSON, or this program, does not: it ends equal, row by row, and then it is quiet.
 *
 * `FERAL_FAULTS=full` makes the histories as long as they get.
 */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import type { Note } from "../../src/core/replica/Row.ts"
import { type Exchanged, LegacyPeer } from "../support/LegacyPeer.ts"
import { needs } from "../support/Needs.ts"
import { type Env, type Node, Nodes, run, until } from "../support/Nodes.ts"

const isFull = process.env["FERAL_FAULTS"] === "full"
const passphrase = "correct horse battery staple"
const open: Env = { FERAL_SYNC_LEGACY: "on", FERAL_SYNC_INTERVAL: "1", FERAL_SYNC_LEGACY_SCOPE: "family" }

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

const existing = (generation: "early" | "newest", ...args: ReadonlyArray<string>): LegacyPeer => {
  const peer = new LegacyPeer(generation, ["--passphrase", passphrase, "--no-mdns", "--node-id", generation, ...args])
  peers.push(peer)
  return peer
}

const dialling = (...to: ReadonlyArray<{ readonly port: number }>): Env => ({
  ...open,
  FERAL_SYNC_PEERS: to.map(({ port }) => `plain://127.0.0.1:${port}`).join()
})

const note = (id: string, content = id) => ({ id, content, tags: "[]", importance: "normal", source: "user" })

const contents = async (node: Node): Promise<Readonly<Record<string, string>>> => {
  const rows = await node.cli<ReadonlyArray<Note>>("note", "list")
  return Object.fromEntries(rows.map(({ id, content }) => [id, content]))
}

const contentsOf = async (peer: LegacyPeer): Promise<Readonly<Record<string, string>>> => {
  const { rows } = await peer.dump()
  return Object.fromEntries(
    Object.values(rows["notes"] ?? {}).map((row) => {
      const { id, content } = row as { readonly id: string; readonly content: string }
      return [id, content]
    })
  )
}

type Held = Readonly<Record<string, string>>

/** The rows that two nodes do not hold alike. */
const differences = (name: string, one: Held, other: Held): ReadonlyArray<string> =>
  [...new Set([...Object.keys(one), ...Object.keys(other)])]
    .filter((id) => one[id] !== other[id])
    .map((id) => `${name}: ${id}`)

const errorsOf = async (node: Node): Promise<ReadonlyArray<string | undefined>> =>
  (await node.status()).peers.map(({ last_error }) => last_error?._tag)

const carried = ({ sent_ops, received_ops }: Exchanged): number => sent_ops + received_ops

/** Waits until the next `count` exchanges of a peer carry nothing, and returns the bytes of them together. */
const quiet = async (peer: LegacyPeer, count: number, timeoutMs = 60_000): Promise<number> => {
  const last = await until(
    `${count} exchanges that carry nothing`,
    async () => peer.exchanges.slice(-count),
    (last) => last.length === count && last.every((one) => one.ok && carried(one) === 0),
    timeoutMs
  )
  return last.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** Bytes a minute of exchanges that take so many bytes together, at the default interval of 30 s, between so many pairs. */
const perMinute = (bytes: number, exchanges: number, pairs: number): number => (bytes / exchanges) * 2 * pairs

describe.skipIf(needs("websockets", "zeroconf"))("a mixed network", () => {
  it("ours, an early node, ours: all of it goes through, and then nothing more, also after a restart of the quiet one", async () => {
    const rows = isFull ? 50_000 : 5_000
    const early = await existing("early").start()
    const [a, b] = [nodes.make(dialling(early)), nodes.make(dialling(early))]
    await a.seed(rows, 1)
    await a.start()
    await b.start()
    const isThere = ({ counts }: { readonly counts: { readonly notes: number } }) => counts.notes === rows
    await until("the rows are at the other end", () => b.status(), isThere, 120_000)
    const idle = await quiet(early, 8)
    assert.isBelow(perMinute(idle, 8, 2), 100_000)
    assert.isBelow(idle, 8 * 2_000)
    await early.stop()
    const before = early.exchanges.length
    await early.start()
    // Each of ours asks it for everything once, and gives it everything once.
    const after = await quiet(early, 8, 120_000)
    assert.isBelow(perMinute(after, 8, 2), 100_000)
    const whole = early.exchanges.slice(before).filter(({ sent_ops }) => sent_ops >= rows)
    assert.isAtMost(whole.length, 2)
    for (const node of [a, b])
      await until(
        "it is well",
        () => errorsOf(node),
        ([tag]) => tag === undefined,
        60_000
      )
    assert.deepStrictEqual((await a.status()).digest, (await b.status()).digest)
  }, 300_000)

  it("what one side cannot read or take stops nothing else, and all that can be equal ends equal", async () => {
    const early = await existing("early").start()
    const newest = await existing("newest", "--scopes", "family").start()
    const a = nodes.make(dialling(early, newest))
    await a.seed(1, 1, 0, 1_200_000)
    await a.start()
    const b = await nodes.make({ ...open, FERAL_SYNC_PEERS: a.address }).start()

    for (const odd of ["nan", "infinity", "-infinity", "deep", "digits", "-0.0"]) {
      await early.writeOdd(odd, note(odd), { odd })
      await early.write("notes", `after ${odd}`, note(`after ${odd}`))
    }
    await newest.writeOdd("withheld", note("withheld"), { scope: "work" })
    await newest.write("notes", "shared", note("shared"))
    await a.cli("note", "add", "small, after the large one")
    const isHere = (id: string) => (held: Readonly<Record<string, string>>) => id in held
    for (const id of ["after -0.0", "shared"]) await until(`${id} comes`, () => contents(b), isHere(id), 30_000)

    // Integers and zeros as they were, at the other kind of node.
    const texts = await until(
      "the digits arrive",
      async () => (await newest.dump()).texts["notes"] ?? {},
      (texts) => "digits" in texts && "-0.0" in texts,
      30_000
    )
    assert.include(texts["digits"], "12345678901234567891")
    assert.match(texts["-0.0"] ?? "", /-0\.0\}?/)
    assert.include((await run(["export", "-", "--home", b.home], b.env)).stdout, "12345678901234567891")

    // A scope that is granted late.
    assert.notProperty(await contents(a), "withheld")
    await newest.grant("work")
    await until("what was withheld comes", () => contents(b), isHere("withheld"), 45_000)
    // The clock of the early one has passed it already.
    await until("it goes on to the early one", () => contentsOf(early), isHere("withheld"), 30_000)

    const { last_error: named } = await until(
      "the large row is named",
      async () => (await a.status()).peers.find(({ node_id }) => node_id === "early") ?? { last_error: null },
      ({ last_error }) => last_error?._tag === "RowsTooLarge",
      30_000
    )
    assert.match(named?.message ?? "", /1 row is larger than .*\(notes .*split these rows/)
    assert.match((await run(["peers", "--home", a.home], a.env)).stdout, /RowsTooLarge/)
    assert.match(a.log, /a row is too large for an existing FERAL node/)

    // Our older edit does not overwrite its newer one.
    const [{ id: edited } = { id: "" }] = await a
      .cli<ReadonlyArray<Note>>("note", "list")
      .then((rows) => rows.filter(({ content }) => content.startsWith("small")))
    await until("it has the row", () => contentsOf(early), isHere(edited))
    // At the same port, where the other one looks for it.
    const at = { FERAL_SYNC_PORT: String(a.port) }
    await a.stop()
    await a.cli("note", "edit", edited, "the older one")
    await early.write("notes", edited, note(edited, "the newer one"))
    await a.start(at)

    // A restart, after which its clock is empty and its log is not.
    await newest.stop()
    await newest.start()

    const large = (held: Readonly<Record<string, string>>) =>
      Object.keys(held).filter((id) => (held[id]?.length ?? 0) > 1_000_000)
    const unread = ["nan", "infinity", "-infinity", "deep"]
    await until(
      "all of them hold the same",
      async () => {
        const [one, two, three, four] = await Promise.all([a, b].map(contents).concat([newest, early].map(contentsOf)))
        if (one === undefined || two === undefined || three === undefined || four === undefined) return ["none"]
        const rest = Object.fromEntries(Object.entries(one).filter(([id]) => !large(one).includes(id)))
        const readable = Object.fromEntries(Object.entries(four).filter(([id]) => !unread.includes(id)))
        return [
          ...differences("the second", one, two),
          ...differences("newest", one, three),
          ...differences("early", rest, readable),
          ...(one[edited] === "the newer one" ? [] : ["the edit"]),
          ...(large(one).length === 1 ? [] : ["the large row"])
        ]
      },
      (differences) => differences.length === 0,
      60_000
    )

    const status = await a.status()
    assert.isAtLeast(status.counts.quarantine, unread.length)
    assert.match(a.log, /an operation of a peer is not valid/)
    assert.notInclude(await errorsOf(a), "NoScopeGranted")
    const doctor = JSON.parse((await run(["doctor", "--json", "--home", a.home], a.env)).stdout) as ReadonlyArray<{
      readonly check: string
      readonly status: string
    }>
    assert.include(
      doctor.map(({ check, status }) => `${check} ${status}`),
      "quarantine warning"
    )
  }, 240_000)

  it("a node that takes a new id at each restart leaves no other behind", async () => {
    const early = new LegacyPeer("early", ["--passphrase", passphrase, "--no-mdns"])
    peers.push(early)
    await early.start()
    const a = await nodes.make(dialling(early)).start()
    const shown = async () => (await a.status()).peers.map(({ node_id, state }) => `${node_id} ${state}`)
    for (let round = 0; round < 3; round++) {
      await until("it is live, alone", shown, (rows) => rows.length === 1 && rows[0] === `${early.id} live`, 30_000)
      await early.stop()
      await early.start()
    }
  }, 120_000)

  it("a node that demands a peer identity, and one with our own id, are named for what they are", async () => {
    const strict = await existing("newest", "--require-identity").start()
    const a = await nodes.make(dialling(strict)).start()
    await until(
      "it is named",
      () => errorsOf(a),
      (tags) => tags.includes("PeerIdentityRequired")
    )
    const twin = new LegacyPeer("early", ["--passphrase", passphrase, "--no-mdns", "--node-id", a.id])
    peers.push(twin)
    await twin.start()
    await a.stop()
    await a.start({ FERAL_SYNC_PEERS: `plain://127.0.0.1:${twin.port}` })
    await until(
      "the twin is named",
      () => errorsOf(a),
      (tags) => tags.includes("DuplicateNodeId")
    )
  }, 60_000)

  it("all that an early node has is read, also when its one frame is over 16 MiB", async () => {
    const early = await existing("early", "--state", "").start()
    const rows = isFull ? 100_000 : 6_000
    await early.bulk(rows, "notes", isFull ? 800 : 3_000)
    const a = await nodes.make(dialling(early)).start()
    const { counts } = await until(
      "all rows are here",
      () => a.status(),
      ({ counts }) => counts.notes === rows,
      120_000
    )
    assert.strictEqual(counts.notes, rows)
    assert.isAbove(early.exchanges[0]?.bytes ?? 0, 16 * 1024 * 1024)
  }, 200_000)
})
