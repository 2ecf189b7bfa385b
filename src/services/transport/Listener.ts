/**
 * The port: whoever comes is admitted within limits and served in a fiber of its own.
 *
 * No arrival can end the listener or hold up another one. Closing the scope closes the port, and with it every connection.
 */
import { Cause, type Duration, Effect, FiberSet, type Scope } from "effect"
import { createServer, type Socket } from "node:net"
import { ListenFailed } from "../Failure.ts"
import { codeOf, diagnose } from "../tls/Diagnosis.ts"
import { type Address, formatAddress } from "../../core/Address.ts"
import { Dropped } from "./Upgrade.ts"

/** Connections at one time, from anywhere and in any state. More are closed at once. */
const maxConnections = 256

/** Connections from one address that are not admitted yet. More are closed at once. */
const maxPendingPerAddress = 8

export interface Door<A> {
  readonly host: string | undefined
  readonly port: number
  /** How long an admission may take. */
  readonly within: Duration.Input
  /** Decides whether to let somebody in. The socket is closed at the latest with the scope. */
  admit(socket: Socket, remote: Address): Effect.Effect<A, Dropped, Scope.Scope>
  serve(admitted: A): Effect.Effect<void, never, Scope.Scope>
}

/** Opens the port and returns its number. */
export const open = Effect.fnUntraced(function* <A>(door: Door<A>) {
  const fibers = yield* FiberSet.make()
  const run = yield* FiberSet.runtime(fibers)()
  const pending = new Map<string, number>()
  const count = (host: string, change: 1 | -1) => {
    const now = (pending.get(host) ?? 0) + change
    if (now === 0) pending.delete(host)
    else pending.set(host, now)
  }

  const welcome = (socket: Socket, remote: Address) =>
    Effect.suspend(() => door.admit(socket, remote)).pipe(
      Effect.timeoutOrElse({
        duration: door.within,
        orElse: () => Effect.fail(new Dropped({ reason: "too slow" }))
      }),
      Effect.ensuring(Effect.sync(() => count(remote.host, -1))),
      Effect.flatMap((admitted) => door.serve(admitted)),
      Effect.scoped,
      Effect.catchTag("Dropped", ({ reason }) =>
        Effect.logDebug("an arrival was sent away").pipe(Effect.annotateLogs({ remote: formatAddress(remote), reason }))
      ),
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.void
          : Effect.logError("serving a connection failed", cause).pipe(
              Effect.annotateLogs({ remote: formatAddress(remote) })
            )
      ),
      Effect.ensuring(Effect.sync(() => socket.destroy()))
    )

  const server = createServer({ noDelay: true })
  server.maxConnections = maxConnections
  server.on("connection", (socket) => {
    // Errors are followed by the close that the reader of the socket sees.
    socket.on("error", () => {})
    const remote = remoteOf(socket)
    if (remote === undefined || (pending.get(remote.host) ?? 0) >= maxPendingPerAddress) return void socket.destroy()
    count(remote.host, 1)
    run(welcome(socket, remote))
  })

  yield* Effect.acquireRelease(
    Effect.callback<void, ListenFailed>((resume) => {
      server.once("error", (cause) => resume(Effect.fail(listenFailed(door, cause))))
      server.listen({ port: door.port, ...(door.host === undefined ? {} : { host: door.host }) }, () =>
        resume(Effect.void)
      )
    }),
    () => Effect.sync(() => server.close())
  )
  // A connection that could not be accepted (too many open files) is lost; the port stays open.
  server.on("error", (error) => {
    run(Effect.logWarning("a connection could not be accepted").pipe(Effect.annotateLogs({ reason: codeOf(error) })))
  })
  const bound = server.address()
  return { port: bound === null || typeof bound === "string" ? door.port : bound.port }
})

/** IPv4 addresses that come in on an IPv6 socket are shown as what they are. */
const remoteOf = ({ remoteAddress, remotePort }: Socket): Address | undefined =>
  remoteAddress === undefined || remotePort === undefined
    ? undefined
    : { host: remoteAddress.replace(/^::ffff:(?=\d+\.)/i, ""), port: remotePort }

const listenFailed = ({ host, port }: Pick<Door<unknown>, "host" | "port">, cause: unknown) => {
  const code = codeOf(cause)
  const detail =
    code === "EADDRINUSE"
      ? "another program uses the port"
      : code === "EACCES"
        ? "this user may not use the port"
        : code === "EADDRNOTAVAIL"
          ? "no interface has this address"
          : diagnose(cause).detail
  return new ListenFailed({ address: formatAddress({ host: host ?? "*", port }), detail, cause })
}
