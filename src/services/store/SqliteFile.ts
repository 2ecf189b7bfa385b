/**
 * The file of a database: how it is opened, made current, locked, and kept from others.
 */
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Clock, Effect, FileSystem, Option, Schedule, Schema } from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import type { Connection } from "effect/sql/SqlConnection"
import { randomBytes } from "node:crypto"
import { dirname, join } from "node:path"
import { NodeId } from "../../core/NodeId.ts"
import { StoreUnavailable } from "../Failure.ts"
import { isWritable } from "../Home.ts"
import * as FileError from "../FileError.ts"
import * as SqliteHoldings from "./SqliteHoldings.ts"
import * as SqliteSchema from "./SqliteSchema.ts"
import * as SqliteSearch from "./SqliteSearch.ts"
import * as Unavailable from "./Unavailable.ts"

export interface Options {
  /** The data directory. It is made when it is missing. */
  readonly home: string
  /** Opens what is there as it is now, without a lock. Writing fails. */
  readonly readOnly?: boolean | undefined
  /** How long to wait for another writer to go away, in milliseconds; 3,000 by default. */
  readonly lockWait?: number | undefined
  /** How far ahead of the wall clock a local write may be (ms); as far as it comes, without it. */
  readonly maxAheadMs?: number | undefined
}

export type Client = SqliteClient.SqliteClient

/**
 * Runs `body` in a transaction. The client's own `withTransaction` does not end a transaction whose COMMIT failed, and dies
 * when SQLite has rolled back by itself, as it does when the disk is full.
 */
export const transaction = <A, E>(sql: Client, body: (connection: Connection) => Effect.Effect<A, E>) =>
  Effect.scoped(
    Effect.flatMap(sql.reserve, (connection) => {
      const control = (statement: string) => connection.execute(statement, [], undefined)
      return control("BEGIN IMMEDIATE").pipe(
        Effect.andThen(body(connection)),
        Effect.tap(() => control("COMMIT")),
        Effect.onError(() => Effect.ignore(control("ROLLBACK")))
      )
    })
  )

/** An identity that nobody else has. */
export const freshNodeId = () => NodeId.make(randomBytes(8).toString("hex"))

export const databaseIn = (home: string) => join(home, "sync.db")

/** Opens the database, makes it current, and holds the lock, until the scope closes. */
export const open = Effect.fnUntraced(function* ({ home, readOnly = false, lockWait = 3_000 }: Options) {
  const fs = yield* FileSystem.FileSystem
  const file = databaseIn(home)
  if (readOnly) {
    yield* fs.access(file)
    if (yield* hasForeignLog(fs, file)) {
      return yield* new StoreUnavailable({ reason: "other", detail: `${file}-wal belongs to another database` })
    }
    const sql = yield* connect({ filename: yield* toRead(file), readonly: true })
    yield* sql.unsafe(busyTimeout)
    const version = yield* versionOf(sql)
    return version >= 1 && version <= SqliteSchema.current ? sql : yield* wrongVersion(version)
  }
  yield* FileError.makeDirectories(home)
  yield* fs.access(home, { readable: true, writable: true })
  const lock = join(home, "lock")
  yield* makePrivate(fs, lock)
  yield* makePrivate(fs, file)
  const guard = yield* connect({ filename: lock })
  yield* Effect.retry(Unavailable.mapped(guard.unsafe("BEGIN EXCLUSIVE")), {
    while: ({ reason }) => reason === "locked",
    schedule: Schedule.spaced("50 millis"),
    times: Math.ceil(lockWait / 50)
  })
  yield* setForeignLogAside(fs, file)
  const sql = yield* connect({ filename: file })
  yield* sql.unsafe(busyTimeout)
  for (const pragma of pragmas) yield* sql.unsafe(`PRAGMA ${pragma}`)
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
  const earlier = yield* sql`SELECT 1 FROM sqlite_schema WHERE name = 'search_mark'`
  if (earlier.length > 0) yield* transaction(sql, SqliteSearch.dropEarlier)
  return sql
}, Unavailable.opening)

/**
 * The name by which a database is opened to read it. SQLite makes files beside one in WAL mode, also to read. Where this user
 * cannot make files, the database is read as it stands (`immutable`), if it was closed: then all of it is in one file.
 */
export const toRead = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  if (isWritable(dirname(file))) return file
  const log = yield* fs.stat(`${file}-wal`).pipe(
    Effect.map(({ size }) => Number(size)),
    Effect.catch((error) => (error.reason._tag === "NotFound" ? Effect.succeed(0) : Effect.fail(error)))
  )
  if (log === 0) return asItStands(file)
  // Its index shows the log, also to those who cannot write.
  if (yield* fs.exists(`${file}-shm`)) return file
  const detail = `${file}-wal holds rows that are not in sync.db yet: copy the directory to a place that can be written, and use --home`
  return yield* new StoreUnavailable({ reason: "read-only", detail })
})

/** A file that nothing changes while it is read. */
export const asItStands = (file: string): string =>
  `file:${encodeURI(file).replace(/[?#]/g, encodeURIComponent)}?immutable=1`

/**
 * Whether the log beside a database is of another one: a node's database is in WAL mode from its first write on, and a backup is not,
 * so a log beside such a file was there before the file was. SQLite would replay it, and damage the file.
 */
const hasForeignLog = Effect.fnUntraced(function* (fs: FileSystem.FileSystem, file: string) {
  if (!(yield* fs.exists(`${file}-wal`)) || (yield* fs.stat(`${file}-wal`)).size === 0n) return false
  const header = yield* Effect.scoped(Effect.flatMap(fs.open(file, { flag: "r" }), (handle) => handle.readAlloc(100)))
  // The bytes 18 and 19 are the versions of the format to write and to read: 2 is WAL.
  return Option.exists(header, (bytes) => bytes[18] === 1 && bytes[19] === 1)
})

const setForeignLogAside = Effect.fnUntraced(function* (fs: FileSystem.FileSystem, file: string) {
  if (!(yield* hasForeignLog(fs, file))) return
  const stamp = new Date(yield* Clock.currentTimeMillis).toISOString().replace(/[:.]/g, "-")
  for (const suffix of ["-wal", "-shm"]) {
    if (!(yield* fs.exists(`${file}${suffix}`))) continue
    yield* fs.rename(`${file}${suffix}`, `${file}${suffix}.of-another-database-${stamp}`)
  }
  yield* Effect.logWarning("a log beside the database belonged to another one: it was set aside").pipe(
    Effect.annotateLogs({ file: `${file}-wal.of-another-database-${stamp}` })
  )
})

/** Waiting blocks the whole process. Other writers should not be, and readers do not block. */
export const busyTimeout = "PRAGMA busy_timeout = 1000"

const pragmas = [
  // Of a file that is new: its free pages are given back (`SqliteUpkeep.ts`). It has to come first.
  "auto_vacuum = INCREMENTAL",
  "journal_mode = WAL",
  // What is deleted is overwritten, on pages that become free too: `FAST` leaves those as they are.
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
 * Opens a file, without a statement yet: the client would die of one that fails. It remembers statements that could not be
 * prepared as it does those that could, so it must not remember for long.
 */
export const connect = (config: SqliteClient.SqliteClientConfig) =>
  SqliteClient.make({ ...config, disableWAL: true, prepareCacheTTL: "5 seconds" }).pipe(
    Effect.provide(Reactivity.layer),
    Unavailable.opening
  )

export const versionOf = (sql: Client) =>
  Effect.map(Effect.flatMap(sql`PRAGMA user_version`, decodeVersion), ([{ user_version }]) => user_version)

const decodeVersion = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ user_version: Schema.Int })]))

const wrongVersion = (version: number) =>
  new StoreUnavailable({
    reason: "other",
    detail:
      version > SqliteSchema.current
        ? `the file has version ${version}, made by a newer feral-sync: upgrade this one`
        : `the file has version ${version}: start this feral-sync once for writing`
  })

/**
 * Makes the file if it is missing, and lets nobody but its owner read it. SQLite's other files take the same mode. A file
 * that is there is not opened: closing it again would release every lock that this process has on it.
 */
export const makePrivate = Effect.fnUntraced(function* (fs: FileSystem.FileSystem, file: string) {
  if (!(yield* fs.exists(file))) yield* Effect.scoped(fs.open(file, { flag: "a", mode: 0o600 }))
  yield* fs.chmod(file, 0o600)
})
