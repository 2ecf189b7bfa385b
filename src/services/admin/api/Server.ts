/**
 * Where the local interface listens.
 *
 * On the Unix socket, everything: the mode of its file lets in its owner alone. On a port of 127.0.0.1, where every
 * user of the machine and every page of the web can ask, it depends on what they show (`Guard.ts`). Neither can keep a
 * node from running, or from stopping: open requests get a second to end.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { ByteSize, type Duration, Effect, FileSystem, Option, Predicate, Schedule, type Scope, Stream } from "effect"
import { HttpBody, HttpServerRequest, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import type { ListenOptions } from "node:net"
import * as Home from "../../node/Home.ts"
import { StoreUnavailable } from "../../node/NodeFailure.ts"
import * as Errors from "./Errors.ts"
import * as Guard from "./Guard.ts"
import * as Socket from "./Socket.ts"

/** Connections at once, and the bytes of one request. */
export const limits = { connections: { port: 256, socket: 1_024 }, body: 64 * 1024 * 1024 } as const

type App<E> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, HttpServerRequest.HttpServerRequest | Scope.Scope>

/** Serves on the Unix socket until the scope closes. Returns whether it can: not every file system has sockets. */
export const local = Effect.fn("Server.local")(
  function* <E>(socket: string, app: Interface<E>) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Socket.reachable(socket)
    if (yield* Socket.answers(path)) {
      return yield* new StoreUnavailable({ reason: "locked", detail: `a node already listens on ${socket}` })
    }
    // No answer: the socket was left by a node that died.
    const remove = fs.remove(socket, { force: true })
    yield* remove
    yield* Effect.addFinalizer(() => Effect.ignore(remove))
    const server = yield* listen({ path }, limits.connections.socket)
    yield* fs.chmod(socket, 0o600)
    yield* server.serve(owned(app))
    return true
  },
  Effect.catchTag(["ServeError", "PlatformError"], (error) =>
    Effect.as(
      unable("the socket cannot be created: commands for this data directory cannot reach the node", error),
      false
    )
  )
)

/** What is served on a port of this machine. */
export interface Loopback {
  /** The port; `null` when it cannot be had. */
  readonly port: number | null
  /** Whether a browser that is sent to a name under `localhost` comes to this node, whichever address it takes. */
  readonly isAlone: boolean
}

/**
 * Serves on a port of 127.0.0.1 until the scope closes, and on the same port of ::1, for browsers try that first:
 * another user who had it would get what is meant for this node.
 */
export const loopback = Effect.fn("Server.loopback")(
  function* <E>(port: number, app: Interface<E>, credentials: Guard.Credentials) {
    const server = yield* listen({ host: "127.0.0.1", port }, limits.connections.port)
    yield* server.serve(guarded(app, credentials))
    if (server.address._tag !== "InetAddressV4") return { port: null, isAlone: false } satisfies Loopback
    const taken = server.address.port
    const isAlone = yield* listen({ host: "::1", port: taken, ipv6Only: true }, limits.connections.port).pipe(
      Effect.flatMap((other) => other.serve(guarded(app, credentials))),
      Effect.as(true),
      Effect.catchTag("ServeError", ({ cause }) =>
        // A machine without IPv6 has no such address, for any program.
        Effect.succeed(["EADDRNOTAVAIL", "EAFNOSUPPORT"].includes(Home.codeOf(cause) ?? ""))
      )
    )
    return { port: taken, isAlone } satisfies Loopback
  },
  (effect, port) =>
    Effect.catchTag(effect, "ServeError", (error) =>
      Effect.as(
        unable(
          `port ${port} cannot be used, so nothing is served over HTTP: set FERAL_SYNC_API_PORT (0 for none)`,
          error
        ),
        { port: null, isAlone: false } satisfies Loopback
      )
    )
)

const unable = (what: string, { cause }: { readonly cause?: unknown }) =>
  Effect.logWarning(`the local API is limited: ${what}`).pipe(
    Effect.annotateLogs({ cause: Predicate.isError(cause) ? cause.message : String(cause) })
  )

const listen = Effect.fnUntraced(function* (options: ListenOptions, connections: number) {
  const node = createServer({
    requireHostHeader: false,
    headersTimeout: 10_000,
    requestTimeout: 120_000,
    maxHeaderSize: 16 * 1024
  })
  node.maxConnections = connections
  const server = yield* NodeHttpServer.make(() => node, { ...options, gracefulShutdownTimeout: "1 second" })
  // After that second: or a client that never ends its request would hold us.
  yield* Effect.addFinalizer(() => Effect.sync(() => node.closeAllConnections()))
  return server
})

/** What a request may have besides the public part: everything, or this answer instead. */
export type Interface<E> = (refusal: Option.Option<HttpServerResponse.HttpServerResponse>) => App<E>

/** The interface on the socket: a program that can open it owns the data directory. */
const owned = <E>(app: Interface<E>): App<E> =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    const { httpVersion, headers } = NodeHttpServerRequest.toIncomingMessage(request)
    return httpVersion === "1.1" && headers.host === undefined
      ? Effect.succeed(Errors.answer(400, withoutHost))
      : limited(app(Option.none()))
  })

/** The interface as it is on the port. */
const guarded = <E>(app: Interface<E>, credentials: Guard.Credentials): App<E> =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    const head = headOf(request)
    const verdict = Guard.judge(head, credentials)
    const answer: App<E> =
      verdict._tag === "Refused"
        ? Effect.succeed(Errors.answer(verdict.status, verdict.error))
        : verdict._tag === "Owner"
          ? Effect.map(
              app(Option.none()),
              endedWhen(() => Guard.judge(head, credentials)._tag !== "Owner")
            )
          : verdict.mayOnlyRead && head.method !== "GET" && head.method !== "HEAD"
            ? Effect.succeed(Errors.answer(403, withoutOrigin))
            : verdict.isTokenWrong
              ? Effect.succeed(unauthorized(wrongToken))
              : app(Option.some(unauthorized(noToken)))
    return Effect.map(limited(answer), harden)
  })

/** How often it is looked at whether the reader of an answer that goes on may still have it. */
const everyLook: Duration.Input = "250 millis"

/** An answer that goes on ends when the token was rotated, or when the cookie has expired. */
const endedWhen =
  (isOver: () => boolean) =>
  (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse => {
    const { body } = response
    if (body._tag !== "Stream") return response
    const over = Effect.repeat(Effect.sync(isOver), { schedule: Schedule.spaced(everyLook), until: (isIt) => isIt })
    const stream = Stream.interruptWhen(body.stream, over)
    return HttpServerResponse.setBody(response, HttpBody.stream(stream, body.contentType, body.contentLength))
  }

const headOf = (request: HttpServerRequest.HttpServerRequest): Guard.Head => {
  const { method = "", url = "", rawHeaders } = NodeHttpServerRequest.toIncomingMessage(request)
  const headers: Array<readonly [string, string]> = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    headers.push([rawHeaders[index] ?? "", rawHeaders[index + 1] ?? ""])
  }
  return { method, target: url, headers }
}

const harden = (response: HttpServerResponse.HttpServerResponse) =>
  HttpServerResponse.setHeaders(response, {
    "cache-control": response.headers["cache-control"] ?? "no-store",
    "x-content-type-options": "nosniff"
  })

/** A request that says that it is too large is answered before it is read, and the connection ends. */
const limited = <E>(app: App<E>): App<E> =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers }) =>
    Number(headers["content-length"] ?? 0) > limits.body
      ? Effect.succeed(HttpServerResponse.setHeader(Errors.answer(413, tooLarge), "connection", "close"))
      : Effect.provideService(app, HttpServerRequest.MaxBodySize, ByteSize.bytes(limits.body))
  )

const unauthorized = (told: Parameters<typeof Errors.answer>[1]) =>
  HttpServerResponse.setHeader(Errors.answer(401, told), "www-authenticate", 'Bearer realm="feral-sync"')

const noToken = {
  _tag: "TokenRequired",
  problem: "this needs the token of the node",
  nextStep: 'send "Authorization: Bearer TOKEN" with the file "token" of the data directory, or run "feral-sync open"'
}

const wrongToken = {
  _tag: "TokenWrong",
  problem: "this is not the token of the node",
  nextStep: 'read the file "token" of the data directory again: it may have been rotated'
}

const tooLarge = {
  _tag: "RequestTooLarge",
  problem: `the request is larger than ${limits.body / 1024 / 1024} MiB`,
  nextStep: "send less in one request"
}

const withoutHost = {
  _tag: "RequestInvalid",
  problem: "the request has no Host header",
  nextStep: "send one Host header, such as localhost"
}

const withoutOrigin = {
  _tag: "OriginNotAllowed",
  problem: "a page without an origin sent the request",
  nextStep: "use the page that this node serves, or a program with the token"
}
