/**
 * Where the local interface listens.
 *
 * On the Unix socket, everything: the mode of its file lets in its owner alone. On a port of 127.0.0.1, where every user of
 * the machine can ask, how the node is and nothing of its memory; and only for requests whose `Host` names this machine: a
 * page of the web that has its name resolved to 127.0.0.1 gets nothing.
 * Neither can keep a node from running, or from stopping: open requests get a second to end.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, FileSystem, Predicate, type Scope } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import type { ListenOptions } from "node:net"
import { StoreUnavailable } from "../../node/NodeFailure.ts"
import * as Socket from "./Socket.ts"

type App<E> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, HttpServerRequest.HttpServerRequest | Scope.Scope>

/** Serves on the Unix socket until the scope closes. Returns whether it can: not every file system has sockets. */
export const local = Effect.fn("Server.local")(
  function* <E>(socket: string, app: App<E>) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Socket.reachable(socket)
    if (yield* Socket.answers(path)) {
      return yield* new StoreUnavailable({ reason: "locked", detail: `a node already listens on ${socket}` })
    }
    // No answer: the socket was left by a node that died.
    const remove = fs.remove(socket, { force: true })
    yield* remove
    yield* Effect.addFinalizer(() => Effect.ignore(remove))
    const server = yield* listen({ path })
    yield* fs.chmod(socket, 0o600)
    yield* server.serve(app)
    return true
  },
  Effect.catchTag(["ServeError", "PlatformError"], (error) =>
    Effect.as(
      unable("the socket cannot be created: commands for this data directory cannot reach the node", error),
      false
    )
  )
)

/** Serves reading on a port of 127.0.0.1 until the scope closes. Returns the port, or `null` when it cannot be had. */
export const loopback = Effect.fn("Server.loopback")(
  function* <E>(port: number, app: App<E>) {
    const server = yield* listen({ host: "127.0.0.1", port })
    yield* server.serve(guarded(app))
    return server.address._tag === "InetAddressV4" ? server.address.port : null
  },
  (effect, port) =>
    Effect.catchTag(effect, "ServeError", (error) =>
      Effect.as(
        unable(
          `port ${port} cannot be used, so status is not served over HTTP: set FERAL_SYNC_API_PORT (0 for none)`,
          error
        ),
        null
      )
    )
)

const unable = (what: string, { cause }: { readonly cause?: unknown }) =>
  Effect.logWarning(`the local API is limited: ${what}`).pipe(
    Effect.annotateLogs({ cause: Predicate.isError(cause) ? cause.message : String(cause) })
  )

const listen = Effect.fnUntraced(function* (options: ListenOptions) {
  const node = createServer()
  const server = yield* NodeHttpServer.make(() => node, { ...options, gracefulShutdownTimeout: "1 second" })
  // After that second: or a client that never ends its request would hold us.
  yield* Effect.addFinalizer(() => Effect.sync(() => node.closeAllConnections()))
  return server
})

/** Lets through what reads, from this machine, under a name of this machine. */
const guarded = <E>(app: App<E>): App<E> =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    if (!/^(localhost|127\.0\.0\.1)(:\d{1,5})?$/i.test(request.headers["host"] ?? "")) {
      return refusal(403, "This API accepts only the host names localhost and 127.0.0.1.")
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      return refusal(405, "This API is read-only; to write, use the socket in the data directory.")
    }
    return Effect.map(
      app,
      HttpServerResponse.setHeaders({ "cache-control": "no-store", "x-content-type-options": "nosniff" })
    )
  })

const refusal = (status: number, text: string) => Effect.succeed(HttpServerResponse.text(`${text}\n`, { status }))
