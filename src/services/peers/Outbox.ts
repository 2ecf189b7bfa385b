/**
 * What waits to be written to a connection, in its order. A session whose outbox is full waits, and then nothing more
 * is read.
 */
import { Effect, Fiber, Latch, Queue } from "effect"
import type { Action } from "../../core/sync/SessionEvents.ts"
import { times } from "../../core/sync/SessionLimits.ts"
import { type PeerClosed, PeerTimeout } from "../../core/sync/SyncFailure.ts"
import type { Connection } from "../transport/Transport.ts"

/** Outgoing actions. */
export type Outgoing = Extract<Action, { readonly _tag: "Send" | "Ping" | "Close" }>

/** Several times the protocol's credit, and the largest frame besides. */
const limits = { frames: 1_024, text: 16 * 1024 * 1024 } as const

/** `send` writes a message. Runs until the scope closes. */
export const make = Effect.fnUntraced(function* (
  connection: Pick<Connection, "ping" | "close">,
  send: (action: Extract<Outgoing, { readonly _tag: "Send" }>) => Effect.Effect<void, PeerClosed>
) {
  // Holds more than the protocol's credit allows to be under way. Only existing FERAL nodes, which give no credit, and
  // peers that acknowledge what they have not read fill it up: then the session waits, and nothing more is read from
  // the network.
  const outbox = yield* Queue.bounded<Outgoing>(limits.frames + 1)
  const room = yield* Latch.make(true)
  const queued = { frames: 0, text: 0 }
  const count = (action: Outgoing, by: 1 | -1) => {
    queued.frames += by
    if (action._tag === "Send") queued.text += by * action.text.length
    if (queued.frames < limits.frames && queued.text < limits.text) room.openUnsafe()
    else room.closeUnsafe()
  }
  const post = Effect.fnUntraced(function* (action: Outgoing) {
    if (!room.isOpen() && action._tag !== "Close") {
      yield* room.await.pipe(
        Effect.timeoutOrElse({
          duration: times.timeout,
          orElse: () => new PeerTimeout({ waitedFor: "reading", seconds: times.timeout / 1000 })
        })
      )
    }
    if (Queue.offerUnsafe(outbox, action)) count(action, 1)
  })

  /** Writes what waits, up to a close. */
  const write = Effect.fnUntraced(function* (): Effect.fn.Return<void, PeerClosed> {
    for (;;) {
      const action = yield* Queue.take(outbox)
      if (action._tag === "Send") yield* send(action)
      else if (action._tag === "Ping") yield* connection.ping
      else return yield* connection.close(action.code, action.reason)
      count(action, -1)
    }
  })

  return {
    /** Waits while there is no room. */
    post,
    /** Starts to write. Returned is what waits until all is written, or the connection is lost. */
    writing: Effect.map(
      write().pipe(
        // The reader sees the loss as well, and reports it. No fiber waits for room any more.
        Effect.ignore,
        Effect.ensuring(
          Effect.andThen(
            Queue.shutdown(outbox),
            Effect.sync(() => room.openUnsafe())
          )
        ),
        Effect.forkScoped
      ),
      (writer) => Fiber.await(writer)
    )
  }
})
