/**
 * The port: clients are admitted within limits (`core/peers/Admission.ts`), each served in a fiber of its own.
 *
 * No client can end the listener or delay another one. A client that has not proved itself within the time limit is
 * rejected, whatever it has sent by then. Closing the scope closes the port, and with it every connection.
 */
import { Cause, Clock, Deferred, type Duration, Effect, FiberSet, type Scope } from "effect"
import { createServer, type Socket } from "node:net"
import { type Address, formatAddress, networkOf } from "../../core/peers/Address.ts"
import * as Admission from "../../core/peers/Admission.ts"
import { ListenFailed } from "../node/NodeFailure.ts"
import { codeOf, diagnose } from "./tls/Diagnosis.ts"
import * as Throttle from "./Throttle.ts"
import { Dropped } from "./Upgrade.ts"

/** Asks for a place after the upgrade, among the pending clients, or among the members that have shown a ticket. */
export type Enter = (hasTicket: boolean) => Effect.Effect<void, Dropped>

/** How often it is told that arrivals are refused for one limit, or cannot be accepted, in ms. */
const reportEvery = 60_000

export interface ListenerOptions<A> {
  readonly host: string | undefined
  readonly port: number
  /** How long a client may take from its first packet until it has proved itself. */
  readonly within: Duration.Input
  /** Decides whether to accept a client, and asks for its place. The socket is closed at the latest with the scope. */
  admit(socket: Socket, remote: Address, enter: Enter): Effect.Effect<A, Dropped, Scope.Scope>
  /** Serves an accepted client; `proved` runs when it has proved itself. */
  serve(admitted: A, proved: Effect.Effect<void>): Effect.Effect<void, never, Scope.Scope>
}

/** Opens the port and returns its number. */
export const open = Effect.fnUntraced(function* <A>(options: ListenerOptions<A>) {
  const fibers = yield* FiberSet.make()
  const run = yield* FiberSet.runtime(fibers)()
  const clock = yield* Clock.Clock
  const reports = Throttle.make(reportEvery)
  const sockets = new Map<number, Socket>()
  const refusals = { network: 0, all: 0 }
  let admission = Admission.empty
  let arrivals = 0

  const enter =
    (id: number, remote: Address): Enter =>
    (hasTicket) =>
      Effect.suspend(() => {
        const verdict = Admission.enter(admission, id, hasTicket, clock.currentTimeMillisUnsafe())
        if (verdict._tag === "Admitted") return Effect.sync(() => take(verdict))
        refuse(verdict.limit, remote)
        return new Dropped({ reason: "too many unauthenticated connections" })
      })

  /** Applies a verdict; a connection that has to give way is closed at once. */
  const take = (verdict: Extract<Admission.Verdict, { _tag: "Admitted" }>) => {
    admission = verdict.admission
    if (verdict.instead !== undefined) sockets.get(verdict.instead)?.destroy()
  }

  const welcome = Effect.fnUntraced(function* (id: number, socket: Socket, remote: Address) {
    const proved = yield* Deferred.make<void>()
    const prove = Effect.sync(() => {
      admission = Admission.prove(admission, id)
      Deferred.doneUnsafe(proved, Effect.void)
    })
    const tooSlow = Deferred.await(proved).pipe(
      Effect.timeoutOrElse({
        duration: options.within,
        orElse: () => new Dropped({ reason: "authentication timeout" })
      }),
      Effect.andThen(Effect.never)
    )
    yield* options.admit(socket, remote, enter(id, remote)).pipe(
      Effect.flatMap((admitted) => options.serve(admitted, prove)),
      Effect.raceFirst(tooSlow)
    )
  })

  const served = (id: number, socket: Socket, remote: Address) =>
    welcome(id, socket, remote).pipe(
      Effect.scoped,
      Effect.catchTag("Dropped", ({ reason }) =>
        Effect.logDebug("connection rejected").pipe(Effect.annotateLogs({ remote: formatAddress(remote), reason }))
      ),
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.void
          : Effect.logError("serving a connection failed", cause).pipe(
              Effect.annotateLogs({ remote: formatAddress(remote) })
            )
      ),
      Effect.ensuring(
        Effect.sync(() => {
          admission = Admission.leave(admission, id)
          sockets.delete(id)
          socket.destroy()
        })
      )
    )

  /** Tells of arrivals that are closed unheard, now and then: there may be thousands of them. */
  const refuse = (limit: "network" | "all", { host }: Address) => {
    refusals[limit]++
    const warn = Effect.suspend(() => {
      const facts = { limit, refused: refusals[limit], last: host }
      refusals[limit] = 0
      return Effect.logWarning("connection limit reached, rejecting new connections").pipe(Effect.annotateLogs(facts))
    })
    run(reports.pass(limit, warn))
  }

  const server = createServer({ noDelay: true })
  server.on("connection", (socket) => {
    // Errors are followed by the close that the reader of the socket sees.
    socket.on("error", () => {})
    const remote = remoteOf(socket)
    if (remote === undefined) return void socket.destroy()
    const id = ++arrivals
    const verdict = Admission.arrive(admission, id, networkOf(remote.host), clock.currentTimeMillisUnsafe())
    if (verdict._tag === "Refused") {
      socket.destroy()
      return refuse(verdict.limit, remote)
    }
    take(verdict)
    sockets.set(id, socket)
    run(served(id, socket, remote))
  })

  yield* Effect.acquireRelease(
    Effect.callback<void, ListenFailed>((resume) => {
      server.once("error", (cause) => resume(Effect.fail(listenFailed(options, cause))))
      server.listen({ port: options.port, ...(options.host === undefined ? {} : { host: options.host }) }, () =>
        resume(Effect.void)
      )
    }),
    () => Effect.sync(() => server.close())
  )
  // A connection that could not be accepted (too many open files) is lost; the port stays open.
  server.on("error", (error) => {
    const line = Effect.logWarning("accepting a connection failed").pipe(Effect.annotateLogs({ reason: codeOf(error) }))
    run(reports.pass("accept", line))
  })
  const bound = server.address()
  return { port: bound === null || typeof bound === "string" ? options.port : bound.port }
})

/** IPv4 addresses that come in on an IPv6 socket are shown as what they are. */
const remoteOf = ({ remoteAddress, remotePort }: Socket): Address | undefined =>
  remoteAddress === undefined || remotePort === undefined
    ? undefined
    : { host: remoteAddress.replace(/^::ffff:(?=\d+\.)/i, ""), port: remotePort }

const listenFailed = ({ host, port }: Pick<ListenerOptions<unknown>, "host" | "port">, cause: unknown) => {
  const address = formatAddress({ host: host ?? "*", port })
  const known = listenErrors[codeOf(cause)]
  if (known === undefined) return new ListenFailed({ address, detail: diagnose(cause).detail, cause })
  return new ListenFailed({ address, ...known, cause })
}

const notOurs = {
  detail: "this machine does not have the address",
  advice: "set FERAL_SYNC_HOST to an address of this machine, or leave it out to listen on all"
}

const listenErrors: { readonly [code: string]: { readonly detail: string; readonly advice: string } } = {
  EADDRINUSE: {
    detail: "another program uses the port",
    advice: "stop it, or set FERAL_SYNC_PORT (0 takes any free port)"
  },
  EACCES: {
    detail: "this user may not use a port below 1024",
    advice: "set FERAL_SYNC_PORT to 1024 or higher, for example 9090"
  },
  EADDRNOTAVAIL: notOurs,
  // A zone that names no interface.
  EINVAL: notOurs,
  ENOTFOUND: { ...notOurs, detail: "host name not found" },
  EAI_AGAIN: { ...notOurs, detail: "host name lookup failed" }
}
