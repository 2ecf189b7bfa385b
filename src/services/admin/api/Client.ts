/**
 * A running node as seen from another process: the interface of the node over the Unix socket in its data directory.
 *
 * A write is sent once: when the node goes away while it answers, it is unknown whether the write was done, and the
 * failure says so.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Context, Effect, Layer, Option, Schema, Stream } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { existsSync } from "node:fs"
import type { Archive } from "../Archive.ts"
import {
  InputInvalid,
  KindInvalid,
  KindMismatch,
  KindUndeclared,
  OperationTooLarge,
  OriginsKept,
  PeerNotFound,
  PurgeRefused,
  QueryInvalid,
  RowNotFound,
  NotYetOnNodes,
  VersionNotFound,
  StoreUnavailable
} from "../../node/NodeFailure.ts"
import * as Home from "../../node/Home.ts"
import * as OwnCollection from "../../memory/OwnCollection.ts"
import { type Any, columnsOf } from "../../memory/OwnKind.ts"
import type { OwnRows } from "../../memory/OwnRows.ts"
import * as Arguments from "../../memory/Arguments.ts"
import * as Inputs from "../../memory/Inputs.ts"
import { collections, Memory } from "../../memory/Memory.ts"
import * as Reading from "../../memory/Reading.ts"
import type { Origins } from "../Origins.ts"
import type { Purging } from "../Purging.ts"
import type { NodeStatus, PeerStatus, Synced, Pausing as PausedNode } from "../../node/Status.ts"
import type { Verification } from "../Verification.ts"
import * as Contract from "./Contract.ts"
import * as Paging from "./Paging.ts"
import * as Socket from "./Socket.ts"

export class Client extends Context.Service<
  Client,
  {
    readonly status: Effect.Effect<NodeStatus, StoreUnavailable>
    readonly peers: Effect.Effect<ReadonlyArray<PeerStatus>, StoreUnavailable>
    /** The memory of the node. `changes` begins with the request and ends with the node. */
    readonly memory: Memory["Service"]
    readonly archive: Archive
    readonly verification: Verification
    readonly purging: Purging
    readonly origins: Origins
    /** A code that lets a browser in, once, until `expires_at` (Unix seconds), on the port of the node. */
    readonly pausing: Pausing
    readonly signInCode: Effect.Effect<SignInCode, StoreUnavailable>
  }
>()("feral-sync/services/admin/api/Client") {}

/** What an operator may do with one peer. */
export interface Pausing {
  pause(id: string): Effect.Effect<PausedNode, PeerNotFound | StoreUnavailable>
  resume(id: string): Effect.Effect<PausedNode, PeerNotFound | StoreUnavailable>
  sync(id: string): Effect.Effect<Synced, PeerNotFound | StoreUnavailable>
}

export interface SignInCode {
  readonly code: string
  readonly expires_at: number
  readonly port: number | null
  /** The name of the node for browsers; none where it would lead to another program. */
  readonly host: string | null
}

/** The socket of the node that runs on a data directory; none when no node answers there. */
const find = Effect.fnUntraced(function* (home: string) {
  const { socket } = Home.paths(home)
  // Another user who answers there would be told what is written.
  if (!existsSync(socket) || Home.isForeign(socket)) return Option.none()
  const socketPath = yield* Socket.reachable(socket)
  return (yield* Socket.answers(socketPath)) ? Option.some(socketPath) : Option.none()
}, Effect.provide(NodeFileSystem.layer))

/** Whether a node runs on a data directory. */
export const isRunning = (home: string) => Effect.scoped(Effect.map(find(home), Option.isSome))

/** The client of the node that runs on a data directory; none when no node answers there. */
export const connect = Effect.fn("Client.connect")(function* (home: string) {
  const found = yield* find(home)
  if (Option.isNone(found)) return Option.none()
  const options = { socketPath: found.value, keepAlive: true }
  const http = yield* Layer.build(NodeHttpClient.layerNodeHttpOptions(options))
  return Option.some(yield* Effect.provide(make, http))
})

/** The memory of the node that runs on a data directory. */
export const layerMemory = (home: string): Layer.Layer<Memory, StoreUnavailable> =>
  Layer.effect(
    Memory,
    Effect.flatMap(
      connect(home),
      Option.match({
        onSome: ({ memory }) => Effect.succeed(memory),
        onNone: () => Effect.fail(new StoreUnavailable({ reason: "not found", detail: `no node answers in ${home}` }))
      })
    )
  )

const make = Effect.gen(function* () {
  const client = yield* HttpApiClient.make(Contract.Contract, {
    transformClient: HttpClient.mapRequest(HttpClientRequest.prependUrl("http://localhost"))
  })

  const { notes, facts, ...others } = collections({
    pageRows,
    page: ({ path, row }) => {
      const decode = Schema.decodeUnknownEffect(Schema.Array(row))
      return (query) =>
        listed(
          Effect.flatMap(client.rows.list({ params: { collection: path }, query }), (found) =>
            decode(Paging.rowsOf(found))
          )
        )
    },
    // What JSON has no form for would be lost on the way, so it is looked at here, too.
    insert: ({ path, input }) => {
      const decode = Inputs.decoder(input)
      return (given) =>
        Effect.flatMap(decode(given), (payload) =>
          answered(client.rows.insert({ params: { collection: path }, payload }))
        )
    },
    remove:
      ({ path: collection }) =>
      (id) =>
        Effect.flatMap(Arguments.id({ id }), (query) => answered(client.rows.remove({ params: { collection }, query })))
  })

  const recent: Memory["Service"]["recent"] = (payload = {}) => answered(client.recent({ payload }))
  const feed: Memory["Service"]["feed"] = ({ since, kinds, follow } = {}) =>
    Stream.unwrap(
      client.feed({
        query: {
          ...(since === undefined ? {} : { since }),
          ...(kinds === undefined ? {} : { kinds }),
          ...(follow === false ? { follow: "false" as const } : {})
        }
      })
    ).pipe(
      Stream.mapError((error) =>
        lost("the node stopped responding: read on from the last cursor once it runs again", error)
      )
    )

  const own: OwnRows = {
    kinds: listed(client.kinds.all({ query: {} })),
    declare: (kind, columns) => answered(client.kinds.declare({ params: { kind }, payload: { columns } })),
    get: (kind, id) => answered(client.kinds.row({ params: { kind }, query: { id } })),
    find: (kind, payload) => answered(client.kinds.find({ params: { kind }, payload })),
    count: (kind, payload) =>
      Effect.map(answered(client.kinds.count({ params: { kind }, payload })), ({ count }) => count),
    write: (kind, verb, { input, ...query }) =>
      answered(client.kinds.write({ params: { kind, verb }, query, payload: input }))
  }
  const { history } = client
  const declared = new Set<string>()
  /** Declares a kind at its first use. */
  const ready = (kind: Any) =>
    declared.has(kind.table)
      ? Effect.void
      : own
          .declare(kind.table, columnsOf(kind))
          .pipe(
            Effect.catchTag(["KindMismatch", "KindInvalid"], Effect.die),
            Effect.andThen(Effect.sync(() => declared.add(kind.table)))
          )

  const memory = Memory.of({
    collection: (kind) => OwnCollection.make(kind, { own, ready, feed }),
    own,
    ...others,
    notes: {
      ...notes,
      edit: (id, change) => {
        const payload = typeof change === "string" ? { content: change } : change
        return Effect.flatMap(Arguments.id({ id }), (query) => answered(client.rows.editNote({ query, payload })))
      }
    },
    facts: {
      ...facts,
      set: (payload) => answered(client.rows.setFact({ payload })),
      about: (payload) => answered(client.about({ payload }))
    },
    get: (kind, id) => Effect.flatMap(Arguments.question({ kind, id }), (query) => answered(client.row({ query }))),
    recent,
    newest: (payload = {}) => answered(client.newest({ payload })),
    live: Reading.live({ feed }, recent),
    searchPage: (payload) => answered(client.searchPage({ payload })),
    // The first search makes the index, which takes as long as there is much to find.
    search: ({ limit = 20, ...query }) =>
      answered(client.search({ payload: { ...query, limit: Math.min(limit, Paging.maxPage) } }), "10 minutes"),
    changes: Stream.unwrap(client.changes()).pipe(Stream.catch(() => Stream.empty)),
    history: (kind, id) => Effect.flatMap(Arguments.question({ kind, id }), (query) => listed(history.list({ query }))),
    deleted: (query = {}) => answered(history.deleted({ query })),
    eraseHistory: (kind, id) =>
      Effect.flatMap(Arguments.row({ kind, id }), (query) => answered(history.erase({ query }))),
    restoreVersion: (kind, id, version) =>
      Effect.flatMap(Arguments.version({ kind, id, version }), (payload) => answered(history.restore({ payload }))),
    conflicts: (payload = {}) => answered(client.history.conflicts({ payload })),
    waitFor: (payload) => answered(client.wait({ payload }), "1 hour"),
    feed
  })
  const archive: Archive = {
    header: answered(client.archive.header()),
    page: (after) => answered(client.archive.page({ payload: { after } })),
    take: (lines, isLasting = true) => answered(client.archive.take({ payload: { lines, isLasting } }))
  }
  const verification: Verification = {
    damage: answered(client.verify.damage(), "1 hour"),
    audit: answered(client.verify.audit(), "1 hour"),
    compare: answered(client.verify.compare(), "1 hour")
  }
  const purging: Purging = {
    purge: (payload) => answered(client.purge({ payload }), "10 minutes")
  }
  const origins: Origins = {
    list: listed(client.origins.list({ query: {} })),
    forget: (payload) => answered(client.origins.forget({ payload }))
  }
  return Client.of({
    status: answered(client.status()),
    peers: listed(client.peers({ query: {} })),
    memory,
    archive,
    verification,
    purging,
    origins,
    pausing: {
      pause: (id) => answered(client.peer.pause({ params: { id } })),
      resume: (id) => answered(client.peer.resume({ params: { id } })),
      sync: (id) => answered(client.peer.sync({ params: { id } }), "1 hour")
    },
    signInCode: answered(client.session.code())
  })
})

/** Rows in one request: entries may be large. */
const pageRows = 250

/** What the node answers with its own failure. */
const known = [
  StoreUnavailable,
  PeerNotFound,
  RowNotFound,
  OperationTooLarge,
  InputInvalid,
  QueryInvalid,
  KindInvalid,
  KindMismatch,
  KindUndeclared,
  PurgeRefused,
  OriginsKept,
  NotYetOnNodes,
  VersionNotFound
] as const
type Known = InstanceType<(typeof known)[number]>

const isKnown = <E>(error: E): error is Extract<E, Known> => known.some((failure) => error instanceof failure)

/** The failures of the node as they are; everything else is a node that does not answer as it should. */
const answered = <A, E>(
  request: Effect.Effect<A, E>,
  within: "30 seconds" | "10 minutes" | "1 hour" = "30 seconds"
): Effect.Effect<A, Extract<E, Known> | StoreUnavailable> =>
  request.pipe(
    Effect.timeoutOrElse({
      duration: within,
      orElse: () => Effect.fail(lost(`the node did not answer for ${within}`))
    }),
    Effect.mapError((error) =>
      isKnown(error) ? error : lost("the node stopped responding, and a write may or may not have been saved", error)
    )
  )

/** A whole list. Nothing is asked that could be wrong. */
const listed = <Row, E>(request: Effect.Effect<ReadonlyArray<Row> | Paging.Part<Row>, E>) =>
  answered(request).pipe(
    Effect.map(Paging.rowsOf),
    Effect.catchIf((error) => error instanceof QueryInvalid, Effect.die)
  )

const lost = (detail: string, cause?: unknown) => new StoreUnavailable({ reason: "other", detail, cause })
