/**
 * Runs one session over one connection: carries what happens to the state machine of its protocol
 * (`core/sync/Session.ts`, `core/sync/v1/V1Exchange.ts`), and carries out what that asks for. It decides nothing about
 * the protocol.
 */
import { Effect, Option, Queue, Result, type Scope, Stream } from "effect"
import * as SchemaJITCompiler from "effect/schema/SchemaJITCompiler"
import { type DuplicateNodeId, PeerClosed, type PeerTimeout, type SessionFailure } from "../../core/sync/SyncFailure.ts"
import { WireOperation } from "../../core/replica/Operation.ts"
import type { Change } from "../../core/replica/Replica.ts"
import type * as Session from "../../core/sync/Session.ts"
import type { Machine } from "../../core/sync/SessionMachine.ts"
import { times } from "../../core/sync/SessionLimits.ts"
import { closeCodes } from "../../core/sync/Wire.ts"
import { HlcClock, monotonic } from "../node/HlcClock.ts"
import type { StoreUnavailable } from "../node/NodeFailure.ts"
import { Store } from "../store/Store.ts"
import * as Outbox from "./Outbox.ts"
import type { Running, SessionHandler } from "./RunningSession.ts"
import * as Tracing from "./Tracing.ts"
import * as Traffic from "./Traffic.ts"
import type { Connection, Incoming } from "../transport/Transport.ts"

// Every operation that comes in is checked with it: compiled, that takes half the time.
SchemaJITCompiler.enable(WireOperation.ast)

/** The events of a running session, besides the passing of time. */
type Input =
  | Incoming
  /** The store changed. At most one of these is queued. */
  | { readonly _tag: "Woken" }
  | { readonly _tag: "Lost"; readonly failure: PeerClosed }
  | { readonly _tag: "Compare" }
  /** There may be questions or answers for the peer. */
  | { readonly _tag: "Due" }
  | { readonly _tag: "Refuse"; readonly failure: DuplicateNodeId }
  | { readonly _tag: "Stop"; readonly code: number; readonly reason: string }

/**
 * The longest wait for one timer (ms). Timers of Node overflow at 2^31 - 1 ms, and a deadline may be years away.
 */
const longestWait = 3_600_000

/** Why a node with a damaged database closes a connection. */
export const damaged = "the database of this node is damaged"

/** Starts a session on a connection. It is over when the scope closes, at the latest. */
export const start = Effect.fnUntraced(function* <S, R>(
  connection: Connection,
  machine: Machine<S, R>,
  handler: SessionHandler<R>
): Effect.fn.Return<Running<S>, never, Store | HlcClock | Scope.Scope> {
  const store = yield* Store
  const clock = yield* HlcClock
  /** The time of the last event, by the clock and by the time that only passes (ms). */
  const last: { now: number; passed: number; missed: number | undefined } = { now: 0, passed: 0, missed: undefined }
  const present = Effect.gen(function* () {
    const now = yield* clock.now
    const passed = yield* monotonic
    if (now < last.now) last.missed = last.now + passed - last.passed
    last.now = now
    last.passed = passed
    return now
  })
  const first = machine.begin(yield* store.snapshot, yield* present)
  let state = first[0]
  let trouble: StoreUnavailable | undefined
  const traffic = Traffic.none()
  const tracing = yield* Tracing.make(store.nodeId, connection, () => machine.view(state).peer)

  // When it is full, the reader waits, the connection's own queue fills up, and nothing more is read from the network.
  const inbox = yield* Queue.bounded<Input>(16)
  const outbox = yield* Outbox.make(connection, (action) =>
    Effect.map(tracing.sent(action, connection.send), () => {
      traffic.bytesSent += Buffer.byteLength(action.text)
      traffic.operationsSent += action.operations
    })
  )

  let isWoken = false
  let lastChange: Change | undefined
  yield* store.changes.pipe(
    Stream.runForEach((change) => {
      lastChange = change
      if (isWoken) return Effect.void
      isWoken = true
      return Queue.offer(inbox, { _tag: "Woken" })
    }),
    Effect.forkScoped({ startImmediately: true })
  )

  if (handler.relays !== undefined) {
    // At most one message in this time: what changes meanwhile goes with the next one.
    yield* handler.relays.changes.pipe(
      Stream.runForEach(() => Effect.andThen(Queue.offer(inbox, { _tag: "Due" }), Effect.sleep(times.relayed))),
      Effect.forkScoped({ startImmediately: true })
    )
  }

  yield* Queue.take(connection.incoming).pipe(
    Effect.flatMap((incoming) => {
      if (incoming._tag === "Frame") traffic.bytesReceived += incoming.bytes
      return Queue.offer(inbox, incoming)
    }),
    Effect.forever,
    Effect.catch((failure) => Queue.offer(inbox, { _tag: "Lost", failure })),
    Effect.forkScoped
  )

  const written = yield* outbox.writing

  /** Takes a step, and carries out its actions. Answers of the store are taken before anything else. */
  const carry = Effect.fnUntraced(function* ([taken, actions]: typeof first): Effect.fn.Return<
    Extract<Session.Action, { _tag: "Close" }> | undefined,
    StoreUnavailable | PeerTimeout
  > {
    const pending = [...actions]
    state = taken
    const answer = (event: Session.Event<R>) => {
      const [next, more] = machine.step(state, event)
      state = next
      pending.push(...more)
    }
    for (let action = pending.shift(); action !== undefined; action = pending.shift()) {
      switch (action._tag) {
        case "Send":
          if (action.operations > 0)
            yield* Effect.logDebug("operations sent").pipe(Effect.annotateLogs({ count: action.operations }))
          yield* outbox.post(action)
          break
        case "Ping":
          yield* outbox.post(action)
          break
        case "Close":
          yield* outbox.post(action)
          return action
        case "Established":
          yield* handler.established(action.peer)
          break
        case "Identify":
          answer({ _tag: "Identified", now: yield* present, record: handler.identify(action.peer) })
          break
        case "Adopt":
          yield* store.adopt(action.told)
          break
        case "Away":
          yield* store.noteAway
          break
        case "Ticketed":
          yield* handler.ticketed?.(action.peer, action.ticket) ?? Effect.void
          break
        case "Ran": {
          const failure = yield* handler.ran?.(action.peer, action.instance, action.age) ?? Effect.undefined
          if (failure === undefined) break
          answer({ _tag: "Refuse", now: yield* present, failure })
          break
        }
        case "Relayed":
          yield* handler.relays?.receive(action.questions, action.words) ?? Effect.void
          break
        case "Warn":
          yield* handler.warned(action.warning)
          break
        case "Read": {
          const delta = yield* store.delta(action.request)
          answer({ _tag: "Delta", now: yield* present, request: action.request, delta })
          break
        }
        case "Scan": {
          // Rows that cannot be read keep the session from comparing, not from syncing.
          const page = yield* Effect.option(store.range(action.request))
          answer({ _tag: "Scanned", now: yield* present, request: action.request, page })
          break
        }
        case "Diverged":
          if (action.diverged) traffic.mismatches += 1
          else traffic.repairs += 1
          yield* action.diverged
            ? Effect.logWarning("same vector clock but different rows: repairing")
            : Effect.logInfo("repaired: the rows are the same again").pipe(Effect.annotateLogs({ peer: action.peer }))
          break
        case "Commit": {
          const commit = tracing.committed(action.trace, action.batch.operations.length, store.apply(action.batch))
          const applied = yield* Effect.result(commit)
          if (Result.isSuccess(applied)) traffic.operationsReceived += action.batch.operations.length
          const now = yield* present
          if (Result.isFailure(applied)) {
            if (!applied.failure.mayPass) return yield* applied.failure
            if (trouble === undefined) yield* handler.warned(applied.failure)
            trouble = applied.failure
          } else {
            if (trouble !== undefined) yield* Effect.logInfo("the database is writable again")
            trouble = undefined
            if (action.batch.quarantined.length > 0) yield* handler.quarantined(action.batch.quarantined)
          }
          answer(
            Result.isFailure(applied)
              ? { _tag: "Uncommitted", now }
              : {
                  _tag: "Committed",
                  now,
                  snapshot: applied.success.snapshot,
                  hasChanged: applied.success.hasChanged,
                  overQuota: applied.success.overQuota
                }
          )
          break
        }
      }
    }
    return undefined
  })

  /** The next thing that happens: an input, or the passing of time. */
  const next = Effect.fnUntraced(function* (): Effect.fn.Return<Session.Event<R> | PeerClosed> {
    const wait = Math.min(machine.deadline(state) - (yield* clock.now), longestWait)
    // Frames that have arrived by now come before the deadlines.
    if (wait <= 0 && Queue.sizeUnsafe(inbox) === 0) yield* Effect.yieldNowWith(1)
    const ready = yield* Queue.poll(inbox)
    const input = Option.isSome(ready) || wait <= 0 ? ready : yield* Queue.take(inbox).pipe(Effect.timeoutOption(wait))
    const now = yield* present
    if (Option.isNone(input)) return { _tag: "Tick", now }
    switch (input.value._tag) {
      case "Frame":
        return { _tag: "Received", now, text: input.value.text }
      case "Alive":
        return { _tag: "Alive", now, isAnswer: input.value.isAnswer === true }
      case "Woken": {
        isWoken = false
        const change = lastChange
        lastChange = undefined
        return { _tag: "Changed", now, snapshot: yield* store.snapshot, ...(change !== undefined && { change }) }
      }
      case "Due":
        return handler.relays === undefined
          ? { _tag: "Tick", now }
          : { _tag: "Relay", now, ...(yield* handler.relays.due) }
      case "Compare":
      case "Refuse":
      case "Stop":
        return { ...input.value, now }
      case "Lost":
        return input.value.failure
    }
  })

  const loop = Effect.fnUntraced(function* (): Effect.fn.Return<void, SessionFailure | StoreUnavailable> {
    let closed = yield* carry(first)
    while (closed === undefined) {
      const event = yield* next()
      // The clock was set back. The time since the last event has passed all the same.
      const { missed } = last
      last.missed = undefined
      if (missed !== undefined) closed = yield* carry(machine.step(state, { _tag: "Tick", now: missed }))
      if (closed !== undefined) break
      if (event instanceof PeerClosed) {
        // Earlier frames are still taken.
        yield* carry(machine.step(state, { _tag: "Tick", now: yield* present }))
        return yield* event
      }
      closed = yield* carry(machine.step(state, event))
      const due = handler.carried?.()
      if (due !== undefined) yield* due
    }
    // Frames that were queued before the close, the reason above all, are still sent.
    yield* written.pipe(Effect.timeoutOption("2 seconds"))
    const failure = closed.failure ?? trouble
    if (failure !== undefined) return yield* failure
  })

  return {
    state: () => state,
    view: () => machine.view(state),
    traffic,
    timeAt: (passed) => last.now + passed - last.passed,
    trouble: () => trouble,
    compare: Effect.asVoid(Queue.offer(inbox, { _tag: "Compare" })),
    refuse: (failure) => Effect.asVoid(Queue.offer(inbox, { _tag: "Refuse", failure })),
    stop: (code, reason) => Effect.asVoid(Queue.offer(inbox, { _tag: "Stop", code, reason })),
    done: loop().pipe(
      Effect.tapError((failure) =>
        failure._tag === "StoreUnavailable"
          ? connection.close(closeCodes.internal_error, failure.reason === "corrupt" ? damaged : "store unavailable")
          : Effect.void
      )
    )
  }
})
