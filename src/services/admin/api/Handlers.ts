/**
 * Answers the requests of the contract from the services of the node.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer, Option, Stream, Struct } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import * as Kind from "../../../core/replica/Kind.ts"
import * as Archive from "../Archive.ts"
import { Config } from "../../node/Config.ts"
import {
  type Collection,
  type Collections,
  type Deleting,
  type Inserting,
  Memory,
  type Page,
  type Rows,
  type VersionRow,
  type Write
} from "../../memory/Memory.ts"
import * as Inputs from "../../memory/Inputs.ts"
import { Kinds } from "../../memory/OwnKind.ts"
import * as Reads from "../../memory/Reads.ts"
import { Peers } from "../../peers/Peers.ts"
import * as Origins from "../Origins.ts"
import * as Purging from "../Purging.ts"
import { Store } from "../../store/Store.ts"
import * as Verification from "../Verification.ts"
import { CodeRefused, PeerNotFound } from "../../node/NodeFailure.ts"
import * as PeerName from "../../node/PeerName.ts"
import type { PeerDetail } from "../../node/Status.ts"
import * as Assets from "./Assets.ts"
import * as SignIn from "./SignIn.ts"
import * as Contract from "./Contract.ts"
import * as Errors from "./Errors.ts"
import * as Events from "./Events.ts"
import { NotFound } from "./Failures.ts"
import * as Health from "./Health.ts"
import * as Mcp from "./Mcp.ts"
import * as Metrics from "./Metrics.ts"
import * as NodeState from "./NodeState.ts"
import * as Paging from "./Paging.ts"
import * as Reference from "./Reference.ts"

/** What the answers know beside the services. */
export interface Place {
  /** The port on 127.0.0.1, as far as it is taken. */
  readonly apiPort: Effect.Effect<number | null>
  readonly browser: SignIn.SignIn
}

const events = HttpApiBuilder.group(
  Contract.Private,
  "events",
  Effect.fnUntraced(function* (handlers) {
    const memory = yield* Memory
    const place: Events.Place = { memory, peers: yield* Peers, limits: yield* Events.Limits, readers: 0 }
    const list = (text: string | undefined) => text?.split(",").map((part) => part.trim())
    return handlers.handleAll({
      events: ({ headers, query, request }) => {
        const types = list(query.types)
        const wanted = {
          since: headers["last-event-id"] ?? query.since,
          types: types && Events.types.filter((type) => types.includes(type)),
          kinds: list(query.kinds)
        }
        return Events.answer(place, wanted, request)
      },
      // A failure in the middle breaks the connection, which the reader sees.
      feed: ({ query: { follow, ...query } }) =>
        Effect.succeed(Stream.orDie(memory.feed({ ...query, follow: follow !== "false" }))),
      changes: () => Effect.succeed(Stream.map(memory.changes, ({ version, operations }) => ({ version, operations })))
    })
  })
)

const waiting = HttpApiBuilder.group(
  Contract.Private,
  "waiting",
  Effect.fnUntraced(function* (handlers) {
    const memory = yield* Memory
    return handlers.handleAll({ wait: ({ payload }) => memory.waitFor(payload) })
  })
)

const history = HttpApiBuilder.group(
  Contract.Private,
  "history",
  Effect.fnUntraced(function* (handlers) {
    const memory = yield* Memory
    return handlers.handleAll({
      list: ({ query: { kind, id, ...page } }) => Paging.whole(memory.history(kind, id), byVersion)(page),
      erase: ({ query: { kind, id } }) => memory.eraseHistory(kind, id),
      restore: ({ payload: { kind, id, version } }) => memory.restoreVersion(kind, id, version),
      conflicts: ({ payload }) => memory.conflicts(payload)
    })
  })
)

/** The greatest version comes first. */
const byVersion = ({ version }: VersionRow) => String(Number.MAX_SAFE_INTEGER - version).padStart(16, "0")

const peer = HttpApiBuilder.group(
  Contract.Private,
  "peer",
  Effect.fnUntraced(function* (handlers) {
    const peers = yield* Peers
    const show = Effect.fnUntraced(function* (id: string) {
      const row = PeerName.find(yield* peers.status, id)
      if (row === undefined) return yield* new PeerNotFound({ peer: id })
      const { traffic, connections } = yield* peers.counters
      const { node_id: node } = row
      const of = node === null ? undefined : traffic.get(node)
      return {
        ...row,
        bytes_received: of?.bytesReceived ?? 0,
        bytes_sent: of?.bytesSent ?? 0,
        operations_received: of?.operationsReceived ?? 0,
        operations_sent: of?.operationsSent ?? 0,
        digest_mismatches: of?.mismatches ?? 0,
        repairs: of?.repairs ?? 0,
        connections: (node === null ? undefined : connections.get(node)) ?? []
      } satisfies PeerDetail
    })
    const pause = (id: string, isPaused: boolean) =>
      Effect.as(peers.pause(id, isPaused), { node_id: id, is_paused: isPaused })
    return handlers.handleAll({
      show: ({ params }) => show(params.id),
      pause: ({ params }) => pause(params.id, true),
      resume: ({ params }) => pause(params.id, false),
      sync: ({ params }) => peers.sync(params.id)
    })
  })
)

const quarantine = HttpApiBuilder.group(
  Contract.Private,
  "quarantine",
  Effect.fnUntraced(function* (handlers) {
    const { quarantine } = yield* Store
    // The newest first. What is dropped is the oldest, so the numbers are those of one answer.
    const rows = Effect.map(quarantine, (all) => all.map((row, index) => ({ number: index + 1, ...row })).reverse())
    const last = ({ number }: { readonly number: number }) => String(1e9 - number)
    return handlers.handleAll({ list: ({ query }) => Paging.whole(rows, last)(query) })
  })
)

const metrics = HttpApiBuilder.group(
  Contract.Private,
  "metrics",
  Effect.fnUntraced(function* (handlers) {
    const read = yield* Metrics.make
    return handlers.handleAll({ metrics: () => read })
  })
)

const verify = HttpApiBuilder.group(
  Contract.Private,
  "verify",
  Effect.fnUntraced(function* (handlers) {
    const { damage, audit, compare } = Verification.make(yield* Store, (yield* Peers).compare)
    return handlers.handleAll({ damage: () => damage, audit: () => audit, compare: () => compare })
  })
)

const reads = HttpApiBuilder.group(
  Contract.Private,
  "reads",
  Effect.fnUntraced(function* (handlers) {
    const { search, searchPage, recent, newest, facts, get } = yield* Memory
    return handlers.handleAll({
      search: ({ payload }) => Effect.flatMap(Reads.decodeSearchPage(payload), ({ given }) => search(given)),
      searchPage: ({ payload }) => Effect.flatMap(Reads.decodeSearchPage(payload), ({ given }) => searchPage(given)),
      recent: ({ payload }) => Effect.flatMap(Reads.decodeRecent(payload), ({ given }) => recent(given)),
      // It is decoded there.
      newest: ({ payload }) => newest(Object(payload)),
      about: ({ payload }) => Effect.flatMap(Reads.decodeAbout(payload), ({ given }) => facts.about(given)),
      row: ({ query: { kind, id } }) => get(kind, id)
    })
  })
)

const purge = HttpApiBuilder.group(
  Contract.Private,
  "purge",
  Effect.fnUntraced(function* (handlers) {
    const { purge } = Purging.make(yield* Store)
    return handlers.handleAll({ purge: ({ payload }) => purge(payload) })
  })
)

const origins = HttpApiBuilder.group(
  Contract.Private,
  "origins",
  Effect.fnUntraced(function* (handlers) {
    const { list, forget } = Origins.make(yield* Store, (yield* Peers).status)
    return handlers.handleAll({
      list: ({ query }) => Paging.whole(list, ({ origin }) => origin)(query),
      forget: ({ payload }) => forget(payload)
    })
  })
)

const archive = HttpApiBuilder.group(
  Contract.Private,
  "archive",
  Effect.fnUntraced(function* (handlers) {
    const archive = yield* Archive.make(yield* Config)
    return handlers.handleAll({
      header: () => archive.header,
      page: ({ payload }) => archive.page(payload.after),
      take: ({ payload }) => archive.take(payload.lines, payload.isLasting)
    })
  })
)

/** The way to the rows of a kind. A new one is made of a value of any shape. */
const routeOf = <K extends Kind.Kind>(kind: K, collection: Collection<K>) => {
  const verb: K["verb"] = kind.verb
  const inserting: Inserting<K> = collection
  const decode = Inputs.decoder(kind.input)
  return {
    list: (page: Page): Rows<{ readonly id: string }> => collection.list(page),
    insert: (payload: unknown): Write => Effect.flatMap(decode(payload), inserting[verb]),
    remove: isDeleting(collection) ? collection.delete : () => Effect.fail(new NotFound())
  }
}

const isDeleting = (collection: object): collection is Deleting => "delete" in collection

const rows = HttpApiBuilder.group(
  Contract.Private,
  "rows",
  Effect.fnUntraced(function* (handlers) {
    const memory = yield* Memory
    const of = <Name extends keyof Kind.Table>(name: Name, memory: Collections) =>
      routeOf<Kind.Table[Name]>(Kind.table[name], memory[name])
    const routes = new Map<string, ReturnType<typeof of>>(
      Struct.keys(Kind.table).map((name) => [Kind.table[name].path, of(name, memory)])
    )
    const route = ({ params }: { readonly params: { readonly collection: string } }) =>
      Effect.mapError(Effect.fromNullishOr(routes.get(params.collection)), () => new NotFound())
    return handlers.handleAll({
      list: Effect.fnUntraced(function* (request) {
        const { list } = yield* route(request)
        const { after, ...query } = request.query
        return yield* Paging.answer(
          query,
          (page) => list({ ...(after === undefined ? {} : { after }), ...page }),
          ({ id }) => id
        )
      }),
      insert: (request) => Effect.flatMap(route(request), ({ insert }) => insert(request.payload)),
      remove: Effect.fnUntraced(function* (request) {
        return yield* (yield* route(request)).remove(request.query.id)
      }),
      editNote: ({ query, payload }) =>
        Effect.flatMap(Inputs.decodeNoteChange(payload), (change) => memory.notes.edit(query.id, change)),
      setFact: ({ payload }) => Effect.flatMap(Inputs.decodeFact(payload), memory.facts.set)
    })
  })
)

const kinds = HttpApiBuilder.group(
  Contract.Private,
  "kinds",
  Effect.fnUntraced(function* (handlers) {
    const { own } = yield* Memory
    const kinds = Paging.whole(own.kinds, ({ kind }) => kind)
    return handlers.handleAll({
      all: ({ query }) => kinds(query),
      declare: ({ params, payload }) => own.declare(params.kind, payload.columns),
      list: ({ params, query: { cursor, newest, ...query } }) =>
        own.find(params.kind, {
          ...query,
          ...(newest === "true" && { newest: true }),
          ...(cursor !== undefined && cursor !== "" && { cursor })
        }),
      row: ({ params, query }) => own.get(params.kind, query.id),
      // It is decoded there.
      find: ({ params, payload }) => own.find(params.kind, Object(payload)),
      count: ({ params, payload }) => Effect.map(own.count(params.kind, Object(payload)), (count) => ({ count })),
      write: ({ params, query, payload }) => own.write(params.kind, params.verb, { ...query, input: payload })
    })
  })
)

const session = ({ apiPort, browser }: Place) =>
  HttpApiBuilder.group(Contract.Private, "session", (handlers) =>
    handlers.handleAll({
      code: () =>
        Effect.map(Effect.all([browser.code, apiPort]), ([{ code, expiresAt }, port]) => ({
          code,
          expires_at: expiresAt / 1000,
          port
        })),
      end: () =>
        Effect.map(apiPort, (port) =>
          HttpServerResponse.expireCookieUnsafe(HttpServerResponse.empty(), SignIn.cookieName(port ?? 0), cookieOptions)
        )
    })
  )

const cookieOptions = { httpOnly: true, sameSite: "strict", path: "/" } as const

const exchange = Effect.fnUntraced(function* ({ apiPort, browser }: Place, code: string) {
  const cookie = yield* browser.exchange(code)
  if (Option.isNone(cookie)) return yield* new CodeRefused()
  const name = SignIn.cookieName((yield* apiPort) ?? 0)
  return HttpServerResponse.setCookieUnsafe(HttpServerResponse.empty(), name, cookie.value, {
    ...cookieOptions,
    maxAge: SignIn.limits.cookie
  })
})

const signIn = (place: Place) =>
  HttpApiBuilder.group(Contract.Public, "signIn", (handlers) =>
    handlers.handleAll({ signIn: ({ payload }) => exchange(place, payload.code) })
  )

const node = ({ apiPort }: Place) =>
  HttpApiBuilder.group(
    Contract.Public,
    "node",
    Effect.fnUntraced(function* (handlers) {
      const status = yield* NodeState.running(apiPort)
      const peers = yield* Peers
      return handlers.handleAll({
        status: () => status,
        peers: ({ query }) => Paging.whole(peers.status, PeerName.of)(query)
      })
    })
  )

const health = HttpApiBuilder.group(
  Contract.Public,
  "health",
  Effect.fnUntraced(function* (handlers) {
    const check = yield* Health.make
    return handlers.handleAll({
      livez: () => Effect.succeed("ok\n"),
      readyz: ({ query }) => Effect.map(check, (checks) => Health.answer(checks, query.verbose !== undefined))
    })
  })
)

/** The pages: the dashboard, whose data are behind the token. */
const pages = HttpRouter.addAll([
  HttpRouter.route("GET", "/", Assets.serve),
  HttpRouter.route("GET", "/assets/*", Assets.serve)
])

const reference = Layer.unwrap(
  Effect.map(Kinds, (kinds) => {
    const { document, page } = Reference.make(kinds)
    return HttpRouter.addAll([
      HttpRouter.route("GET", "/openapi.json", Effect.sync(document)),
      HttpRouter.route("GET", "/docs", Effect.sync(page))
    ])
  })
)

/** The part that is for the owner of the data directory. */
const makePrivate = (place: Place) =>
  HttpRouter.toHttpEffect(
    Layer.mergeAll(
      HttpApiBuilder.layer(Contract.Private),
      reference,
      Layer.unwrap(Effect.map(NodeState.running(place.apiPort), Mcp.layer))
    ).pipe(
      Layer.provide([
        session(place),
        metrics,
        peer,
        verify,
        quarantine,
        reads,
        purge,
        origins,
        archive,
        events,
        waiting,
        history,
        kinds,
        rows
      ]),
      Layer.provide(NodeHttpServer.layerHttpServices)
    )
  )

/** The part that shows nothing of the memory. */
const makePublic = (place: Place) =>
  HttpRouter.toHttpEffect(
    Layer.merge(HttpApiBuilder.layer(Contract.Public), pages).pipe(
      Layer.provide([node(place), health, signIn(place)]),
      Layer.provide(NodeHttpServer.layerHttpServices)
    )
  )

/**
 * The interface as an HTTP application. A request that the public part does not know goes to the private part, if `owner`
 * lets it.
 */
export const make = Effect.fnUntraced(function* (place: Place) {
  const open = yield* makePublic(place)
  const closed = yield* makePrivate(place)
  return (refusal: Option.Option<HttpServerResponse.HttpServerResponse>) =>
    Effect.catchIf(open, Errors.isRouteNotFound, () =>
      Option.match(refusal, { onNone: () => closed, onSome: Effect.succeed })
    ).pipe(Errors.explained)
})
