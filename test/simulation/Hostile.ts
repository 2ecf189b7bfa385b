/**
 * A member of a simulated network that lies: it has the passphrase, and says whatever the protocol lets it say. It claims origins
 * that never were, forges what others wrote, floods, and lies about what it has.
 */
import { Effect, Exit, HashMap, Option, Queue, Redacted, Scope } from "effect"
import * as Handshake from "../../src/core/sync/Handshake.ts"
import type { Timestamp } from "../../src/core/replica/Hlc.ts"
import { CanonicalJson } from "../../src/core/replica/Json.ts"
import { NodeId } from "../../src/core/replica/NodeId.ts"
import { Kind, OpId, type Operation, RowId } from "../../src/core/replica/Operation.ts"
import * as VectorClock from "../../src/core/replica/VectorClock.ts"
import * as Wire from "../../src/core/sync/Wire.ts"
import type { Connection } from "../../src/services/transport/Transport.ts"
import { MemoryNetwork } from "../../src/services/transport/MemoryNetwork.ts"
import { seeded } from "../support/Seeded.ts"
import { addressOf, passphrase } from "./Cluster.ts"
import { type Lie, maxDrift } from "./Scenario.ts"

export const host = "evil"
const id = NodeId.make(host)
const key = new TextEncoder().encode(passphrase)

/** The names of origins that it claims, and never writes under. */
const claimed = "claimed-"

/** Whether an origin is one of those: no node has ever taken an operation of it. */
export const isClaimed = (node: NodeId): boolean => node.startsWith(claimed)

/** What it knows of the network that it lies to. */
export interface Surroundings {
  readonly now: number
  readonly nodes: ReadonlyArray<NodeId>
  /** What honest nodes have acknowledged. */
  readonly written: ReadonlyArray<Operation>
}

interface Link {
  readonly connection: Connection
  readonly scope: Scope.Closeable
  seq: number
}

/** The frames of one lie. */
const framesOf = (lie: Lie, seed: number, { now, nodes, written }: Surroundings, seqOf: () => number) => {
  const random = seeded(seed)
  const below = (end: number) => Math.floor(random() * end)
  const pick = <A>(list: ReadonlyArray<A>): A | undefined => list[below(list.length)]
  /** Around now; in some lies also further ahead than anybody takes, and then nothing of the frame is claimed. */
  const ahead = random() < 0.4 ? 2 * maxDrift : 0
  const timestamp = (): Timestamp => ({ wall: now - 600_000 + below(600_000 + ahead), counter: below(3) })
  const honest = () => pick(nodes) ?? id
  const clock = (entries: number, name: () => NodeId) =>
    VectorClock.fromEntries(Array.from({ length: entries }, () => [name(), timestamp()] as const))
  const invented = () => NodeId.make(`${claimed}${below(1_000_000)}`)
  const forged = () => NodeId.make(`forged-${below(200)}`)
  const digest = () =>
    Option.some(
      below(2 ** 32)
        .toString(16)
        .padStart(16, "0")
    )
  const kinds = ["notes", "notes", "knowledge", "episodes", "execution_log", "dreams"]
  const operation = (node: NodeId, at: Timestamp, row = below(8)): Operation => {
    const table = pick(kinds) ?? "notes"
    return {
      op_id: OpId.make(`evil/${below(2 ** 32)}`),
      table: Kind.make(table),
      op_type: random() < 0.2 ? "delete" : "insert",
      row_id: RowId.make(`${table}-${row}`),
      data: CanonicalJson.make(`{"content":"forged ${below(1_000)}"}`),
      hlc: { ...at, node },
      timestamp: at.wall / 1000
    }
  }
  const data = (operations: ReadonlyArray<Operation>, through = VectorClock.empty): string =>
    Wire.encode({
      type: "sync_data",
      seq: seqOf(),
      more: random() < 0.2,
      fresh: random() < 0.2,
      through,
      operations,
      malformed: []
    })
  const many = <A>(length: number, make: () => A): ReadonlyArray<A> => Array.from({ length }, make)
  switch (lie) {
    case "claims":
      return [data([], clock(20 + below(40), invented)), data([], clock(1 + below(3), honest))]
    case "forgeries":
      return [data(many(1 + below(6), () => operation(random() < 0.6 ? honest() : forged(), timestamp())))]
    case "forgeries with claims": {
      const operations = many(1 + below(6), () => operation(random() < 0.6 ? honest() : forged(), timestamp()))
      return [data(operations, VectorClock.fromEntries(operations.map(({ hlc }) => [hlc.node, hlc])))]
    }
    case "contradictions": {
      const known = many(1 + below(3), () => pick(written)).filter((one) => one !== undefined)
      return [data(known.map((one) => ({ ...one, data: CanonicalJson.make(`{"content":"another ${below(9)}"}`) })))]
    }
    case "flood":
      return many(4, () => {
        const operations = many(25, () => operation(forged(), timestamp(), below(2)))
        return data(operations, VectorClock.fromEntries(operations.map(({ hlc }) => [hlc.node, hlc])))
      })
    case "far future": {
      const late = { wall: Date.UTC(2099, 0) + below(1_000), counter: 0 }
      return [data([operation(honest(), late)], VectorClock.fromEntries([[honest(), late]]))]
    }
    case "acknowledgements":
      return [
        Wire.encode({
          type: "sync_ack",
          seq: random() < 0.5 ? Option.none() : Option.some(below(3)),
          clock: VectorClock.merge(clock(10, invented), clock(2, honest)),
          digest: random() < 0.5 ? digest() : Option.none(),
          rows: random() < 0.5 ? digest() : Option.none(),
          held: random() < 0.3 ? clock(2, honest) : VectorClock.empty,
          underWay: random() < 0.3
        })
      ]
    case "greetings":
      return [greetingWith(VectorClock.merge(clock(10, invented), clock(2, honest)), digest(), "")]
    case "ranges":
      return [
        JSON.stringify({
          type: "sync_ranges",
          round: below(3),
          ranges: [{ count: below(20), digest: Option.getOrThrow(digest()), ...(random() < 0.4 && { settle: true }) }]
        })
      ]
    case "garbage":
      return [
        `{"type":"sync_data","seq":${seqOf()},"more":false,"through":{},"changes":[{"op_id":"","table":7},null,[]]}`
      ]
  }
}

const greetingWith = (clock: VectorClock.VectorClock, digest: Option.Option<string>, proof: string): string =>
  Wire.encode({
    type: "sync_request",
    nodeId: id,
    clock,
    proof,
    digest,
    rows: Option.none(),
    uncovered: HashMap.empty(),
    features: ["repair"],
    time: 0
  })

export class Hostile {
  private readonly links = new Map<string, Link>()

  /** Tells one lie to a host. What cannot be said is not said. */
  readonly tell = (to: string, lie: Lie, seed: number, surroundings: Surroundings) =>
    Effect.gen({ self: this }, function* () {
      const link = this.links.get(to) ?? (yield* this.meet(to))
      const frames = framesOf(lie, seed, surroundings, () => link.seq++)
      yield* Effect.forEach(frames, (frame) => link.connection.send(frame), { discard: true })
    }).pipe(Effect.ignore)

  private readonly meet = (to: string) =>
    Effect.gen({ self: this }, function* () {
      const network = yield* MemoryNetwork
      const scope = yield* Scope.make()
      const terms = { host, form: 2, revision: 1, maxRecvBytes: 64 * 1024 * 1024 } as const
      const connection = yield* network.dial(terms, addressOf(to)).pipe(Scope.provide(scope))
      const link: Link = { connection, scope, seq: 0 }
      this.links.set(to, link)
      // It reads, and answers nothing.
      yield* Queue.take(connection.incoming).pipe(
        Effect.forever,
        Effect.ignore,
        Effect.ensuring(
          Effect.sync(() => {
            if (this.links.get(to) === link) this.links.delete(to)
          })
        ),
        Effect.forkIn(scope)
      )
      const about = { nonces: connection.nonces, binding: Redacted.value(connection.binding), dialler: id, server: "" }
      const proof = Handshake.prove(key, "dialler", about)
      yield* connection.send(greetingWith(VectorClock.empty, Option.none(), proof))
      return link
    })

  /** Ends all its connections. */
  readonly leave = Effect.suspend(() => {
    const links = [...this.links.values()]
    this.links.clear()
    return Effect.forEach(links, ({ scope }) => Scope.close(scope, Exit.void), { discard: true })
  })
}
