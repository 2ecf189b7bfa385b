/**
 * What happens at the node, as server-sent events: changes of the memory, and states of peers.
 *
 * The id of an event is the cursor of the change feed (`Store.feed`). A reader that comes back with `Last-Event-ID`
 * goes on where it was, also when node or reader have restarted, without a gap or a repetition. `seq` in the data rises
 * by one with each event of a connection: a jump means that something was missed on the way.
 *
 * The next event is read once the last one is in a short queue, so a slow reader costs no more than the queue. An event
 * has up to 1 MiB, or one operation. A reader that takes nothing is cut, and told so by a last event. When it does not
 * take that either, the connection is closed.
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Context, type Duration, Effect, Equal, Queue, Schema, Stream } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { Operation } from "../../../core/replica/Operation.ts"
import type { StoreUnavailable } from "../../node/NodeFailure.ts"
import type { PeerStatus } from "../../node/Status.ts"
import type { Memory } from "../../memory/Memory.ts"
import type { Peers } from "../../peers/Peers.ts"
import * as Errors from "./Errors.ts"

/** Readers at once, events that wait for one, and how long a full queue is waited for. */
export const Limits = Context.Reference("feral-sync/services/admin/api/Events/Limits", {
  defaultValue: () => ({ readers: 32, waiting: 4, patience: "30 seconds" as Duration.Input })
})

/** How often the states of peers are looked at, and how often a reader is told that the node is still there. */
const every = { peers: "1 second", alive: "15 seconds" } as const

export const types = ["change", "peer"] as const
export type Type = (typeof types)[number]

export interface Wanted {
  /** The id of the last event that was seen. */
  readonly since: string | undefined
  readonly types: ReadonlyArray<Type> | undefined
  readonly kinds: ReadonlyArray<string> | undefined
}

interface Event {
  readonly event: "change" | "reset" | "peer" | "alive"
  readonly id?: string
  readonly data?: unknown
}

/** Its readers share this. */
export interface Place {
  readonly memory: Memory["Service"]
  readonly peers: Peers["Service"]
  readonly limits: typeof Limits.Service
  readers: number
}

const encodeOperations = Schema.encodeSync(Schema.Array(Operation))

/** The answer to a reader. */
export const answer = Effect.fnUntraced(function* (
  place: Place,
  wanted: Wanted,
  request: HttpServerRequest.HttpServerRequest
) {
  if (place.readers >= place.limits.readers) {
    return Errors.answer(503, {
      _tag: "TooManyReaders",
      problem: `${place.limits.readers} programs are already reading the events`,
      nextStep: "stop one of them, and try again"
    })
  }
  const hangUp = Effect.sync(() => NodeHttpServerRequest.toIncomingMessage(request).socket.destroy())
  return HttpServerResponse.stream(Stream.encodeText(lines(place, wanted, hangUp)), {
    contentType: "text/event-stream; charset=utf-8",
    headers: { "x-accel-buffering": "no" }
  })
})

const lines = (place: Place, wanted: Wanted, hangUp: Effect.Effect<unknown>): Stream.Stream<string> =>
  Stream.unwrap(
    Effect.gen(function* () {
      place.readers += 1
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          place.readers -= 1
        })
      )
      let seq = 0
      const waiting = yield* Queue.bounded<string, "over">(place.limits.waiting)
      const text = ({ event, id, data }: Event) => {
        if (event === "alive") return ": alive\n\n"
        seq += 1
        const head = `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}`
        return `${head}data: ${JSON.stringify({ seq, ...Object(data) })}\n\n`
      }
      const send = (event: Event) =>
        Queue.offer(waiting, text(event)).pipe(
          Effect.timeoutOrElse({ duration: place.limits.patience, orElse: () => Effect.fail("slow" as const) })
        )
      const wants = (type: Type) => wanted.types === undefined || wanted.types.includes(type)
      const all = Stream.mergeAll(
        [
          ...(wants("change") ? [changes(place, wanted)] : []),
          ...(wants("peer") ? [states(place)] : []),
          Stream.map(Stream.tick(every.alive), (): Event => ({ event: "alive" }))
        ],
        { concurrency: "unbounded", bufferSize: 1 }
      )
      yield* Stream.runForEach(all, send).pipe(
        // What the store cannot give ends the answer as well: the reader comes back with its id.
        Effect.catch((error) => cut(waiting, error === "slow" ? "slow" : "store")),
        Effect.andThen(Effect.sleep(place.limits.patience)),
        Effect.andThen(hangUp),
        Effect.forkScoped
      )
      return Stream.fromQueue(waiting).pipe(Stream.catch(() => Stream.empty))
    })
  )

/** Ends the events of a reader, with the reason. */
const cut = Effect.fnUntraced(function* (waiting: Queue.Queue<string, "over">, reason: "slow" | "store") {
  yield* Queue.clear(waiting)
  yield* Queue.offer(waiting, `event: end\ndata: ${JSON.stringify({ reason, nextStep: comeBack })}\n\n`)
  yield* Queue.fail(waiting, "over")
})

const comeBack = "connect again with the last id as Last-Event-ID"

const changes = ({ memory }: Place, { since, kinds }: Wanted): Stream.Stream<Event, StoreUnavailable> =>
  Stream.map(memory.feed({ since, kinds }), (event): Event => {
    if (event._tag === "Reset") return { event: "reset", id: event.cursor }
    return { event: "change", id: event.cursor, data: { operations: encodeOperations(event.operations) } }
  })

/** The states of peers that are new or have changed; all of them at first. */
const states = ({ peers }: Place): Stream.Stream<Event> => {
  let before: ReadonlyMap<string, PeerStatus> = new Map()
  return Stream.tick(every.peers).pipe(
    Stream.mapEffect(() => peers.status),
    Stream.flatMap((rows: ReadonlyArray<PeerStatus>) => {
      const now = new Map(rows.map((row) => [row.node_id ?? `${row.address} ${row.port}`, row] as const))
      const changed = [...now].filter(([key, row]) => !Equal.equals(before.get(key), row)).map(([, row]) => row)
      const gone = [...before].filter(([key]) => !now.has(key)).map(([, row]) => row)
      before = now
      return Stream.fromIterable([
        ...changed.map((peer): Event => ({ event: "peer", data: { peer } })),
        ...gone.map((peer): Event => ({ event: "peer", data: { peer, is_gone: true } }))
      ])
    })
  )
}
