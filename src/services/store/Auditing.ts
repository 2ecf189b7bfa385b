/**
 * Compares the state of a store with all of its rows, a page at a time while it is read and written, and corrects it.
 */
import { Effect, Semaphore } from "effect"
import * as Audit from "./Audit.ts"
import type { Backend } from "./Backend.ts"
import type { Committing } from "./Committing.ts"
import { readAtOnce } from "./Sizes.ts"
import type { Audited } from "./Store.ts"
import * as StoreState from "./StoreState.ts"

/** The audit of a store; one runs at a time. */
export const make = Effect.fnUntraced(function* (backend: Backend, committing: Committing, lock: Semaphore.Semaphore) {
  const { nodeId } = backend
  const auditing = yield* Semaphore.make(1)
  let audit: Audit.Audit | undefined
  committing.watch((commit) => {
    if (audit !== undefined) audit = Audit.amend(audit, commit)
  })

  /** Reads the next rows of the audit; after the last ones, corrects the state. */
  const auditNext = Effect.fnUntraced(function* (before: Audit.Audit) {
    const page = yield* backend.range({ after: before.at, until: undefined, ...readAtOnce })
    audit = Audit.add(before, page.operations)
    if (!page.exhausted) return undefined
    const { rows } = audit
    const { state: correct, wrong, moved } = Audit.correct(audit, committing.state, nodeId)
    if (wrong.length > 0) {
      yield* committing.commitState({ ...StoreState.withoutRows, state: correct, moved })
    }
    return { rows, digest: committing.state.digest, corrected: wrong } satisfies Audited
  })

  const auditAll = Effect.fnUntraced(
    function* () {
      audit = Audit.begin(committing.state.declared)
      for (;;) {
        const done = yield* lock.withPermit(
          Effect.suspend(() => auditNext(audit ?? Audit.begin(committing.state.declared)))
        )
        if (done !== undefined) return done
        yield* Effect.yieldNow
      }
    },
    Effect.ensuring(Effect.sync(() => (audit = undefined)))
  )

  return auditing.withPermit(auditAll())
})
