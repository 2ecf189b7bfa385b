/**
 * A replica as lines of text, out and in: for `export` and `import`.
 *
 * Out go the winning operations of all rows, tombstones too, in the order of rows: each row once, as it is when its
 * page is read. An import reads any operations, through the merge for operations of peers. Importing does not advance
 * the vector clock: a file may be incomplete, so the node still fetches that history from its peers.
 */
import { Clock, Effect, HashMap, Option, Result, Schema } from "effect"
import * as ExportFormat from "../../core/replica/ExportFormat.ts"
import { type Operation, toWire } from "../../core/replica/Operation.ts"
import * as Kind from "../../core/replica/Kind.ts"
import { type Position, positionOf } from "../../core/replica/Ranges.ts"
import { crowdedOut, type Snapshot } from "../../core/replica/Replica.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import { limits } from "../../core/sync/Wire.ts"
import type { Settings } from "../node/Config.ts"
import type { StoreUnavailable } from "../node/NodeFailure.ts"
import { Store } from "../store/Store.ts"

/** Where the next page begins. In JSON, the variant has the name of its column. */
export const After = Schema.Struct({ table: Schema.String, row_id: Schema.String, variant: Schema.String }).pipe(
  Schema.encodeKeys({ variant: "twin" })
)

/** Some lines, and the place after them; without a place, they are the last. */
export const Page = Schema.Struct({ lines: Schema.Array(Schema.String), after: Schema.NullOr(After) })
export interface Page extends Schema.Schema.Type<typeof Page> {}

/** What became of some lines: how many changed a row, and which were refused, by their index. */
export const Taken = Schema.Struct({
  applied: Schema.Natural,
  refused: Schema.Array(Schema.Struct({ index: Schema.Natural, reason: Schema.String }))
})
export interface Taken extends Schema.Schema.Type<typeof Taken> {}

/** How much is read or taken at once. A single line may be larger. */
export const batch = { lines: 1_000, bytes: 4 * 1024 * 1024 } as const

export interface Archive {
  /** The first line. */
  readonly header: Effect.Effect<string, StoreUnavailable>
  /** The lines of the next rows. */
  page(after: Position | null): Effect.Effect<Page, StoreUnavailable>
  /**
   * Merges the operations in some lines. They survive a loss of power from then on, with those of the calls before.
   * Without `isLasting` that is put off until the next call with it.
   */
  take(lines: ReadonlyArray<string>, isLasting?: boolean): Effect.Effect<Taken, StoreUnavailable>
}

/** Gives the lines of all rows to `each`, page by page: one page is in memory. */
export const forEachPage = Effect.fnUntraced(function* <E, R>(
  page: Archive["page"],
  each: (lines: ReadonlyArray<string>) => Effect.Effect<unknown, E, R>
) {
  let next: Page["after"] = null
  do {
    const { lines, after }: Page = yield* page(next)
    yield* each(lines)
    next = after
  } while (next !== null)
})

/** The archive of the store of this node. */
export const make = Effect.fnUntraced(function* ({
  maxClockDriftMs,
  maxRecvBytes
}: Pick<Settings, "maxClockDriftMs" | "maxRecvBytes">) {
  const store = yield* Store

  const header = Effect.gen(function* () {
    const { vectorClock: clock, holdings } = yield* store.snapshot
    const rows = Array.from(HashMap.values(holdings)).reduce((sum, { rows }) => sum + rows, 0)
    return ExportFormat.header(store.nodeId, yield* Clock.currentTimeMillis, clock, rows)
  })

  const page = Effect.fn("Archive.page")(function* (after: Position | null) {
    const { operations, exhausted } = yield* store.range({
      after: after ?? undefined,
      until: undefined,
      maxBytes: batch.bytes,
      maxOperations: batch.lines
    })
    const last = operations.at(-1)
    return {
      lines: operations.map(toWire),
      after: exhausted || last === undefined ? null : positionOf(last)
    } satisfies Page
  })

  /**
   * The rows that were deleted here, after their deletions were collected: this node has seen them, and nothing is in
   * their place. Before that, the deletions themselves win over them.
   */
  const deletedOf = Effect.fnUntraced(function* (
    { vectorClock: clock, cut }: Snapshot,
    read: ReadonlyArray<{ readonly index: number; readonly operation: Operation }>
  ) {
    const deleted = new Set<number>()
    if (cut === undefined || HashMap.isEmpty(cut.collected)) return deleted
    for (const { index, operation } of read) {
      if (Kind.find(operation.table)?.rule !== "lww" || !VectorClock.covers(clock, operation.hlc)) continue
      if (Option.isNone(yield* store.get(operation.table, operation.row_id))) deleted.add(index)
    }
    return deleted
  })

  const take = Effect.fn("Archive.take")(function* (lines: ReadonlyArray<string>, isLasting = true) {
    const allowed = { bytes: maxRecvBytes, driftMs: maxClockDriftMs, now: yield* Clock.currentTimeMillis }
    const snapshot = yield* store.snapshot
    const refused: Array<Taken["refused"][number]> = []
    const read: Array<{ readonly index: number; readonly operation: Operation }> = []
    for (const [index, line] of lines.entries()) {
      const operation = ExportFormat.readOperation(line, allowed)
      if (Result.isSuccess(operation)) read.push({ index, operation: operation.success })
      else refused.push({ index, reason: operation.failure.slice(0, limits.text) })
    }
    const all = read.map(({ operation }) => operation)
    // A clock of more origins than that is taken by no peer: what adds to them stays out.
    const leftOut = crowdedOut(store.nodeId, snapshot, all, limits.origins)
    const deleted = yield* deletedOf(snapshot, read)
    for (const index of deleted) refused.push({ index, reason: "this row was deleted here" })
    const operations = read.flatMap(({ index, operation }) =>
      leftOut.has(operation.hlc.node) || deleted.has(index) ? [] : [operation]
    )
    for (const { index, operation } of read) {
      if (leftOut.has(operation.hlc.node)) {
        refused.push({ index, reason: `there would be more than ${limits.origins} origins` })
      }
    }
    const { applied } = yield* store.apply({ operations, coverage: VectorClock.empty, quarantined: [] }, "owner")
    if (isLasting) yield* store.sync
    return { applied, refused: refused.toSorted((a, b) => a.index - b.index) } satisfies Taken
  })

  return { header, page, take } satisfies Archive
})
