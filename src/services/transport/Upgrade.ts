/**
 * The HTTP part of a connection: from its first byte to a valid request for an upgrade on the sync path.
 *
 * Everything else gets a short answer and is closed. Nothing here waits for long or keeps much: the head of a request
 * is limited in size, and the whole of it in time by the listener.
 */
import { Data, Effect, Schema } from "effect"
import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { TlsReason } from "../node/NodeFailure.ts"

export const path = "/sync"

/** How two nodes show each other that they speak form 2. */
export const headers = {
  form: "feral-sync",
  nonce: "feral-sync-nonce",
  /** The latest way of beginning that a side knows; the lower one of both is used, 1 where none is named. */
  revision: "feral-sync-revision",
  /** The proof of the ticket that a dialler got from the server before. */
  ticket: "feral-sync-ticket",
  /** Sent by a dialler that hangs up because it does not trust the server: why. */
  refused: "feral-sync-refused",
  /** The same more exactly, in words that nodes of earlier versions do not know. */
  verdict: "feral-sync-verdict"
} as const

/** Bytes of the head of a request; ours has about 400. */
const maxHeaderSize = 8 * 1024

/** A valid request for an upgrade. */
export interface Request {
  readonly message: IncomingMessage
  readonly socket: Duplex
  readonly head: Buffer
}

/** Why a client was rejected. Of interest for debugging alone: port scanners do this all day. */
export class Dropped extends Data.TaggedError("Dropped")<{ readonly reason: string }> {}

/** The dialler does not trust us, and says so. */
export class Distrusted extends Data.TaggedError("Distrusted")<{ readonly reason: TlsReason }> {}

/** The nonce of the other side, if it speaks form 2. */
export const nonceOf = (fields: IncomingMessage["headers"]): string | undefined => {
  const nonce = fields[headers.nonce]
  return fields[headers.form] === "2" && typeof nonce === "string" && /^[\w-]{43}$/.test(nonce) ? nonce : undefined
}

/** The proof of a ticket. */
export const ticketOf = (fields: IncomingMessage["headers"]): string | undefined => {
  const shown = fields[headers.ticket]
  return typeof shown === "string" ? shown : undefined
}

/** The way of beginning that this node knows, and what both sides know. */
export const revision = 2
export const revisionOf = (fields: IncomingMessage["headers"]): 1 | 2 => {
  const named = fields[headers.revision]
  return typeof named === "string" && /^[1-9]\d{0,3}$/.test(named) && Number(named) >= revision ? 2 : 1
}

/** The request of a dialler that hangs up, with the reason. */
export const refusalResponse = (reason: TlsReason): string => {
  const known = isOfFirst(reason) ? reason : "untrusted"
  const fields = [`${headers.refused}: ${known}`, `${headers.verdict}: ${reason}`]
  return [`GET ${path} HTTP/1.1`, "Host: feral-sync", "Connection: close", ...fields, "", ""].join("\r\n")
}

const isOfFirst = (reason: TlsReason): boolean => !["wrong purpose", "invalid certificate", "revoked"].includes(reason)

/** Waits for the request. The caller owns the socket. */
export const request = (socket: Socket): Effect.Effect<Request, Dropped | Distrusted> =>
  serve<Request, Distrusted>(socket, {
    onRequest: (message, resume) => {
      const told = isReason(message.headers[headers.verdict]) ?? isReason(message.headers[headers.refused])
      if (told !== undefined) resume(Effect.fail(new Distrusted({ reason: told })))
      return pathOf(message) === path
        ? { status: 426, body: "This is the sync port of a feral-sync node: it speaks WebSocket.\n" }
        : { status: 404, body: `Only ${path} is served here.\n` }
    },
    onUpgrade: (request, resume) => {
      if (pathOf(request.message) !== path) return { status: 404, body: `Only ${path} is served here.\n` }
      if (request.message.headers.upgrade?.toLowerCase() !== "websocket") {
        return { status: 426, body: "This port speaks WebSocket.\n" }
      }
      resume(Effect.succeed(request))
      return undefined
    }
  })

/** Rejects clients without TLS. `onSync` runs at a request for the sync path: an existing FERAL node. */
export const refusePlain = (socket: Socket, onSync: () => void): Effect.Effect<never, Dropped> => {
  const answer: Answer = {
    status: 426,
    body: "This node requires TLS: without it, the passphrase would be sent in cleartext. Use wss:// or https://.\n"
  }
  return serve<never, never>(socket, {
    onRequest: () => answer,
    onUpgrade: ({ message }) => {
      if (pathOf(message) === path) onSync()
      return answer
    }
  })
}

interface Answer {
  readonly status: number
  readonly body: string
}

interface Handlers<A, E> {
  readonly onRequest: (message: IncomingMessage, resume: (effect: Effect.Effect<A, E | Dropped>) => void) => Answer
  /** An answer, or nothing when the upgrade is taken. */
  readonly onUpgrade: (request: Request, resume: (effect: Effect.Effect<A, E | Dropped>) => void) => Answer | undefined
}

/** HTTP on one socket: one request, and then the upgrade or the end. */
const serve = <A, E>(socket: Socket, { onRequest, onUpgrade }: Handlers<A, E>): Effect.Effect<A, E | Dropped> =>
  Effect.callback<A, E | Dropped>((resume) => {
    // It never listens, so its own time limits do not run: the listener's does.
    const server = createServer({ maxHeaderSize, keepAlive: false })
    const gone = () => resume(Effect.fail(new Dropped({ reason: "closed before the upgrade" })))
    if (socket.destroyed) return gone()
    socket.once("close", gone)
    server.on("request", (message, response) => respond(response, onRequest(message, resume)))
    server.on("upgrade", (message, stream, head) => {
      const answer = onUpgrade({ message, socket: stream, head }, resume)
      if (answer !== undefined) hangUp(stream, answer)
    })
    server.on("clientError", (_error, stream) => hangUp(stream, { status: 400, body: "" }))
    server.emit("connection", socket)
    // It was paused when its first byte was looked at.
    socket.resume()
  })

const respond = (response: ServerResponse, { status, body }: Answer) => {
  response.writeHead(status, { connection: "close", "content-type": "text/plain", "content-length": body.length })
  response.end(body)
}

/**
 * Answers, and leaves it to the other side to close, or to the time limit: closing on unread bytes would lose the
 * answer.
 */
const hangUp = (stream: Duplex, { status, body }: Answer) => {
  // Answered already: bytes after a bad request are bad as well.
  if (!stream.writable) return
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain\r\n`
  stream.resume().end(`${head}Content-Length: ${body.length}\r\n\r\n${body}`)
}

const pathOf = ({ url }: IncomingMessage) => (url ?? "").split("?", 1)[0]

const isReason = (value: string | Array<string> | undefined): TlsReason | undefined =>
  Schema.is(TlsReason)(value) ? value : undefined

/** The first byte of a TLS connection: a record of type handshake. No HTTP request begins with it. */
export const tlsHandshake = 0x16

/** Looks at the first byte and leaves it where it is. */
export const firstByte = (socket: Socket) =>
  Effect.callback<number, Dropped>((resume) => {
    const gone = () => resume(new Dropped({ reason: "closed before the first message" }))
    if (socket.destroyed) return gone()
    socket.once("close", gone)
    socket.once("data", (chunk: Buffer) => {
      socket.pause()
      socket.unshift(chunk)
      resume(Effect.succeed(chunk[0] ?? 0))
    })
  })
