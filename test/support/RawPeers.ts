/** Peers that are no feral-sync nodes: raw sockets, raw TLS, plain HTTP. Loopback only; all of them end with the scope. */
import { Effect } from "effect"
import { connect as connectPlain, createServer as createPlain, type Server, type Socket } from "node:net"
import { connect, createServer, type ConnectionOptions, type TLSSocket, type TlsOptions } from "node:tls"

const listening = <S extends Server>(server: S, host = "127.0.0.1") =>
  Effect.acquireRelease(
    Effect.callback<{ readonly server: S; readonly at: { host: string; port: number } }>((resume) => {
      server.listen(0, host, () => {
        const bound = server.address()
        const port = bound === null || typeof bound === "string" ? 0 : bound.port
        resume(Effect.succeed({ server, at: { host, port } }))
      })
    }),
    ({ server }) => Effect.sync(() => server.close())
  )

const kept = (sockets: Set<Socket>) => (socket: Socket) => {
  sockets.add(socket)
  socket.on("error", () => {})
}

const sockets = Effect.acquireRelease(
  Effect.sync(() => new Set<Socket>()),
  (all) => Effect.sync(() => all.forEach((socket) => socket.destroy()))
)

/** A TCP server that does what it is told with each socket. */
export const plainServer = Effect.fnUntraced(function* (onSocket: (socket: Socket) => void) {
  const server = createPlain(onSocket)
  server.on("connection", kept(yield* sockets))
  return yield* listening(server)
})

/** A TLS server that does what it is told with each channel. */
export const tlsServer = Effect.fnUntraced(function* (options: TlsOptions, onChannel: (socket: TLSSocket) => void) {
  const server = createServer(options, onChannel)
  server.on("connection", kept(yield* sockets))
  server.on("secureConnection", kept(new Set()))
  return yield* listening(server)
})

/** What became of a client: the code of its error, and what it was sent. */
export interface Outcome {
  readonly code: string
  readonly received: string
}

const outcome = (socket: Socket, onReady: string, send: string) =>
  Effect.callback<Outcome>((resume) => {
    let code = ""
    let received = ""
    socket.on("error", (error: NodeJS.ErrnoException) => (code ||= error.code ?? error.message))
    socket.on("data", (chunk) => (received += chunk.toString("latin1")))
    socket.on(onReady, () => void socket.write(send))
    socket.on("close", () => resume(Effect.succeed({ code, received })))
    return Effect.sync(() => socket.destroy())
  })

/** Sends a text over TCP, and waits for the end of the connection. */
export const plainClient = (at: { host: string; port: number }, send: string, localAddress?: string) =>
  Effect.suspend(() =>
    outcome(connectPlain({ ...at, ...(localAddress === undefined ? {} : { localAddress }) }), "connect", send)
  )

/** Sends a text over TLS, and waits for the end of the connection. */
export const tlsClient = (at: { host: string; port: number }, options: ConnectionOptions, send = "") =>
  Effect.suspend(() =>
    outcome(connect({ ...at, checkServerIdentity: () => undefined, ...options }), "secureConnect", send)
  )

/** TCP connections that are open and say nothing; returns how many of them are still open. */
export const silentClients = Effect.fnUntraced(function* (port: number, localAddresses: ReadonlyArray<string>) {
  const all = yield* sockets
  const open = new Set<Socket>()
  yield* Effect.forEach(
    localAddresses,
    (localAddress) =>
      Effect.callback<void>((resume) => {
        const socket = connectPlain({ host: "127.0.0.1", port, localAddress }, () => {
          open.add(socket)
          resume(Effect.void)
        })
        kept(all)(socket)
        socket.resume()
        socket.on("close", () => open.delete(socket))
      }),
    { concurrency: 16 }
  )
  return open
})

/** Sends a text byte by byte over TLS or without it, for ever, and waits until it is cut off. */
export const trickle = (at: { host: string; port: number }, over: "tcp" | "tls", head: string) =>
  Effect.callback<void>((resume) => {
    const onReady = () => {
      socket.write(head)
      timer = setInterval(() => socket.write("a"), 20)
    }
    let timer: NodeJS.Timeout | undefined
    const socket: Socket =
      over === "tls" ? connect({ ...at, rejectUnauthorized: false }, onReady) : connectPlain(at, onReady)
    socket.on("error", () => {})
    socket.resume()
    const stop = () => {
      clearInterval(timer)
      socket.destroy()
    }
    socket.on("close", () => {
      stop()
      resume(Effect.void)
    })
    return Effect.sync(stop)
  })
