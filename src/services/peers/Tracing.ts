/**
 * Traces of what two nodes exchange. A round of frames is one trace. The sender has a span for the round and one for
 * each frame. The commits of the receiver are children of the frames that they came in. The frames say which
 * (`core/sync/TraceParent.ts`).
 *
 * Without a tracer that was given to the node, nothing is made and nothing is sent.
 */
import { Clock, Effect, Exit, type Scope, Tracer } from "effect"
import type { NodeId } from "../../core/replica/NodeId.ts"
import * as TraceParent from "../../core/sync/TraceParent.ts"

export interface Tracing {
  /** Sends a frame. The round goes on when there is `more`. */
  sent<A, E, R>(
    frame: { readonly text: string; readonly operations: number; readonly more?: true },
    send: (text: string) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R>
  /** Commits what came in frames of this trace. */
  committed<A, E, R>(
    trace: TraceParent.TraceParent | undefined,
    operations: number,
    commit: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R>
}

const off: Tracing = { sent: ({ text }, send) => send(text), committed: (_, __, commit) => commit }

/** The traces of one session. */
export const make = Effect.fnUntraced(function* (
  node: NodeId,
  { form }: { readonly form: 1 | 2 },
  peer: () => NodeId | undefined
): Effect.fn.Return<Tracing, never, Scope.Scope> {
  const tracer = yield* Tracer.Tracer
  // An existing FERAL node is sent nothing that it does not know.
  if (tracer === Tracer.nativeTracer || form === 1) return off
  let round: Tracer.Span | undefined
  const attributes = (operations: number) => ({ node, peer: peer() ?? "", operations })
  const end = Effect.map(Clock.currentTimeNanos, (now) => {
    round?.end(now, Exit.void)
    round = undefined
  })
  yield* Effect.addFinalizer(() => end)
  return {
    sent: Effect.fnUntraced(function* ({ text, operations, more }, send) {
      if (operations === 0) return yield* send(text)
      round ??= yield* Effect.makeSpan("sync.round", { root: true, attributes: { node, peer: peer() ?? "" } })
      const options = { kind: "producer", parent: round, attributes: attributes(operations) } as const
      const sent = yield* Effect.useSpan("sync.send", options, (span) => send(TraceParent.attach(text, span)))
      if (more !== true) yield* end
      return sent
    }),
    committed: (trace, operations, commit) =>
      Effect.withSpan(commit, "sync.commit", {
        kind: "consumer",
        ...(trace === undefined ? { root: true } : { parent: Tracer.externalSpan(trace) }),
        attributes: attributes(operations)
      })
  }
})
