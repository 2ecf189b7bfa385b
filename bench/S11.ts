/** S11: searches of 100,000 notes, half of them in Chinese. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, Layer, Option } from "effect"
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { canonical } from "../src/core/replica/Json.ts"
import { Kind, OpId, type Operation, RowId } from "../src/core/replica/Operation.ts"
import * as VectorClock from "../src/core/replica/VectorClock.ts"
import { Memory } from "../src/services/memory/Memory.ts"
import * as MemoryLive from "../src/services/memory/MemoryLive.ts"
import { HlcClock } from "../src/services/node/HlcClock.ts"
import { Store } from "../src/services/store/Store.ts"
import * as SqliteStore from "../src/services/store/SqliteStore.ts"
import { seeded } from "../test/support/Seeded.ts"
import { type Options, type Report, report } from "./Report.ts"
import { originOf } from "./Rows.ts"

const epoch = 1_700_000_000_000
const vocabulary = 3_000
const batch = 5_000

/** The n-th word: in English letters, or of two Chinese characters. */
const word = (n: number): string => `w${n.toString(36)}${"aeiou"[n % 5]}`
const chinese = (n: number): string => String.fromCodePoint(0x4e00 + (n % 1_500), 0x4e00 + ((n * 7) % 1_499))

/** Words are not equally frequent: the n-th is about n times as rare as the first. */
const rankIn = (next: () => number): number => Math.floor(vocabulary ** next()) - 1

const note = (n: number, next: () => number): Operation => {
  const count = 8 + Math.floor(next() * 24)
  const words = Array.from({ length: count }, () => rankIn(next))
  const content =
    n % 2 === 0
      ? words.map(word).join(" ")
      : words.map((rank, index) => chinese(rank) + (index % 8 === 7 ? "，" : "")).join("")
  const id = `note-${n.toString().padStart(8, "0")}`
  const data = { id, content, tags: n % 10 === 0 ? '["tenth"]' : "[]", created_at: (epoch + n) / 1000 }
  return {
    op_id: OpId.make(`op-${n}`),
    table: Kind.make("notes"),
    op_type: "insert",
    row_id: RowId.make(id),
    data: Option.getOrThrow(canonical(data, 4)),
    hlc: { wall: epoch + n, counter: 0, node: originOf(n % 5) },
    timestamp: (epoch + n) / 1000
  }
}

const fill = Effect.fnUntraced(function* (store: Store["Service"], count: number, next: () => number) {
  for (let from = 0; from < count; from += batch) {
    const operations = Array.from({ length: Math.min(batch, count - from) }, (_, n) => note(from + n, next))
    const coverage = VectorClock.fromEntries(
      operations.map(({ hlc: { node, wall, counter } }) => [node, { wall, counter }])
    )
    yield* store.apply({ operations, coverage, quarantined: [] })
  }
})

const percentile = (values: ReadonlyArray<number>, share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0

const measure = Effect.fnUntraced(function* (count: number, queries: number, home: string) {
  const store = yield* Store
  const memory = yield* Memory
  const next = seeded(11)
  yield* fill(store, count, next)
  const before = statSync(join(home, "sync.db")).size
  let began = performance.now()
  const first = yield* memory.searchPage({ query: word(9) })
  const firstMs = performance.now() - began
  began = performance.now()
  yield* store.index
  const indexSeconds = (performance.now() - began) / 1000
  const times = (queryOf: () => string, more: { readonly tags?: ReadonlyArray<string> } = {}) =>
    Effect.gen(function* () {
      const values: Array<number> = []
      for (let n = 0; n < queries; n++) {
        const query = queryOf()
        const start = performance.now()
        yield* memory.searchPage({ query, ...more })
        values.push(performance.now() - start)
      }
      return values
    })
  return {
    says: first.indexing !== undefined,
    firstMs,
    indexSeconds,
    bytes: (statSync(join(home, "sync.db")).size - before) / count,
    words: yield* times(() => `${word(rankIn(next))} ${word(rankIn(next))}`),
    characters: yield* times(() => chinese(rankIn(next))),
    tagged: yield* times(() => word(rankIn(next)), { tags: ["tenth"] })
  }
})

export const run = async ({ quick, tell }: Options): Promise<Report> => {
  const count = quick ? 10_000 : 100_000
  const queries = quick ? 100 : 500
  const home = mkdtempSync(join(tmpdir(), "s11-"))
  const layer = MemoryLive.layer.pipe(
    Layer.provideMerge(SqliteStore.layer({ home })),
    Layer.provideMerge(HlcClock.layer),
    Layer.provide(NodeFileSystem.layer)
  )
  try {
    const found = await Effect.runPromise(Effect.provide(measure(count, queries, home), layer))
    tell(`${count} notes indexed in ${found.indexSeconds.toFixed(1)} s, ${Math.round(found.bytes)} bytes each`)
    return report(
      {
        id: "S11",
        title: "search",
        what: `Searches of ${count} notes of 8 to 31 words, half of them in Chinese, for words that are as frequent as those of a language`,
        quick
      },
      [
        { name: "two words", unit: "ms", values: found.words },
        { name: "two Chinese characters", unit: "ms", values: found.characters },
        { name: "a word, with a tag", unit: "ms", values: found.tagged },
        { name: "first search, not indexed", unit: "ms", values: [found.firstMs] },
        { name: "indexing", unit: "rows/s", values: [count / found.indexSeconds] }
      ],
      [
        { name: "two words, p50 (ms)", value: percentile(found.words, 0.5), atMost: 20 },
        { name: "two words, p99 (ms)", value: percentile(found.words, 0.99), atMost: 50 },
        { name: "two characters, p50 (ms)", value: percentile(found.characters, 0.5), atMost: 20 },
        { name: "two characters, p99 (ms)", value: percentile(found.characters, 0.99), atMost: 50 },
        { name: "first search says that it is indexing", value: found.says ? 1 : 0, atLeast: 1 }
      ],
      [`The index takes ${Math.round(found.bytes)} bytes for each note.`]
    )
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}
