/**
 * Frames of both forms against a whole node but for its sockets: conversation, session, and a store on disk. The first byte of
 * an input chooses who dials, in which form, and whether the attacker has the passphrase; then come the frames, one per line.
 *
 * What must hold: whoever has not proved himself changes nothing, every conversation ends soon after its connection, as a
 * failure that has a name, and all that was taken can be read again: the digest is that of the rows.
 */
import { Cause, Context, Deferred, Effect, Exit, HashMap, Layer, Option, Queue, Redacted } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import * as Digest from "../../src/core/replica/Digest.ts"
import * as Handshake from "../../src/core/sync/Handshake.ts"
import * as Hlc from "../../src/core/replica/Hlc.ts"
import { canonical } from "../../src/core/replica/Json.ts"
import type { Operation } from "../../src/core/replica/Operation.ts"
import { HlcClock } from "../../src/services/node/HlcClock.ts"
import { Config } from "../../src/services/node/Config.ts"
import { Passphrase } from "../../src/services/node/Passphrase.ts"
import * as Conversation from "../../src/services/peers/Conversation.ts"
import * as PeerTable from "../../src/services/peers/PeerTable.ts"
import { Store } from "../../src/services/store/Store.ts"
import { MemoryNetwork } from "../../src/services/transport/MemoryNetwork.ts"
import type { Connection } from "../../src/services/transport/Transport.ts"
import * as Directory from "../support/Directory.ts"
import { NaiveReplica } from "../support/NaiveReplica.ts"
import { Link, node, write } from "../support/Network.ts"
import { settings } from "../support/Settings.ts"
import { Broken, type Fed, type Target } from "./Fuzz.ts"
import { afterFirstByte, ofBytes, ofLines } from "./Mutation.ts"
import * as SqliteStore from "../../src/services/store/SqliteStore.ts"

const secret = "correct horse battery staple"
const key = new TextEncoder().encode(secret.padEnd(32))

/** How an attacker meets the node. */
interface Meeting {
  readonly form: 1 | 2
  readonly dials: "attacker" | "node"
  readonly isProved: boolean
}

const meetings: ReadonlyArray<Meeting> = [
  { form: 2, dials: "attacker", isProved: false },
  { form: 2, dials: "attacker", isProved: true },
  { form: 2, dials: "node", isProved: false },
  { form: 2, dials: "node", isProved: true },
  { form: 1, dials: "attacker", isProved: false },
  { form: 1, dials: "attacker", isProved: true },
  // In form 1 a server proves nothing.
  { form: 1, dials: "node", isProved: true }
]

const data = (operation: Operation, content: object): Operation => ({
  ...operation,
  data: Option.getOrThrow(canonical({ id: operation.row_id, ...content }, 8))
})

/** The frames of two replicas that meet, as they were sent: those of the dialler, and those of the server. */
const conversation = (): readonly [ReadonlyArray<string>, ReadonlyArray<string>] => {
  const [a, b] = [new NaiveReplica(node("attacker")), new NaiveReplica(node("node"))]
  const wall = 1_700_000_000_000
  a.append([
    data(write(a.id, { wall, counter: 0 }, "n1"), { content: 'a "note"', tags: '["x"]', created_at: 1.5 }),
    data(write(a.id, { wall, counter: 1 }, "k1", "knowledge"), { subject: "s", predicate: "p", object: "é" }),
    data(write(a.id, { wall, counter: 2 }, "e1", "episodes"), { summary: "s", nested: { a: [1, { "\\": 2 }] } }),
    write(a.id, { wall, counter: 3 }, "n2", "notes", "delete"),
    data(write(a.id, { wall, counter: 4 }, "x1", "plans"), { "\n": null })
  ])
  b.append([data(write(b.id, { wall, counter: 0 }, "n1"), { content: "b" })])
  const link = new Link(a, b, () => wall + 1_000)
  const frames: readonly [Array<string>, Array<string>] = [[], []]
  for (let isMoving = true; isMoving;) {
    isMoving = false
    for (const index of [0, 1] as const) {
      const text = link.ends[index].inbox[0]
      if (text === undefined) continue
      frames[index === 0 ? 1 : 0].push(text)
      isMoving = link.deliver(index)
    }
    link.notify(0)
    link.notify(1)
  }
  return frames
}

/** What old nodes said in the conversations that were recorded. */
const recorded = (): ReadonlyArray<{ readonly role: string; readonly frames: ReadonlyArray<string> }> => {
  const directory = new URL("../core/sync/wire/", import.meta.url)
  return readdirSync(directory)
    .filter((file) => file.endsWith(".json"))
    .map((file) => {
      const { role, talk } = JSON.parse(readFileSync(new URL(file, directory), "utf8")) as {
        readonly role: string
        readonly talk: ReadonlyArray<{ readonly them?: unknown }>
      }
      return { role, frames: talk.flatMap(({ them }) => (them === undefined ? [] : [JSON.stringify(them)])) }
    })
}

const inputOf = (meeting: number, frames: ReadonlyArray<string>): Uint8Array =>
  Buffer.concat([Buffer.from([meeting]), Buffer.from(frames.join("\n"))])

const corpus = (): ReadonlyArray<Uint8Array> => {
  const [dialler, server] = conversation()
  const more = [
    '{"type":"sync_ack","seq":0,"vector_clock":{},"held":{"x":"5:0:x"}}',
    '{"type":"sync_ack","vector_clock":{},"asks":{"5:0:x":2},"holders":[{"hlc":"5:0:x","node":"y","age":1,"via":["z"]}]}',
    '{"type":"sync_error","reason":"rate_limited","message":"later"}'
  ]
  return [
    inputOf(0, dialler),
    inputOf(1, [...dialler.slice(1), ...more]),
    inputOf(2, server),
    inputOf(3, [...server.slice(1), ...more]),
    ...recorded().flatMap(({ role, frames }) =>
      role === "server" ? [inputOf(4, frames), inputOf(5, frames.slice(1))] : [inputOf(6, frames)]
    )
  ]
}

/** Changes what is said, and seldom how it is met. */
const said = afterFirstByte(meetings.length)

const open = Effect.gen(function* () {
  const home = yield* Directory.directory
  const passphrase = Passphrase.of({
    passphrase: Redacted.make(secret),
    isNew: false,
    file: Option.none(),
    key: Effect.succeed(Redacted.make(key))
  })
  const context = yield* Layer.build(
    Layer.mergeAll(
      SqliteStore.layer({ home }).pipe(Layer.provideMerge(HlcClock.layer)),
      MemoryNetwork.layer,
      Layer.succeed(Passphrase, passphrase),
      Layer.succeed(Config, Config.of(settings("", { legacy: "on" })))
    ).pipe(Layer.fresh)
  )
  const store = Context.get(context, Store)
  const network = Context.get(context, MemoryNetwork)
  const table = PeerTable.make()
  const { call, answer } = yield* Effect.provide(
    Conversation.make(table, () => Effect.void),
    context
  )
  let links = 0

  /** A connection between the two: the end of the attacker, and how the conversation of the node ends. */
  const meet = Effect.fnUntraced(function* ({ form, dials }: Meeting) {
    const ended = yield* Deferred.make<Exit.Exit<string, { readonly _tag: string; readonly message: string }>>()
    const link = links++
    const us = { host: "node", form: 2, maxRecvBytes: 8_388_608 } as const
    // Each comes from a host of its own: one that guessed wrong too often would not be heard any more.
    const them = { host: `attacker${link}`, form, maxRecvBytes: 8_388_608 } as const
    const converse = (connection: Connection) =>
      (dials === "node" ? call(link, connection, "key", undefined) : answer(link, connection, Effect.void)).pipe(
        Effect.scoped,
        Effect.exit,
        Effect.flatMap((exit) => Deferred.succeed(ended, exit)),
        Effect.asVoid
      )
    if (dials === "attacker") {
      const port = yield* network.listen(us, 0, converse)
      return { connection: yield* network.dial(them, { host: "node", port }), ended }
    }
    const arrived = yield* Deferred.make<Connection>()
    const port = yield* network.listen(them, 0, (connection) =>
      Effect.andThen(Deferred.succeed(arrived, connection), Effect.never)
    )
    // In form 1 the node shows its passphrase, which it does where the user has named the address so.
    const address = { host: them.host, port, ...(form === 1 && { plain: true as const }) }
    yield* network.dial(us, address).pipe(Effect.flatMap(converse), Effect.scoped, Effect.forkScoped)
    return { connection: yield* Deferred.await(arrived), ended }
  })

  /** The greeting of somebody who has the passphrase. */
  const greeting = ({ form, dials }: Meeting, { nonces, binding }: Connection): string => {
    const type = dials === "attacker" ? "sync_request" : "sync_response"
    if (form === 1) return JSON.stringify({ type, node_id: "attacker", vector_clock: {}, passphrase: secret })
    const [dialler, server] = dials === "attacker" ? ["attacker", ""] : [store.nodeId, "attacker"]
    const role = dials === "attacker" ? "dialler" : "server"
    const proof = Handshake.prove(key, role, { nonces, binding: Redacted.value(binding), dialler, server })
    return JSON.stringify({ type, node_id: "attacker", vector_clock: {}, proof, features: [], time: 0 })
  }

  const state = Effect.map(Effect.all([store.snapshot, store.counts]), ([{ version }, counts]) =>
    JSON.stringify([version, counts])
  )

  const feed = Effect.fnUntraced(function* (input: Uint8Array) {
    const index = (input[0] ?? 0) % meetings.length
    const meeting = meetings[index]
    if (meeting === undefined) return "nothing"
    const before = yield* Effect.orDie(state)
    const { connection, ended } = yield* meet(meeting)
    yield* Queue.take(connection.incoming).pipe(Effect.forever, Effect.ignore, Effect.forkScoped)
    const frames = Buffer.from(input.subarray(1)).toString("utf8").split("\n")
    yield* Effect.forEach(
      meeting.isProved ? [greeting(meeting, connection), ...frames] : frames,
      (text) => connection.send(text),
      { discard: true }
    ).pipe(Effect.andThen(connection.close(1000, "")), Effect.ignore)
    const exit = yield* Deferred.await(ended).pipe(
      Effect.timeoutOrElse({
        duration: "10 seconds",
        orElse: () => Effect.fail(new Broken({ what: "the conversation outlives its connection" }))
      })
    )
    const after = yield* Effect.orDie(state)
    if (!meeting.isProved && before !== after) {
      return yield* new Broken({ what: `a stranger changed the state from ${before} to ${after}` })
    }
    if (table.entries.size > 0) return yield* new Broken({ what: "the table still shows the connection" })
    return `${index} ${yield* wordsOf(exit)}${before === after ? "" : ", something taken"}`
  }, Effect.scoped)

  const check: Fed["check"] = Effect.gen(function* () {
    const { frontier, version } = yield* store.snapshot
    const from = Array.from(HashMap.keys(frontier), (origin) => [origin, Hlc.zero] as const)
    const { operations, snapshot } = yield* store.delta({
      from,
      since: version,
      maxBytes: Infinity,
      maxOperations: 1e9
    })
    const digest = operations.reduce((sum, operation) => Digest.add(sum, Digest.ofOperation(operation)), Digest.empty)
    if (Digest.toText(digest) !== Digest.toText(snapshot.digest)) {
      yield* new Broken({ what: `the digest is not that of the ${operations.length} rows` })
    }
  }).pipe(Effect.catchTag("StoreUnavailable", ({ message }) => Effect.fail(new Broken({ what: message }))))
  return { feed: (input) => Effect.catchTag(feed(input), "PeerUnreachable", Effect.die), check } satisfies Fed
}).pipe(Effect.orDie)

/** How a conversation ended, without what differs from one to the next. */
const wordsOf = (exit: Exit.Exit<string, { readonly _tag: string; readonly message: string }>) => {
  if (Exit.isSuccess(exit)) return Effect.succeed(exit.value)
  if (Cause.hasDies(exit.cause)) return Effect.fail(new Broken({ what: `a defect: ${Cause.pretty(exit.cause)}` }))
  const error = Cause.squash(exit.cause) as { readonly _tag: string; readonly message: string }
  if (error._tag === "StoreUnavailable") return Effect.fail(new Broken({ what: error.message }))
  return Effect.succeed(`${error._tag}: ${error.message.replace(/\d+|".*"|'.*'/gs, "…").slice(0, 90)}`)
}

export const frames: Target = {
  name: "frames",
  corpus: corpus(),
  mutations: [said(ofLines("\n")), said(ofLines("\n")), said(ofBytes)],
  open
}
