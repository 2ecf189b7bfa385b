/** Histories to measure with: the same ones for the same numbers. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, Layer, Option } from "effect"
import { createHash } from "node:crypto"
import { canonical } from "../src/core/replica/Json.ts"
import { NodeId } from "../src/core/replica/NodeId.ts"
import { Kind, OpId, type Operation, RowId } from "../src/core/replica/Operation.ts"
import * as VectorClock from "../src/core/replica/VectorClock.ts"
import { HlcClock } from "../src/services/node/HlcClock.ts"
import { Store } from "../src/services/store/Store.ts"
import * as SqliteStore from "../src/services/store/SqliteStore.ts"

const notes = Kind.make("notes")

export const originOf = (n: number): NodeId => NodeId.make(n.toString(16).padStart(16, "0"))

/** The first moment of a history (ms). */
const epoch = 1_700_000_000_000

/** Operation `n` of a history of `origins`: a note of a random id, 300 bytes of data. */
export const operation = (n: number, origins: number): Operation => {
  const hash = createHash("sha256").update(`operation ${n}`).digest("hex")
  const id = hash.slice(0, 32)
  const head = `note ${n} `
  const data = { id, content: head, tags: "[]", importance: "normal", source: "user", created_at: epoch / 1000 + n }
  const filling = 300 - JSON.stringify(data).length
  const content = head + hash.repeat(4).slice(0, Math.max(0, filling))
  return {
    op_id: OpId.make(hash.slice(32)),
    table: notes,
    op_type: "insert",
    row_id: RowId.make(id),
    data: Option.getOrThrow(canonical({ ...data, content }, 4)),
    hlc: { wall: epoch + n, counter: 0, node: originOf(n % origins) },
    timestamp: (epoch + n) / 1000
  }
}

const batch = 5_000

/** Writes a history of `count` operations of `origins` into the database in `home`. */
export const fill = (home: string, count: number, origins: number): Promise<void> => {
  const write = Effect.gen(function* () {
    const store = yield* Store
    for (let from = 0; from < count; from += batch) {
      const operations = Array.from({ length: Math.min(batch, count - from) }, (_, n) => operation(from + n, origins))
      const through = VectorClock.fromEntries(
        operations.map(({ hlc: { node, wall, counter } }) => [node, { wall, counter }])
      )
      yield* store.apply({ operations, coverage: through, quarantined: [] })
    }
  })
  const store = SqliteStore.layer({ home }).pipe(
    Layer.provideMerge(HlcClock.layer),
    Layer.provide(NodeFileSystem.layer)
  )
  return Effect.runPromise(write.pipe(Effect.provide(store)))
}
