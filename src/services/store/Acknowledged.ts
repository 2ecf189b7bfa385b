/**
 * The acknowledgements of other nodes, kept with the rows: they survive a restart, and a backup has those of its rows.
 *
 * Guarantees:
 * - Reads are up to date. The disk is a few seconds behind at most, and complete after an orderly stop.
 * - It is written after the rows that it speaks of. A loss of power that takes those takes it as well.
 */
import { Effect, Queue } from "effect"
import * as Acknowledgement from "../../core/replica/Acknowledgement.ts"
import type { Hlc } from "../../core/replica/Hlc.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import { HlcClock } from "../node/HlcClock.ts"
import type { Backend } from "./Backend.ts"

/** How long news waits, so that many make one write, and how old the time of a node on the disk may be (ms). */
export const times = { save: 5_000, seen: 3_600_000 } as const

export type Acknowledged = Effect.Success<ReturnType<typeof make>>

export const make = Effect.fnUntraced(function* (backend: Backend) {
  const clock = yield* HlcClock
  const saved = new Map(backend.acknowledged.map((acknowledgement) => [acknowledgement.node, acknowledgement]))
  const known = new Map(saved)
  const unsaved = new Set<NodeId>()
  const wanted = yield* Queue.sliding<void>(1)

  const save = Effect.suspend(() => {
    const news = [...unsaved].flatMap((node) => known.get(node) ?? [])
    unsaved.clear()
    if (news.length === 0) return Effect.void
    return backend.acknowledge(news).pipe(
      Effect.tap(() => Effect.sync(() => news.forEach((one) => saved.set(one.node, one)))),
      Effect.catch((error) => {
        for (const { node } of news) unsaved.add(node)
        return Effect.logDebug("saving what peers have acknowledged failed: retrying", error)
      })
    )
  })
  yield* Effect.addFinalizer(() => save)
  yield* Effect.forkScoped(
    Effect.forever(Queue.take(wanted).pipe(Effect.andThen(Effect.sleep(times.save)), Effect.andThen(save)))
  )

  return {
    /** Notes the report of a session. */
    note: Effect.fnUntraced(function* (report: Acknowledgement.Report) {
      const { node } = report
      if (!known.has(node) && known.size >= Acknowledgement.limit) return
      const next = Acknowledgement.after(known.get(node), report, yield* clock.now)
      known.set(node, next)
      const before = saved.get(node)
      if (before !== undefined && Acknowledgement.isSame(before, next) && next.seenAt < before.seenAt + times.seen)
        return
      unsaved.add(node)
      Queue.offerUnsafe(wanted, undefined)
    }),
    /**
     * What the node that wrote an operation had seen before it; nothing is known of nodes that were never connected.
     */
    seenBefore: (operation: Hlc) => {
      const one = known.get(operation.node)
      return one && Acknowledgement.seenWhenWriting(one, operation)
    },
    all: Effect.sync(() => Array.from(known.values()))
  }
})
