/**
 * A member that makes up origins: it claims them, in every message that can name one, and then writes under them. Two members and one
 * that joins later must not notice, and a database from before that is full of them must heal.
 */
import { DatabaseSync } from "node:sqlite"
import { deriveKey } from "../../src/core/sync/Handshake.ts"
import { NodeId } from "../../src/core/replica/NodeId.ts"
import * as VectorClock from "../../src/core/replica/VectorClock.ts"
import { encodeData, limits } from "../../src/core/sync/Wire.ts"
import type { OriginStatus } from "../../src/services/admin/Origins.ts"
import { type Node, Nodes, until } from "../../test/support/Nodes.ts"
import { greeting, join } from "../../test/support/RogueMember.ts"
import { type Attack, type Figures, median } from "./Attack.ts"
import { roundTrips } from "./RoundTrips.ts"

const passphrase = "correct horse battery staple"

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

const names = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => `${prefix}-${n}`)

const clockOf = (origins: ReadonlyArray<string>) =>
  VectorClock.fromEntries(origins.map((name) => [NodeId.make(name), { wall: 5, counter: 0 }]))

/** An operation of an origin, on a row of its own or on one that all of them write. */
const operation = (name: string, row: string) =>
  `{"op_id":"${name}","table":"notes","op_type":"insert","row_id":"${row}","data":{"content":"made up"},` +
  `"hlc":"5:0:${name}","origin_node":"${name}","timestamp":0.005}`

/** Coverage of origins that never were, in each kind of message. */
const claim = async (to: Node, count: number) => {
  const member = await join({ port: to.port, from: "127.0.9.77", key: deriveKey(passphrase), id: "rogue" })
  await sleep(500)
  for (let part = 0, seq = 0; part < 2; part++) {
    const through = clockOf(names(`through-${part}`, count))
    member.send(encodeData({ seq: seq++, more: false, fresh: part === 0, through }, []))
    const acknowledged = VectorClock.toRecord(clockOf(names(`ack-${part}`, count)))
    member.send(JSON.stringify({ type: "sync_ack", vector_clock: acknowledged }))
    member.send(greeting("rogue", clockOf(names(`greeting-${part}`, count))))
  }
  return member
}

/** Operations under origins that never were: the first half each on a row of its own, the others on one row. */
const write = async (to: Node, count: number) => {
  const member = await join({ port: to.port, from: "127.0.9.78", key: deriveKey(passphrase), id: "rogue-2" })
  await sleep(500)
  const origins = names("written", count)
  const each = 1_000
  for (let first = 0, seq = 0; first < count; first += each) {
    const some = origins.slice(first, first + each)
    const changes = some.map((name, n) => operation(name, first + n < count / 2 ? name : "one row"))
    member.send(encodeData({ seq: seq++, more: false, fresh: seq === 1, through: clockOf(some) }, changes))
  }
  return member
}

const originsOf = async (node: Node): Promise<number> => Object.keys((await node.status()).vector_clock).length

const isLive = async (one: Node, other: Node): Promise<boolean> =>
  (await one.status()).peers.some(({ node_id, state }) => node_id === other.id && state === "live")

/** How often a node has connected. */
const connections = ({ log }: Node): number => log.split("peer connected").length - 1

const live = (one: Node, other: Node) => until("they are connected", () => isLive(one, other), Boolean, 60_000)

const areEqual = async (nodes: ReadonlyArray<Node>): Promise<boolean> => {
  const digests = await Promise.all(nodes.map(async (node) => (await node.status()).digest))
  return new Set(digests).size === 1
}

/** Waits for a while; whether it came true. */
const becomes = async (check: () => Promise<boolean>, ms: number): Promise<number> => {
  for (const end = performance.now() + ms; performance.now() < end; await sleep(200)) if (await check()) return 1
  return 0
}

/** The database of a stopped node, as a version left it that kept every claim. */
const poison = ({ home }: Node): void => {
  const database = new DatabaseSync(`${home}/sync.db`)
  const insert = database.prepare(
    "INSERT INTO clock (origin, wall, counter, top_wall, top_counter) VALUES (?, 5, 0, 0, 0)"
  )
  database.exec("BEGIN")
  for (const name of names("poison", limits.origins)) insert.run(name)
  database.exec("COMMIT")
  database.close()
}

export const origins: Attack = {
  name: "origins",
  about: "A member claims 60,000 origins that never were, and writes under 12,000 more.",
  run: async ({ short }): Promise<Figures> => {
    const nodes = new Nodes()
    try {
      const a = await nodes.make().start()
      const b = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
      await live(b, a)
      const before = connections(b)
      const measured = short ? 2_000 : 20_000
      await roundTrips(b, a, short ? 500 : 5_000)
      const alone = await roundTrips(b, a, measured)

      const claiming = await claim(a, limits.origins)
      const underClaims = await roundTrips(b, a, measured)
      const claimed = { a: await originsOf(a), b: await originsOf(b) }

      const writing = await write(a, short ? 6_000 : 12_000)
      const underWrites = await roundTrips(b, a, measured)
      const named = await becomes(
        async () => (await a.status()).alarms?.some(({ _tag }) => _tag === "OriginsLeftOut") === true,
        20_000
      )
      const written = Math.max(await originsOf(a), await originsOf(b))
      // It is the session of before, and it gets level: while operations are on their way it is not.
      const stayed = connections(b) === before ? await becomes(() => isLive(b, a), 20_000) : 0
      claiming.stop()
      writing.stop()
      const equal = await becomes(() => areEqual([a, b]), 60_000)

      // What was poisoned stays poisoned over a restart.
      for (const node of [b, a]) await node.stop()
      poison(b)
      await a.start()
      await b.start({ FERAL_SYNC_PEERS: a.address })
      const restarted = await becomes(() => isLive(b, a), 60_000)
      const healed = (await b.cli<ReadonlyArray<OriginStatus>>("origins", "list")).filter(({ origin }) =>
        origin.startsWith("poison")
      ).length
      const c = await nodes.make({ FERAL_SYNC_PEERS: a.address }).start()
      await live(c, a)
      const latecomer = await roundTrips(c, b, short ? 1_000 : 5_000)
      const after = await becomes(() => areEqual([a, b]), 60_000)
      return [
        {
          what: "origins on the node that hears 60,000 claims",
          unit: "",
          before: limits.origins,
          now: claimed.a,
          must: { atMost: 3 }
        },
        { what: "and on the other one", unit: "", before: limits.origins, now: claimed.b, must: { atMost: 3 } },
        {
          what: "origins after operations of made-up ones",
          unit: "",
          before: limits.origins,
          now: written,
          // 2,000 at once, 10 a second, and those that are remembered without rows.
          must: { atMost: 4_500 }
        },
        { what: "the excess is named in status", unit: "", now: named, must: { atLeast: 1 } },
        {
          what: "the session of the others goes on",
          unit: "",
          before: "ends: more than 10000 origins",
          now: stayed,
          must: { atLeast: 1 }
        },
        { what: "their rows are equal afterwards", unit: "", now: equal, must: { atLeast: 1 } },
        { what: "they are connected after restarts", unit: "", before: 0, now: restarted, must: { atLeast: 1 } },
        {
          what: "made-up origins in a database of before",
          unit: "",
          before: limits.origins,
          now: healed,
          must: { atMost: 0 }
        },
        { what: "their rows are equal then", unit: "", now: after, must: { atLeast: 1 } },
        {
          what: "writes of a node that joins later that arrive",
          unit: "",
          now: latecomer.length,
          must: { atLeast: 1 }
        },
        {
          what: "a write of another member, median, under claims",
          unit: "ms",
          baseline: median(alone),
          now: median(underClaims)
        },
        { what: "the same under operations", unit: "ms", baseline: median(alone), now: median(underWrites) }
      ]
    } finally {
      await nodes.dispose()
    }
  }
}
