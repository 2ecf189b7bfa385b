/**
 * Answers the requests of the contract from the services of the node. Those about the memory are in
 * `MemoryHandlers.ts`.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer, Option } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import * as Archive from "../Archive.ts"
import { Config } from "../../node/Config.ts"
import { Kinds } from "../../memory/OwnKind.ts"
import { Peers } from "../../peers/Peers.ts"
import * as PeerView from "../../peers/PeerView.ts"
import * as Origins from "../Origins.ts"
import * as Purging from "../Purging.ts"
import { Store } from "../../store/Store.ts"
import * as Verification from "../Verification.ts"
import { Collector } from "../../node/Measured.ts"
import { CodeRefused, PeerNotFound } from "../../node/NodeFailure.ts"
import * as PeerName from "../../node/PeerName.ts"
import type { PeerDetail } from "../../node/Status.ts"
import * as Assets from "./Assets.ts"
import * as SignIn from "./SignIn.ts"
import * as Contract from "./Contract.ts"
import * as Errors from "./Errors.ts"
import * as Health from "./Health.ts"
import * as Mcp from "./Mcp.ts"
import * as MemoryHandlers from "./MemoryHandlers.ts"
import * as Exposition from "./Exposition.ts"
import * as Metrics from "./Metrics.ts"
import * as NodeState from "./NodeState.ts"
import * as Printed from "./Printed.ts"
import * as Paging from "./Paging.ts"
import * as Paths from "./Paths.ts"
import * as Reference from "./Reference.ts"

/** What the answers know beside the services. */
export interface Place {
  /** The port on 127.0.0.1, as far as it is taken. */
  readonly apiPort: Effect.Effect<number | null>
  readonly browser: SignIn.SignIn
}

const peer = HttpApiBuilder.group(
  Contract.Private,
  "peer",
  Effect.fnUntraced(function* (handlers) {
    const peers = yield* Peers
    const show = Effect.fnUntraced(function* (id: string) {
      const { peers: rows, absent } = yield* peers.nodes
      const row = PeerName.find(rows, id) ?? PeerName.find(absent.map(PeerView.absentRow), id)
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
    const remove = (id: string, isRemoved: boolean) =>
      Effect.as(peers.remove(id, isRemoved), { node_id: id, is_removed: isRemoved })
    return handlers.handleAll({
      show: ({ params }) => show(params.id),
      pause: ({ params }) => pause(params.id, true),
      resume: ({ params }) => pause(params.id, false),
      remove: ({ params }) => remove(params.id, true),
      readmit: ({ params }) => remove(params.id, false),
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
    yield* (yield* Collector)(read)
    return handlers.handleAll({ metrics: () => Effect.map(read, Exposition.format) })
  })
)

const verify = HttpApiBuilder.group(
  Contract.Private,
  "verify",
  Effect.fnUntraced(function* (handlers) {
    const verification = Verification.make(yield* Store, (yield* Peers).compare)
    const { damage, audit, compare } = verification
    return handlers.handleAll({
      all: () => Verification.all(verification),
      damage: () => damage,
      audit: () => audit,
      compare: () => compare
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

const session = ({ apiPort, browser }: Place) =>
  HttpApiBuilder.group(Contract.Private, "session", (handlers) =>
    handlers.handleAll({
      code: () =>
        Effect.map(Effect.all([browser.code, apiPort]), ([{ code, expiresAt }, port]) => ({
          code,
          expires_at: expiresAt / 1000,
          port,
          host: browser.host() ?? null
        })),
      end: () =>
        Effect.map(apiPort, (port) =>
          HttpServerResponse.expireCookieUnsafe(HttpServerResponse.empty(), SignIn.cookieName(port ?? 0), cookieOptions)
        )
    })
  )

const cookieOptions = { httpOnly: true, sameSite: "strict", path: "/" } as const

const exchange = Effect.fnUntraced(function* ({ apiPort, browser }: Place, code: string) {
  const { headers } = yield* HttpServerRequest.HttpServerRequest
  const name = headers.host?.toLowerCase().replace(/:\d+$/, "")
  // Under another name the cookie would go to other programs too.
  if (name === undefined || name !== browser.host()) return yield* new CodeRefused()
  const cookie = yield* browser.exchange(code)
  if (Option.isNone(cookie)) return yield* new CodeRefused()
  const cookieName = SignIn.cookieName((yield* apiPort) ?? 0)
  return HttpServerResponse.setCookieUnsafe(HttpServerResponse.empty(), cookieName, cookie.value, {
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
        purge,
        origins,
        archive,
        ...MemoryHandlers.groups
      ]),
      Layer.provide(NodeHttpServer.layerHttpServices)
    )
  )

/** The part that shows nothing of the memory. */
const makePublic = (place: Place) =>
  HttpRouter.toHttpEffect(
    Layer.merge(HttpApiBuilder.layer(Contract.Public), pages).pipe(
      Layer.provide([node(place), health, signIn(place), MemoryHandlers.schema]),
      Layer.provide(NodeHttpServer.layerHttpServices)
    )
  )

/**
 * The interface as an HTTP application. A request that the public part does not know goes to the private part, if
 * `owner` lets it.
 */
export const make = Effect.fnUntraced(function* (place: Place) {
  const open = yield* makePublic(place)
  const whole = yield* makePrivate(place)
  const unanswered = Paths.make(Reference.make(yield* Kinds).spec)
  const closed = Effect.flatMap(unanswered, Option.match({ onNone: () => whole, onSome: Effect.succeed }))
  return (refusal: Option.Option<HttpServerResponse.HttpServerResponse>) =>
    Effect.catchIf(open, Errors.isRouteNotFound, () =>
      Option.match(refusal, { onNone: () => closed, onSome: Effect.succeed })
    ).pipe(Errors.explained, Effect.map(Printed.response))
})
