/**
 * Compares the rows of this node with those of every connected peer, and waits until what differs was repaired.
 */
import { Effect, HashMap, Ref, type Scope, Stream } from "effect"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { View } from "../../core/sync/SessionEvents.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import { HlcClock } from "../node/HlcClock.ts"
import type { Compared } from "../node/Status.ts"
import { Store } from "../store/Store.ts"
import type { Running } from "./RunningSession.ts"

/** How long a peer that is not level, or does not begin, is waited for, and one that is at work (ms). */
const patience = { level: 10_000, begin: 10_000, end: 300_000 } as const

/** A dialogue is over when nothing has come of it for this long (ms). */
const quiet = 1_000

/**
 * A peer says nothing while it reads its rows. It is waited for this many times as long as the dialogue took so far, in
 * which we read ours.
 */
const slower = 3

const every = "50 millis"

/** A session whose rows are compared. */
export interface Connected {
  readonly running: Pick<Running<unknown>, "view" | "compare">
}

/** Compares with those who are connected now, all at once. */
export const all = Effect.fnUntraced(function* (entries: ReadonlyArray<Connected>) {
  const clock = yield* HlcClock
  const store = yield* Store

  const compare = Effect.fnUntraced(function* (
    { running }: Connected,
    peer: NodeId
  ): Effect.fn.Return<Compared, never, Scope.Scope> {
    /** Waits until something holds of the session. Whether it did within that time. */
    const until = Effect.fnUntraced(function* (condition: (view: View, now: number) => boolean, ms: number) {
      const end = (yield* clock.now) + ms
      for (;;) {
        const now = yield* clock.now
        if (condition(running.view(), now)) return true
        if (now > end) return false
        yield* Effect.sleep(every)
      }
    })
    const answer = (result: Compared["result"], rows_repaired = 0): Compared => {
      const { tooLarge, overQuota, purged } = running.view()
      const reason = tooLarge ?? overQuota ?? purged
      return { node_id: peer, result, rows_repaired, ...(reason && { reason: reason.message }) }
    }
    const { deferred, deferredOwn, tooLarge, overQuota, purged } = running.view()
    if (!HashMap.isEmpty(deferred) || deferredOwn !== undefined) return answer("deferred")
    // What one side cannot take does not come, however long we wait.
    if (tooLarge !== undefined || overQuota !== undefined) return answer("behind")
    // What one side has purged is not repaired.
    if (purged !== undefined) return answer("differs")
    if (running.view().repair === undefined) return answer("not comparable")
    if (!(yield* until(({ repair }) => repair === undefined || repair.isInSync, patience.level)))
      return answer("behind")
    const asked = yield* clock.now
    const { vectorClock: claimed } = yield* store.snapshot
    const repaired = yield* Ref.make(0)
    // Operations that we claimed before come from the repair.
    yield* store.changes.pipe(
      Stream.runForEach(({ operations }) =>
        Ref.update(repaired, (count) => count + operations.filter(({ hlc }) => VectorClock.covers(claimed, hlc)).length)
      ),
      Effect.forkScoped({ startImmediately: true })
    )
    const differed = running.view().diverged
    yield* running.compare
    const lastAt = ({ repair }: View) => repair?.activeAt ?? 0
    // A repair that was under way already may have mended it before ours begins.
    const isMended = ({ diverged }: View) => differed && !diverged
    if (!(yield* until((view) => isMended(view) || lastAt(view) >= asked, patience.begin)))
      return answer(differed ? "differs" : "behind")
    const readMs = (view: View) => slower * (lastAt(view) - asked)
    yield* until((view, now) => isMended(view) || now - lastAt(view) > Math.max(quiet, readMs(view)), patience.end)
    // Both sides send their digests when they have committed what they lacked.
    const isEqual = yield* until(({ diverged }) => !diverged, patience.begin)
    const rows = yield* Ref.get(repaired)
    if (!isEqual) return answer("differs", rows)
    return answer(differed || rows > 0 ? "repaired" : "equal", rows)
  }, Effect.scoped)

  return yield* Effect.forEach(
    entries.flatMap((entry) => {
      const { peer } = entry.running.view()
      return peer === undefined ? [] : [compare(entry, peer)]
    }),
    (one) => one,
    { concurrency: "unbounded" }
  )
})
