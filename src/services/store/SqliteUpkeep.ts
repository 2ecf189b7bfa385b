/**
 * Maintenance of a database after rows were deleted. Their words leave the index, and free pages go back to the file
 * system. The write-ahead log (`sync.db-wal`), which still has the old pages, is emptied.
 *
 * Guarantees:
 * - It works in small steps, and only while nothing is written: a commit waits for one step at most, and stops the
 *   others.
 * - It changes no row. A step that fails is tried again later.
 * - Pages are given back where the file has `auto_vacuum = INCREMENTAL`: an older file gets that by `feral-sync
 *   compact`.
 */
import { Effect, Queue, Schema } from "effect"
import type { StoreUnavailable } from "../node/NodeFailure.ts"
import { busyTimeout, type Client, transaction } from "./SqliteFile.ts"
import * as SqliteWords from "./SqliteWords.ts"
import * as SqliteError from "./SqliteError.ts"

/**
 * How long nothing must have been written before a step (ms), how long a step waits for the next, and how long after a
 * failure.
 */
export const times = { quiet: 2_000, pause: 20, retry: 60_000 } as const

/** Pages that one step gives back: a few milliseconds. */
export const pagesPerStep = 64

/** Free pages that a file keeps for the next rows: 1 MiB. */
export const sparePages = 256

/** Rows whose words one step takes out of the index. */
const rowsPerStep = 16

export interface Upkeep {
  /** Notes a commit, and whether it left anything to do. */
  committed(hasDeleted: boolean): void
  /** Never ends, unless the file is damaged. */
  readonly run: Effect.Effect<never, StoreUnavailable>
}

export const make = Effect.fnUntraced(function* (sql: Client): Effect.fn.Return<Upkeep> {
  // One is enough: the work to do is found in the file.
  const wanted = yield* Queue.sliding<void>(1)
  // An earlier process may have left something.
  Queue.offerUnsafe(wanted, undefined)
  let commits = 0

  /** Waits until nothing was written for a while. */
  const quiet = Effect.gen(function* () {
    for (let seen = -1; seen !== commits;) {
      seen = commits
      yield* Effect.sleep(times.quiet)
    }
  })

  /** Repeats a step until it has nothing more to do; gives up when something is written meanwhile. */
  const repeated = Effect.fnUntraced(function* <E>(step: Effect.Effect<boolean, E>) {
    const before = commits
    while (yield* step) {
      yield* Effect.sleep(times.pause)
      if (commits !== before) return false
    }
    return true
  })

  const takeOut = SqliteWords.mending(
    (body) => transaction(sql, body),
    transaction(sql, (connection) => SqliteWords.takeOut(connection, rowsPerStep))
  )

  const giveBack = Effect.gen(function* () {
    const [free] = yield* decodeFree(yield* sql`PRAGMA freelist_count`)
    const [mode] = yield* decodeMode(yield* sql`PRAGMA auto_vacuum`)
    const pages = Math.min(free.freelist_count - sparePages, pagesPerStep)
    if (mode.auto_vacuum !== incremental || pages <= 0) return false
    yield* transaction(sql, (connection) =>
      // The driver takes one step of a statement without columns, and one step gives back one page.
      Effect.replicateEffect(connection.execute("PRAGMA incremental_vacuum(1)", [], undefined), pages, {
        discard: true
      })
    )
    return free.freelist_count - pages > sparePages
  })

  /** Moves the log into the file and cuts it to nothing, unless a reader uses it: it is not waited for. */
  const emptyLog = Effect.gen(function* () {
    yield* sql.unsafe("PRAGMA busy_timeout = 0")
    const [{ busy }] = yield* decodeBusy(yield* sql.unsafe("PRAGMA wal_checkpoint(TRUNCATE)"))
    return busy !== 0
  }).pipe(Effect.ensuring(Effect.ignore(sql.unsafe(busyTimeout))))

  const round = Effect.gen(function* () {
    for (;;) {
      yield* quiet
      if (!(yield* repeated(takeOut)) || !(yield* repeated(giveBack))) continue
      if (!(yield* emptyLog)) return
      yield* Effect.sleep(times.retry)
    }
  }).pipe(
    SqliteError.mapped,
    Effect.catch((error) =>
      error.reason === "corrupt"
        ? Effect.fail(error)
        : Effect.logDebug("database maintenance failed: retrying", error).pipe(
            Effect.andThen(Effect.sleep(times.retry)),
            Effect.andThen(Queue.offer(wanted, undefined)),
            Effect.asVoid
          )
    ),
    Effect.catchDefect((defect) => Effect.logError("database maintenance stopped", defect))
  )

  return {
    committed: (hasDeleted) => {
      commits++
      if (hasDeleted) Queue.offerUnsafe(wanted, undefined)
    },
    run: Effect.forever(Effect.andThen(Queue.take(wanted), round))
  }
})

/** The value of `auto_vacuum` that gives pages back when it is asked to. */
const incremental = 2

const decodeFree = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ freelist_count: Schema.Natural })]))
const decodeMode = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ auto_vacuum: Schema.Natural })]))
const decodeBusy = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ busy: Schema.Natural })]))
