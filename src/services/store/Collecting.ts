/**
 * The cut of a store (`core/replica/Cut.ts`): how it moves, how that of a peer is taken over, and how the tombstones
 * are dropped that it covers.
 */
import { Effect, HashMap, Semaphore } from "effect"
import * as Cut from "../../core/replica/Cut.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import { HlcClock } from "../node/HlcClock.ts"
import type { Acknowledged } from "./Acknowledged.ts"
import type { Backend } from "./Backend.ts"
import type { Committing } from "./Committing.ts"
import type { Damage } from "./Damage.ts"
import type { Policy } from "./Store.ts"
import * as StoreState from "./StoreState.ts"
import * as Removal from "./Removal.ts"

/** Tombstones that one step drops. */
const dropped = 500

export interface Options {
  readonly backend: Backend
  readonly committing: Committing
  readonly acknowledged: Pick<Acknowledged, "all">
  readonly lock: Semaphore.Semaphore
  readonly damage: Damage
}

export const make = Effect.fnUntraced(function* ({ backend, committing, acknowledged, lock, damage }: Options) {
  const clock = yield* HlcClock
  const { nodeId } = backend
  const collecting = yield* Semaphore.make(1)
  /** Whether tombstones may be here that the cut covers. */
  let isCollecting = !HashMap.isEmpty(committing.state.cut.collected)
  committing.watch(({ writes }) => {
    const { collected } = committing.state.cut
    if (HashMap.isEmpty(collected)) return
    isCollecting ||= writes.some((operation) => Cut.isCollected(collected, operation))
  })

  const withCut = (cut: Cut.Cut) =>
    committing.commitState({ ...StoreState.withoutRows, state: { ...committing.state, cut } })

  const adopt = Effect.fnUntraced(function* (told: Cut.Told) {
    const cut = Cut.adopted(committing.state.cut, told)
    if (cut === undefined) return
    isCollecting ||= !VectorClock.includes(committing.state.cut.collected, cut.collected)
    yield* withCut(cut)
  })

  const move = Effect.fnUntraced(function* (policy: Policy) {
    const { vectorClock, frontier, cut, counts } = committing.state
    if (counts.tombstones === 0) return
    const now = yield* clock.now
    const acknowledgements = yield* acknowledged.all
    const known: Cut.Known = { ...policy, self: nodeId, clock: vectorClock, frontier, acknowledgements, cut, now }
    const without = Cut.notCounted(known)
    const next = Cut.next(known, without, yield* backend.lastTombstones(Cut.candidates(known, without)))
    if (next === cut) return
    isCollecting ||= !VectorClock.includes(cut.collected, next.collected)
    yield* withCut(next)
  })

  /** Drops the next tombstones that the cut covers. How many. */
  const drop = Effect.fnUntraced(function* () {
    if (!isCollecting) return 0
    const operations = yield* backend.someTombstones(committing.state.cut.collected, dropped)
    const isOver = operations.length === 0
    const greatest = yield* backend.lastNumberOf(operations)
    const planned = Removal.collect(committing.state, operations, greatest)
    const commit = isOver ? planned : committing.withUnfounded(planned)
    if (!isOver) yield* committing.save(commit, false)
    isCollecting = operations.length === dropped
    // Sessions hear that it is done when there was nothing to drop, too.
    yield* committing.tookState(commit)
    return operations.length
  }, Effect.uninterruptible)

  const collect = Effect.fn("Store.collect")(function* (policy: Policy | undefined) {
    yield* damage.refused
    if (policy !== undefined) yield* lock.withPermit(move(policy))
    let sum = 0
    while (isCollecting) {
      sum += yield* lock.withPermit(drop())
      yield* Effect.yieldNow
    }
    return sum
  })

  return {
    isCollecting: () => isCollecting,
    adopt: Effect.fn("Store.adopt")((told: Cut.Told) => lock.withPermit(adopt(told))),
    noteAway: lock.withPermit(
      Effect.suspend(() =>
        committing.state.cut.isAway === true ? Effect.void : withCut({ ...committing.state.cut, isAway: true })
      )
    ),
    /** Another node holds the same: what the cut confirms is here. */
    noteFilled: (): void => {
      const cut = Cut.filled(committing.state.cut)
      if (cut !== committing.state.cut) committing.note({ ...committing.state, cut })
    },
    collect: (policy: Policy | undefined) => collecting.withPermit(collect(policy))
  }
})
