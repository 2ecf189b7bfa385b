/**
 * A process that writes to the store in the directory given as argument, says "ready", and then holds on to it. If it cannot, it
 * says why.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import { HlcClock } from "../../src/services/node/HlcClock.ts"
import { Store } from "../../src/services/store/Store.ts"
import { draft } from "./Drafts.ts"
import * as SqliteStore from "../../src/services/store/SqliteStore.ts"

const program = Effect.gen(function* () {
  const store = yield* Store
  yield* store.append([draft("r1")])
  yield* store.apply({ operations: [], coverage: yield* store.vectorClock, quarantined: [] })
  yield* Console.log("ready")
  return yield* Effect.never
})

const layer = SqliteStore.layer({ home: process.argv[2] ?? "", lockWait: 0 }).pipe(Layer.provide(HlcClock.layer))

NodeRuntime.runMain(
  program.pipe(
    Effect.provide(layer),
    Effect.catchTag("StoreUnavailable", ({ reason }) => Console.log(reason))
  )
)
