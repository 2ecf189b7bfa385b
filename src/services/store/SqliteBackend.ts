/**
 * A store whose rows are in one SQLite file, `sync.db` in the data directory.
 *
 * Guarantees:
 * - **Nothing acknowledged is lost.** A local write is synced to the disk before it is acknowledged or sent to a peer
 *   (`synchronous = FULL`). Operations from peers are committed, rows and clock in one transaction, but not synced
 *   immediately (`NORMAL`). A power failure may lose the last of them with their clock, and then they are requested
 *   again. The end of the process, however sudden, takes nothing. What is imported is synced before the import is done.
 *   Each sync covers everything before it, so a local write never outlives what it was based on.
 * - **One writer.** A store that writes holds an exclusive lock in a second tiny file, `lock`, from opening to closing;
 *   the system releases it when the process dies. Readers of `sync.db` are not affected.
 * - **Private.** The files can be read and written by their owner alone.
 * - Every failure of the database is a `StoreUnavailable` that says what is wrong, and leaves the store as it was.
 */
import { Effect, FileSystem, Predicate } from "effect"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import { StoreUnavailable } from "../node/NodeFailure.ts"
import { type Backend, SlotTaken } from "./Backend.ts"
import * as Engine from "./Engine.ts"
import {
  type Client,
  connect,
  databaseIn,
  identityOf,
  makePrivate,
  open,
  type Options,
  toRead,
  transaction
} from "./SqliteFile.ts"
import * as SqliteAcknowledged from "./SqliteAcknowledged.ts"
import * as SqliteCommit from "./SqliteCommit.ts"
import * as SqliteCut from "./SqliteCut.ts"
import * as SqliteFeed from "./SqliteFeed.ts"
import * as SqliteHistory from "./SqliteHistory.ts"
import * as SqliteIndexing from "./SqliteIndexing.ts"
import * as SqliteIntegrity from "./SqliteIntegrity.ts"
import * as SqliteOwnReads from "./SqliteOwnReads.ts"
import * as SqliteOwnRows from "./SqliteOwnRows.ts"
import * as SqlitePages from "./SqlitePages.ts"
import * as SqliteRejoin from "./SqliteRejoin.ts"
import * as SqliteRows from "./SqliteRows.ts"
import * as SqliteSchema from "./SqliteSchema.ts"
import * as SqliteSearch from "./SqliteSearch.ts"
import * as SqliteWords from "./SqliteWords.ts"
import * as WordSources from "./WordSources.ts"
import * as SqliteSelect from "./SqliteSelect.ts"
import * as SqliteUpkeep from "./SqliteUpkeep.ts"
import type * as Searching from "./Searching.ts"
import type { Commit } from "./StoreState.ts"
import * as SqliteError from "./SqliteError.ts"

export type { Options } from "./SqliteFile.ts"

export const make = Effect.fnUntraced(function* (options: Options) {
  return yield* over(yield* open(options), options)
})

/** The same over a database that is open already. */
export const over = Effect.fnUntraced(function* (sql: Client, options: Options & Omit<Engine.Options, "history">) {
  const { history, ...rest } = options
  const kept = history === "off" ? undefined : history
  return yield* Engine.make(yield* backend(sql, options), { ...rest, history: kept })
})

const backend = Effect.fnUntraced(function* (sql: Client, { home, readOnly = false, history }: Options) {
  const fs = yield* FileSystem.FileSystem
  const file = databaseIn(home)
  // Before every commit, and so without the hop to another thread that an asynchronous look takes.
  const fileNow = SqliteError.mapped(Effect.try(() => identityOf(file)))
  const opened = yield* fileNow
  const readable = readOnly ? yield* SqliteError.mapped(toRead(file)) : file
  const { nodeId, feedId, state } = yield* SqliteRows.state(
    yield* SqliteError.mapped(
      sql.unsafe(`SELECT *, (SELECT count(*) FROM quarantine) AS quarantine, ${SqliteFeed.last} FROM meta`)
    ),
    yield* SqliteError.mapped(sql`SELECT * FROM clock`),
    yield* SqliteError.mapped(SqliteSchema.purged(sql)),
    yield* SqliteError.mapped(SqliteOwnRows.declared(sql))
  )
  const acknowledged = yield* SqliteError.mapped(SqliteAcknowledged.read(sql))
  let synchronous = ""
  const rejoining = readOnly ? undefined : yield* SqliteError.mapped(SqliteRejoin.waiting(sql))
  const upkeep = yield* SqliteUpkeep.make(sql)
  if (!readOnly && history === "off") yield* SqliteError.mapped(SqliteHistory.erase(sql, "all"))
  if (!readOnly && history !== undefined && history !== "off") {
    const missing = yield* SqliteError.mapped(SqliteHistory.missing(sql))
    const make = transaction(sql, (connection) => SqliteAcknowledged.prepare(connection, missing))
    if (missing.length > 0) yield* SqliteError.mapped(make)
  }

  /** SQLite goes on writing to a file that was deleted or replaced: those writes would be lost. */
  const checkFile = Effect.flatMap(fileNow, (found) =>
    found === opened
      ? Effect.void
      : Effect.fail(new StoreUnavailable({ reason: "not found", detail: `${file} was replaced while it was open` }))
  )

  const current = (operations: Commit["writes"]) =>
    SqliteError.mapped(SqliteCommit.current((statement, parameters) => sql.unsafe(statement, parameters), operations))

  const within = <A, E>(body: (connection: Connection) => Effect.Effect<A, E>) => transaction(sql, body)
  const setSynchronous = Effect.fnUntraced(function* (level: "FULL" | "NORMAL") {
    if (level !== synchronous) yield* sql.unsafe(`PRAGMA synchronous = ${level}`)
    synchronous = level
  })

  const made = yield* SqliteError.mapped(SqliteSelect.madeIn(sql))
  const words = yield* SqliteWords.make(WordSources.operations, sql, within, readOnly)
  const ownWords = yield* SqliteWords.make(WordSources.ownRows, sql, within, readOnly)
  const step = (isRequested: boolean) => words.mended(words.step(isRequested))
  const indexing = yield* SqliteIndexing.make(
    SqliteError.mapped(
      Effect.zipWith(step(false), ownWords.mended(ownWords.step(false)), (isMore, isMoreOwn) => isMore || isMoreOwn)
    )
  )

  let { purges, cut, declared } = state
  let { removals } = state.feed
  const commit = Effect.fnUntraced(function* (commit: Commit, synced: boolean) {
    const hasPurged = commit.state.purges !== purges
    const newCut = commit.state.cut === cut ? undefined : commit.state.cut
    const before = commit.state.declared === declared ? undefined : declared
    yield* checkFile
    yield* setSynchronous(synced ? "FULL" : "NORMAL")
    yield* SqliteWords.mending(
      within,
      within((connection) =>
        Effect.andThen(
          Effect.andThen(
            commit.superseded === undefined || history === undefined || history === "off"
              ? Effect.void
              : SqliteHistory.write(connection, commit.superseded.versions, commit.superseded.at, history),
            SqliteCommit.write(connection, commit, { hasPurged, newCut, before })
          ),
          commit.state.feed.removals === removals
            ? Effect.void
            : SqliteFeed.writeRemovals(connection, commit.state.feed)
        )
      )
    )
    purges = commit.state.purges
    cut = commit.state.cut
    removals = commit.state.feed.removals
    declared = commit.state.declared
    upkeep.committed(commit.replaced.length + commit.quarantined.length > 0)
    indexing.wake()
  }, Effect.mapError(failureOfCommit))

  // Every commit that is not in the database itself is in the log, which SQLite syncs before it empties it.
  const sync = fs.open(`${file}-wal`, { flag: "r+" }).pipe(
    Effect.flatMap((log) => log.sync),
    Effect.scoped,
    Effect.catchIf(
      ({ reason }) => reason._tag === "NotFound",
      () => Effect.void
    ),
    SqliteError.mapped
  )

  const ownRows = SqliteOwnReads.make(sql, within, readOnly, ownWords)
  const searchWords = SqliteSearch.make(sql, words, made)
  const search = Effect.fnUntraced(function* (request: Searching.Request) {
    const found = yield* searchWords(request)
    if (found.waiting > 0) indexing.wake()
    return found
  }, SqliteError.mapped)
  const index = Effect.gen(function* () {
    while (yield* step(true)) yield* Effect.yieldNow
  }).pipe(SqliteError.mapped)

  const backup = Effect.fnUntraced(function* (destination: string) {
    yield* makePrivate(fs, destination)
    if (identityOf(destination) === opened) {
      return yield* new StoreUnavailable({ reason: "other", detail: `${destination} is the database itself` })
    }
    yield* Effect.scoped(copySnapshot(readable, destination))
  }, SqliteError.mapped)

  const quarantine = SqliteError.mapped(
    Effect.flatMap(sql`SELECT peer, reason, text FROM quarantine ORDER BY id`, SqliteRows.quarantined)
  )
  const damage = SqliteIntegrity.live(readable)
  return {
    nodeId,
    opened: state,
    feedId,
    versions: (kind, rowId) => SqliteError.mapped(SqliteHistory.versions(sql, kind, rowId)),
    versionsInConflict: (before, limit) => SqliteError.mapped(SqliteHistory.conflicts(sql, before, limit)),
    deleted: (request) => SqliteError.mapped(SqliteHistory.deleted(sql, request)),
    eraseVersions: (scope) => SqliteError.mapped(SqliteHistory.erase(sql, scope)),
    committedAfter: (number, room, kinds) => SqliteError.mapped(SqliteFeed.after(sql, number, room, kinds)),
    lastNumberOf: (operations) =>
      SqliteError.mapped(SqliteFeed.lastNumberIn(sql, SqliteCommit.slots, SqliteCommit.slotsOf(operations))),
    current,
    commit,
    sync: readOnly ? Effect.void : sync,
    ...SqlitePages.make(sql),
    rows: (kind, request) =>
      Effect.tap(SqliteError.mapped(ownRows(kind, request)), () =>
        Effect.sync(() => (request.words === undefined ? undefined : indexing.wake()))
      ),
    kinds: SqliteError.mapped(SqliteSchema.kinds((statement) => sql.unsafe(statement))),
    ownCounts: SqliteError.mapped(SqliteOwnRows.counts(sql)),
    usageOf: (kinds) => SqliteError.mapped(SqliteOwnRows.usageOf(sql, kinds)),
    select: (request) => SqliteError.mapped(SqliteSelect.select(sql, request, made)),
    search,
    index,
    waiting: SqliteError.mapped(words.waiting),
    quarantine,
    damage,
    acknowledged,
    acknowledge: (news) => SqliteError.mapped(within((connection) => SqliteAcknowledged.write(connection, news))),
    tombstones: (covered) => SqliteError.mapped(SqliteAcknowledged.count(sql, covered)),
    countBeyond: (from, most) => SqliteError.mapped(SqliteAcknowledged.countBeyond(sql, from, most)),
    lastTombstones: (covered) => SqliteError.mapped(SqliteCut.latest(sql, covered)),
    someTombstones: (covered, most) => SqliteError.mapped(SqliteCut.covered(sql, covered, most)),
    rejoining,
    backup,
    upkeep: readOnly ? Effect.void : Effect.raceFirst(upkeep.run, indexing.run)
  } satisfies Backend
})

/**
 * Copies the file as it is now, while it goes on changing. The copying runs in another thread, and so needs a
 * connection that no other code uses; its transaction keeps it at one moment. It must not be closed midway, hence no
 * interruption.
 */
const copySnapshot = Effect.fnUntraced(function* (file: string, destination: string) {
  const reader = yield* connect({ filename: file, readonly: true })
  yield* reader.unsafe("BEGIN")
  yield* reader.unsafe("SELECT node_id FROM meta")
  yield* reader.backup(destination)
}, Effect.uninterruptible)

const failureOfCommit = (error: SqlError | StoreUnavailable) =>
  Predicate.isTagged(error, "SqlError") && error.reason._tag === "UniqueViolation"
    ? new SlotTaken()
    : SqliteError.fromCause(error)
