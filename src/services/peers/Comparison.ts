/**
 * Compares the rows of this node with those of every connected peer, and waits until what differs was repaired.
 */
import { Effect, Ref, type Scope, Stream } from "effect"
import type { NodeId } from "../../core/NodeId.ts"
import * as VectorClock from "../../core/VectorClock.ts"
import { Clock } from "../Clock.ts"
import type { Compared } from "../Status.ts"
import { Store } from "../Store.ts"
import type { Entry } from "./PeerTable.ts"

/** How long a peer that is not level, or does not begin, is waited for, and one that is at work (ms). */
const patience = { level: 10_000, begin: 10_000, end: 300_000 } as const

/** A dialogue is over when nothing has come of it for this long (ms). */
const quiet = 1_000

const every = "50 millis"

/** Compares with those who are connected now, all at once. */
export const all = Effect.fnUntraced(function* (entries: ReadonlyArray<Entry>) {
  const clock = yield* Clock
  const store = yield* Store

  /** Waits until something holds of a session. Whether it did within that time, while the session went on. */
  const until = Effect.fnUntraced(function* (isSo: Effect.Effect<boolean>, ms: number) {
    const end = (yield* clock.now) + ms
    while (!(yield* isSo)) {
      if ((yield* clock.now) > end) return false
      yield* Effect.sleep(every)
    }
    return true
  })

  const compare = Effect.fnUntraced(function* (
    { running }: Entry,
    peer: NodeId
  ): Effect.fn.Return<Compared, never, Scope.Scope> {
    const view = Effect.sync(() => running.view())
    const answer = (result: Compared["result"], rows_repaired = 0): Compared => ({
      node_id: peer,
      result,
      rows_repaired
    })
    const isLevel = Effect.map(view, ({ repair }) => repair === undefined || repair.isLevel)
    if ((yield* view).repair === undefined) return answer("not comparable")
    if (!(yield* until(isLevel, patience.level))) return answer("behind")
    const asked = yield* clock.now
    const { clock: claimed } = yield* store.snapshot
    const repaired = yield* Ref.make(0)
    // What comes although we claimed it before comes of the repair.
    yield* store.changes.pipe(
      Stream.runForEach(({ operations }) =>
        Ref.update(repaired, (count) => count + operations.filter(({ hlc }) => VectorClock.covers(claimed, hlc)).length)
      ),
      Effect.forkScoped({ startImmediately: true })
    )
    const before = (yield* view).diverged
    yield* running.compare
    const hasBegun = Effect.map(view, ({ repair }) => (repair?.activeAt ?? 0) >= asked)
    if (!(yield* until(hasBegun, patience.begin))) return answer(before ? "differs" : "behind")
    const isOver = Effect.gen(function* () {
      const { repair } = yield* view
      return (yield* clock.now) - (repair?.activeAt ?? 0) > quiet
    })
    yield* until(isOver, patience.end)
    // Both sides tell their digests when they have taken what they lacked.
    const isEqual = Effect.map(view, ({ diverged }) => !diverged)
    const rows = yield* Ref.get(repaired)
    if (!(yield* until(isEqual, patience.begin))) return answer("differs", rows)
    return answer(before || rows > 0 ? "repaired" : "equal", rows)
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
