/**
 * The connection of one WebSocket: frames of text with backpressure both ways, and an end.
 *
 * It ends in exactly one way: `incoming` fails with the code and reason of the close, or with 1006, after every frame
 * that came before.
 */
import { Cause, Deferred, Effect, Exit, Latch, Option, Queue, type Redacted } from "effect"
import type { Duplex } from "node:stream"
import { type RawData, WebSocket } from "ws"
import type { Address } from "../../core/peers/Address.ts"
import { PeerClosed } from "../../core/sync/SyncFailure.ts"
import { closeCodes, limits } from "../../core/sync/Wire.ts"
import { codeOf } from "./tls/Diagnosis.ts"
import type { Connection, Incoming } from "./Transport.ts"
import { Dropped } from "./Upgrade.ts"

/** Frames that wait to be taken. When one does not fit, nothing more is read from the network until it does. */
const queuedFrames = 16

/** Bytes that may wait to be sent before a sender has to wait. */
const sendBuffer = 1024 * 1024

/** How long a peer has to answer a close, in ms. */
export const closeWithin = 1000

/** The facts about a connection from its handshake. */
export interface Facts {
  readonly remote: Address
  readonly nonces: Connection["nonces"] | undefined
  readonly revision: Connection["revision"]
  readonly binding: Redacted.Redacted<Uint8Array>
  readonly tls: Connection["tls"]
  readonly ticketId?: Connection["ticketId"]
}

/** The connection of a paused WebSocket, over its stream. */
export const make = Effect.fnUntraced(function* (socket: WebSocket, stream: Duplex, { nonces, ...facts }: Facts) {
  const incoming = yield* Queue.bounded<Incoming, PeerClosed>(queuedFrames)
  const ended = yield* Deferred.make<never, PeerClosed>()
  // Frames that did not fit: at most what one read from the socket held, for reading stops with the first of them.
  const overflow: Array<Incoming> = []
  const overflowed = yield* Latch.make(false)
  let closing = false
  let fault: PeerClosed | undefined
  let over: PeerClosed | undefined

  const deliver = (item: Incoming) => {
    // After our own close no frame matters; reading goes on only to see the answer.
    if (closing) return
    if (overflow.length === 0 && !overflowed.isOpen() && Queue.offerUnsafe(incoming, item)) return
    // Where frames wait, there is life.
    if (item._tag === "Alive") return
    overflow.push(item)
    socket.pause()
    overflowed.openUnsafe()
  }

  const drain = Effect.gen(function* () {
    while (overflow.length > 0) yield* Queue.offerAll(incoming, overflow.splice(0))
    overflowed.closeUnsafe()
    if (over !== undefined) Queue.failCauseUnsafe(incoming, Cause.fail(over))
    else socket.resume()
  })

  const shut = (code: number, reason: string) => {
    if (closing) return
    closing = true
    socket.close(code, shortened(reason))
    socket.resume()
  }

  const finish = (code: number, reason: string) => {
    over = fault ?? new PeerClosed({ code, reason })
    Deferred.doneUnsafe(ended, Effect.fail(over))
    if (!overflowed.isOpen()) Queue.failCauseUnsafe(incoming, Cause.fail(over))
  }

  yield* Effect.addFinalizer((exit) =>
    Effect.suspend(() => {
      if (Exit.isSuccess(exit)) shut(1000, "")
      else if (isLate(exit)) shut(closeCodes.timeout, "timeout")
      else shut(1001, "going away")
      return Deferred.await(ended)
    }).pipe(
      Effect.ignore,
      Effect.timeoutOption(closeWithin),
      Effect.andThen(
        Effect.sync(() => {
          socket.terminate()
          Queue.failCauseUnsafe(incoming, Cause.fail(over ?? new PeerClosed({ code: 1006, reason: "" })))
        })
      )
    )
  )
  yield* overflowed.await.pipe(Effect.andThen(drain), Effect.forever, Effect.forkScoped)

  // A peer that has sent nothing yet may send one hello. Nothing is read after that.
  let waited: number | undefined = 0
  const measure = (chunk: Buffer) => {
    if (waited === undefined) return
    waited += chunk.length
    if (waited <= limits.greetingBytes || closing) return
    fault = new PeerClosed({ code: 1009, reason: "the peer sent a hello over our limit", byUs: true })
    shut(1009, "a hello over the limit")
    socket.pause()
  }
  stream.on("data", measure)
  socket.once("message", () => {
    waited = undefined
    stream.off("data", measure)
  })

  socket.on("message", (data: RawData, isBinary) => {
    if (isBinary || !Buffer.isBuffer(data)) return shut(1003, "text frames only")
    deliver({ _tag: "Frame", text: data.toString("utf8"), bytes: data.length })
  })
  socket.on("ping", (data) => {
    // A peer that pings without reading the answers gets no more of them: they would pile up here.
    if (!closing && socket.bufferedAmount <= sendBuffer) socket.pong(data)
    deliver({ _tag: "Alive" })
  })
  socket.on("pong", () => deliver({ _tag: "Alive", isAnswer: true }))
  socket.on("error", (error) => {
    if (codeOf(error) === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") {
      const variable = nonces === undefined ? "FERAL_SYNC_LEGACY_MAX_RECV_BYTES" : "FERAL_SYNC_MAX_RECV_BYTES"
      const advice = `raise ${variable} on this node`
      fault = new PeerClosed({ code: 1009, reason: "the peer sent a frame over our limit", byUs: true, advice })
    }
  })
  socket.on("close", (code, reason) => finish(code, reason.toString("utf8")))
  if (socket.readyState === WebSocket.CLOSED) finish(1006, "")
  else socket.resume()

  /** Hands something to the socket; waits for it when much is waiting already. */
  const write = (hand: (done: (error?: Error) => void) => void) =>
    Effect.callback<void, PeerClosed>((resume) => {
      if (socket.readyState !== WebSocket.OPEN) return resume(Deferred.await(ended))
      hand((error) => resume(error ? Deferred.await(ended) : Effect.void))
      if (socket.bufferedAmount <= sendBuffer) resume(Effect.void)
    })

  return {
    ...facts,
    form: nonces === undefined ? 1 : 2,
    nonces: nonces ?? { dialler: "", server: "" },
    incoming: Queue.asDequeue(incoming),
    send: (text) => write((done) => socket.send(text, done)),
    ping: write((done) => socket.ping(undefined, undefined, done)),
    close: (code, reason) => Effect.sync(() => shut(code, reason))
  } satisfies Connection
})

/** Whether a connection ends because its other side took too long to prove itself. */
const isLate = (exit: Exit.Exit<unknown, unknown>) =>
  Option.exists(Exit.findErrorOption(exit), (error) => error instanceof Dropped)

/** At most 123 bytes: what fits in a close frame. */
const shortened = (reason: string): string => {
  let text = reason.slice(0, 123)
  while (Buffer.byteLength(text) > 123) text = text.slice(0, -1)
  return text
}
