/**
 * Removes rows from a store that its operator wants gone (`core/replica/Purge.ts`), a page at a time while it is read
 * and written.
 */
import { Effect, Semaphore } from "effect"
import * as Hlc from "../../core/replica/Hlc.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Operation } from "../../core/replica/Operation.ts"
import * as Purge from "../../core/replica/Purge.ts"
import { type Position, positionOf } from "../../core/replica/Ranges.ts"
import type { StoreUnavailable } from "../node/NodeFailure.ts"
import type { Backend } from "./Backend.ts"
import type { Committing } from "./Committing.ts"
import type { Damage } from "./Damage.ts"
import { readAtOnce, sizeOf } from "./Sizes.ts"
import * as Removal from "./Removal.ts"

/** How far a purge has come: among the rows of a kind, or in the history of an origin. */
type Place = Position | Hlc.Hlc

/** Rows that one step of a purge found, and where to go on, if there are more. */
interface Step {
  readonly operations: ReadonlyArray<Operation>
  readonly next: Place | undefined
}

export interface Options {
  readonly backend: Backend
  readonly committing: Committing
  readonly lock: Semaphore.Semaphore
  readonly damage: Damage
  /** Ends the declaration of a kind. */
  readonly withdraw: (kind: string) => Effect.Effect<void, StoreUnavailable>
  /** Called when rows have gone. */
  readonly cleared: () => void
}

export const make = Effect.fnUntraced(function* ({ backend, committing, lock, damage, withdraw, cleared }: Options) {
  const purging = yield* Semaphore.make(1)

  /** Removes the next rows of a purge, those after `after`. */
  const purgeNext = Effect.fnUntraced(function* (
    run: number,
    scope: Purge.Scope,
    after: Place,
    isDry: boolean
  ): Effect.fn.Return<Step, StoreUnavailable> {
    const { operations, exhausted } =
      "table" in after
        ? // No kind holds a control character.
          yield* backend.range({
            after,
            until: { table: `${after.table}\u0001`, row_id: "", variant: "" },
            ...readAtOnce
          })
        : yield* backend.beyond(after.node, after, {
            bytes: readAtOnce.maxBytes,
            operations: readAtOnce.maxOperations,
            atLeastOne: true
          })
    if (!isDry && (operations.length > 0 || "origin" in scope)) {
      yield* committing.commitState(Removal.purge(committing.state, run, scope, operations), false)
      // Rows that were kept out may be asked for again: there is room.
      cleared()
    }
    const last = operations.at(-1)
    const next: Place | undefined =
      exhausted || last === undefined ? undefined : "table" in after ? positionOf(last) : last.hlc
    return { operations, next }
  }, Effect.uninterruptible)

  const purge = Effect.fnUntraced(function* (scope: Purge.Scope, isDry: boolean) {
    yield* damage.refused
    // An application that was here has gone.
    if (!isDry && "kind" in scope && committing.state.declared.has(scope.kind)) {
      yield* lock.withPermit(withdraw(scope.kind))
    }
    const run = Purge.nextRun(committing.state.purges)
    const removed = new Map<NodeId, { rows: number; bytes: number }>()
    let place: Place | undefined =
      "kind" in scope ? { table: scope.kind, row_id: "", variant: "" } : { ...Hlc.zero, node: scope.origin }
    while (place !== undefined) {
      const { operations, next }: Step = yield* lock.withPermit(purgeNext(run, scope, place, isDry))
      for (const operation of operations) {
        const sum = removed.get(operation.hlc.node) ?? { rows: 0, bytes: 0 }
        removed.set(operation.hlc.node, { rows: sum.rows + 1, bytes: sum.bytes + sizeOf(operation) })
      }
      place = next
      yield* Effect.yieldNow
    }
    if (!isDry) yield* lock.withPermit(Effect.andThen(backend.eraseVersions(scope), backend.sync))
    return Array.from(removed, ([origin, sum]) => ({ origin, ...sum }))
  })

  return (scope: Purge.Scope, { isDry = false } = {}) => purging.withPermit(purge(scope, isDry))
})
