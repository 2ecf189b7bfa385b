/** Reads what a peer lacks, in bounded pieces: the operations of some origins beyond a timestamp of each. */
import { Effect, type Semaphore } from "effect"
import * as Hlc from "../../core/replica/Hlc.ts"
import type { Operation } from "../../core/replica/Operation.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import type { Backend } from "./Backend.ts"
import type { Committing } from "./Committing.ts"
import type { Delta, DeltaRequest, Snapshot } from "./Store.ts"

export const make = (
  backend: Pick<Backend, "beyond">,
  committing: Committing,
  snapshot: () => Snapshot,
  lock: Semaphore.Semaphore
) => {
  const read = Effect.fnUntraced(function* (request: DeltaRequest) {
    const operations: Array<Operation> = []
    let bytes = 0
    let exhausted = 0
    for (const [node, timestamp] of request.from) {
      if (Hlc.isAfter(VectorClock.get(committing.state.frontier, node), timestamp)) {
        const room = {
          bytes: request.maxBytes - bytes,
          operations: request.maxOperations - operations.length,
          atLeastOne: operations.length === 0
        }
        const page = yield* backend.beyond(node, timestamp, room)
        for (const operation of page.operations) operations.push(operation)
        bytes += page.bytes
        if (!page.exhausted) break
      }
      exhausted++
    }
    return answer(request, operations, exhausted)
  })

  const answer = ({ since }: DeltaRequest, operations: ReadonlyArray<Operation>, exhausted: number): Delta => ({
    snapshot: snapshot(),
    operations,
    exhausted,
    changedOrigins: committing.since(since)
  })

  return (request: DeltaRequest) =>
    request.from.length === 0 ? Effect.sync(() => answer(request, [], 0)) : lock.withPermit(read(request))
}
