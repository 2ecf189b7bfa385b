/**
 * The file of a database: how it is opened, made current, locked, and kept from others.
 */
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Effect, FileSystem, Random, Schedule, Schema } from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import type { Connection } from "effect/sql/SqlConnection"
import { randomBytes } from "node:crypto"
import { statSync } from "node:fs"
import { dirname, join } from "node:path"
import { NodeId } from "../../core/replica/NodeId.ts"
import { StoreUnavailable } from "../node/NodeFailure.ts"
import { canMakeFiles, isWritable, roomFor } from "../node/DiskRoom.ts"
import * as FileError from "../node/FileError.ts"
import type { Quota } from "./Opaque.ts"
import type * as History from "../../core/replica/History.ts"
import * as SqliteAcknowledged from "./SqliteAcknowledged.ts"
import * as SqliteFeed from "./SqliteFeed.ts"
import * as SqliteHoldings from "./SqliteHoldings.ts"
import * as SqliteLog from "./SqliteLog.ts"
import { discard } from "./SqliteReplace.ts"
import * as SqliteResettle from "./SqliteResettle.ts"
import * as SqliteSchema from "./SqliteSchema.ts"
import * as SqliteSearch from "./SqliteSearch.ts"
import * as SqliteSelect from "./SqliteSelect.ts"
import * as SqliteError from "./SqliteError.ts"

export interface Options {
  /** The data directory. It is made when it is missing. */
  readonly home: string
  /** Opens the database in its present form, without a lock. Writing fails. */
  readonly readOnly?: boolean | undefined
  /** How long to wait for another writer to go away, in milliseconds; 3,000 by default. */
  readonly lockWait?: number | undefined
  /** How far ahead of the wall clock a local write may be (ms); as far as it comes, without it. */
  readonly maxAheadMs?: number | undefined
  /** What rows of kinds that this node has no use for may take; any size without it. */
  readonly quota?: Quota | undefined
  /** How much of the local history is kept. None is without it, and with `off` it is erased. */
  readonly history?: History.Limits | "off" | undefined
}

/** A database. One that is open for writing has its log marked after each transaction (`SqliteLog.ts`). */
export interface Client extends SqliteClient.SqliteClient {
  readonly mark?: Effect.Effect<void>
}

/**
 * Runs `body` in a transaction. The client's own `withTransaction` does not end a transaction whose COMMIT failed, and
 * dies when SQLite has rolled back by itself, as it does when the disk is full.
 */
export const transaction = <A, E>(sql: Client, body: (connection: Connection) => Effect.Effect<A, E>) =>
  Effect.tap(
    Effect.scoped(Effect.flatMap(sql.reserve, (connection) => committed(connection, body(connection)))),
    () => sql.mark ?? Effect.void
  )

const committed = <A, E>(connection: Connection, body: Effect.Effect<A, E>) => {
  const control = (statement: string) => connection.execute(statement, [], undefined)
  return control("BEGIN IMMEDIATE").pipe(
    Effect.andThen(body),
    Effect.tap(() => control("COMMIT")),
    Effect.onError(() => Effect.ignore(control("ROLLBACK")))
  )
}

/** Changes the mark, inside the caller's transaction. */
const remark = Effect.fnUntraced(function* (connection: Connection) {
  const [row] = yield* connection.execute("PRAGMA application_id", [], undefined)
  const mark = SqliteLog.after(Number(row?.["application_id"] ?? 0), yield* Random.next)
  yield* connection.execute(`PRAGMA application_id = ${mark}`, [], undefined)
})

/** Marks a log that was begun, or a file that was written to. It may fail: the next transaction tries again. */
const marked = (sql: Client, marker: SqliteLog.Marker): Client => {
  const change = Effect.fnUntraced(function* (connection: Connection) {
    const set = (level: unknown) => connection.execute(`PRAGMA synchronous = ${String(level)}`, [], undefined)
    const [now] = yield* connection.execute("PRAGMA synchronous", [], undefined)
    // A mark that a loss of power takes was of a log that it took as well.
    yield* set("NORMAL")
    yield* Effect.replicateEffect(committed(connection, remark(connection)), 2, { discard: true }).pipe(
      Effect.ensuring(Effect.ignore(set(now?.["synchronous"])))
    )
    marker.done()
  })
  // No transaction comes between: it would not be synced.
  const mark = Effect.suspend(() =>
    marker.isDue() ? Effect.ignore(Effect.scoped(Effect.flatMap(sql.reserve, change))) : Effect.void
  )
  return Object.assign(sql, { mark: Effect.uninterruptible(mark) })
}

/** A new unique identity. */
export const freshNodeId = () => NodeId.make(randomBytes(8).toString("hex"))

export const databaseIn = (home: string) => join(home, "sync.db")

/** Bytes of a file; 0 when it is not there. */
export const sizeOf = (path: string) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) =>
    fs.stat(path).pipe(
      Effect.map(({ size }) => Number(size)),
      Effect.catchIf(
        ({ reason }) => reason._tag === "NotFound",
        () => Effect.succeed(0)
      )
    )
  )

/** Bytes of a database. The latest writes are in the log until they are moved into the file. */
export const sizeWithLog = (database: string) =>
  Effect.zipWith(sizeOf(database), sizeOf(`${database}-wal`), (file, log) => file + log)

/** Opens the database, makes it current, and holds the lock, until the scope closes. */
export const open = Effect.fnUntraced(function* ({ home, readOnly = false, lockWait = 3_000 }: Options) {
  const fs = yield* FileSystem.FileSystem
  const file = databaseIn(home)
  if (readOnly) {
    yield* fs.access(file)
    yield* refuseForeignLog(file)
    const sql = yield* connect({ filename: yield* toRead(file), readonly: true })
    yield* sql.unsafe(busyTimeout)
    const version = yield* versionOf(sql)
    return version >= 1 && version <= SqliteSchema.current ? sql : yield* wrongVersion(version)
  }
  yield* holdLock({ home, lockWait })
  return yield* openLocked(home)
}, SqliteError.opening)

/**
 * Makes the directory if it is missing, and holds its lock until the scope closes: no other process writes to the
 * database meanwhile.
 */
export const holdLock = Effect.fnUntraced(function* ({ home, lockWait = 3_000 }: Pick<Options, "home" | "lockWait">) {
  const fs = yield* FileSystem.FileSystem
  if (!(yield* fs.exists(databaseIn(home)))) yield* roomFor(home)
  yield* FileError.makeDirectories(home)
  yield* fs.access(home, { readable: true, writable: true })
  const lock = join(home, "lock")
  yield* makePrivate(fs, lock)
  const guard = yield* connect({ filename: lock })
  yield* Effect.retry(SqliteError.mapped(guard.unsafe("BEGIN EXCLUSIVE")), {
    while: ({ reason }) => reason === "locked",
    schedule: Schedule.spaced("50 millis"),
    times: Math.ceil(lockWait / 50)
  })
}, SqliteError.opening)

/** Opens the database of `home`, whose lock the caller holds, and makes it current. */
export const openLocked = Effect.fnUntraced(function* (home: string) {
  const fs = yield* FileSystem.FileSystem
  const file = databaseIn(home)
  yield* makePrivate(fs, file)
  yield* SqliteLog.setAside(file)
  // Left by a process that ended before they took the place of the database.
  for (const end of ["compacting", "restoring"]) yield* discard(`${file}.${end}`)
  yield* Effect.acquireRelease(
    Effect.sync(() => identityOf(file)).pipe(Effect.tap((identity) => Effect.sync(() => writing.add(identity)))),
    (identity) => Effect.sync(() => writing.delete(identity))
  )
  const isNew = (yield* fs.stat(file)).size === 0n
  const sql = marked(yield* connect({ filename: file }), yield* SqliteLog.marker(file))
  yield* sql.unsafe(busyTimeout)
  for (const pragma of isNew ? [givesBack, ...pragmas] : pragmas) yield* sql.unsafe(`PRAGMA ${pragma}`)
  const version = yield* versionOf(sql)
  if (version > SqliteSchema.current) return yield* wrongVersion(version)
  if (version < SqliteSchema.current) {
    yield* transaction(sql, (connection) =>
      Effect.gen(function* () {
        yield* SqliteSchema.migrate(connection, version)
        yield* connection.execute(`INSERT OR IGNORE INTO meta (id, node_id) VALUES (1, ?)`, [freshNodeId()], undefined)
        if (version > 0 && version < SqliteSchema.withHoldings) yield* SqliteHoldings.write(connection)
      })
    )
  }
  const missing = [
    ...(yield* SqliteSchema.missing(sql)),
    ...(yield* SqliteSelect.missing(sql)),
    ...(yield* SqliteAcknowledged.missing(sql))
  ]
  if (missing.length > 0) yield* transaction(sql, (connection) => SqliteAcknowledged.prepare(connection, missing))
  const nameless = yield* sql`SELECT 1 FROM meta WHERE feed_id = ''`
  if (nameless.length > 0) yield* transaction(sql, SqliteFeed.identify)
  if (yield* SqliteResettle.isDue(sql)) yield* transaction(sql, SqliteResettle.write)
  if (yield* SqliteSearch.hasEarlier(sql)) yield* transaction(sql, SqliteSearch.dropEarlier)
  // A statement that inserts many rows notes the pages that it changes: in a file, that takes a quarter of the time of
  // a commit. To make an index of a large file, as above, memory would not be enough.
  yield* sql.unsafe("PRAGMA temp_store = MEMORY")
  return sql
}, SqliteError.opening)

/**
 * The name by which a database is opened to read it. SQLite makes files beside one in WAL mode, also to read. Where
 * this user cannot make files, or the disk is full, the database is read as it stands (`immutable`), if it was closed:
 * then all of it is in one file.
 */
export const toRead = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  if (canMakeFiles(file)) return file
  const log = yield* fs.stat(`${file}-wal`).pipe(
    Effect.map(({ size }) => Number(size)),
    Effect.catch((error) => (error.reason._tag === "NotFound" ? Effect.succeed(0) : Effect.fail(error)))
  )
  if (log === 0) return asItStands(file)
  // Its index shows the log, also to those who cannot write.
  if (yield* fs.exists(`${file}-shm`)) return file
  const noRoom = new StoreUnavailable({ reason: "disk full", detail: `there is no room to read ${file}-wal` })
  if (isWritable(dirname(file))) return yield* noRoom
  const detail = `${file}-wal contains rows that are not in sync.db yet: copy the directory to a writable place, and use --home`
  return yield* new StoreUnavailable({ reason: "read-only", detail })
})

/** A file that nothing changes while it is read. */
export const asItStands = (file: string): string =>
  `file:${encodeURI(file).replace(/[?#]/g, encodeURIComponent)}?immutable=1`

/** The databases that this process writes to. */
const writing = new Set<string>()

/** The file that a path leads to now. */
export const identityOf = (path: string): string => {
  const { dev, ino } = statSync(path, { bigint: true })
  return `${dev}:${ino}`
}

/**
 * Fails where the log beside a database is of another one. A database that this process writes to is not looked at:
 * closing its file again would release every lock that this process has on it.
 */
export const refuseForeignLog = Effect.fnUntraced(function* (file: string) {
  if (writing.has(identityOf(file)) || !SqliteLog.isForeign(file)) return
  const detail = `${file}-wal belongs to another database`
  const advice = "start the node: it moves that log away"
  return yield* new StoreUnavailable({ reason: "other", detail, advice })
})

/** Waiting blocks the whole process. Other writers should not be, and readers do not block. */
export const busyTimeout = "PRAGMA busy_timeout = 1000"

/**
 * Free pages can be given back (`SqliteUpkeep.ts`). Of a file that is not new this takes a VACUUM (`SqliteCompact.ts`).
 */
export const givesBack = "auto_vacuum = INCREMENTAL"

const pragmas = [
  "journal_mode = WAL",
  // Deleted content is overwritten, on pages that become free too: `FAST` leaves those as they are.
  "secure_delete = ON",
  "synchronous = FULL",
  // On macOS alone: there a plain sync stops at the cache of the disk.
  "fullfsync = ON",
  "cache_size = -16384",
  // Fewer checkpoints write each page of the index less often. The log is cut back to this size when it was longer.
  "wal_autocheckpoint = 4096",
  "journal_size_limit = 67108864"
]

/**
 * Opens a file, without a statement yet: the client would die of one that fails. It remembers statements that could not
 * be prepared as it does those that could, so it must not remember for long.
 */
export const connect = (config: SqliteClient.SqliteClientConfig) =>
  SqliteClient.make({ ...config, disableWAL: true, prepareCacheTTL: "5 seconds" }).pipe(
    Effect.provide(Reactivity.layer),
    SqliteError.opening
  )

export const versionOf = (sql: Client) =>
  Effect.map(Effect.flatMap(sql`PRAGMA user_version`, decodeVersion), ([{ user_version }]) => user_version)

const decodeVersion = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ user_version: Schema.Int })]))

export const wrongVersion = (version: number) =>
  new StoreUnavailable({
    reason: "other",
    detail:
      version > SqliteSchema.current
        ? `the file has version ${version}, written by a newer feral-sync: upgrade this one`
        : `the file has version ${version}: start this feral-sync once for writing`
  })

/**
 * Makes the file if it is missing, and lets only its owner read it. SQLite's other files take the same mode. A file
 * that is there is not opened: closing it again would release every lock that this process has on it.
 */
export const makePrivate = Effect.fnUntraced(function* (fs: FileSystem.FileSystem, file: string) {
  if (!(yield* fs.exists(file))) yield* Effect.scoped(fs.open(file, { flag: "a", mode: 0o600 }))
  yield* fs.chmod(file, 0o600)
})
