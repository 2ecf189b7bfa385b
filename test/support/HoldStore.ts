/** A process that writes to the store in the directory given as argument, says so, and then holds on to it. */
import { Console, Effect, Layer } from "effect"
import { Clock } from "../../src/services/Clock.ts"
import { Store } from "../../src/services/Store.ts"
import { draft } from "./Drafts.ts"

const program = Effect.gen(function* () {
  const store = yield* Store
  yield* store.append([draft("r1")])
  yield* store.apply({ operations: [], through: yield* store.vectorClock, quarantined: [] })
  yield* Console.log("ready")
  return yield* Effect.never
})

const layer = Store.layerSqlite({ home: process.argv[2] ?? "" }).pipe(Layer.provide(Clock.layer))
// The pending timer keeps the process alive.
setInterval(() => undefined, 1_000)
Effect.runFork(Effect.provide(program, layer))
