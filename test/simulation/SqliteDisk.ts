/**
 * The SQLite store on real files, in memory where the system has a place for such. A crash takes the files as they are at that moment,
 * in the middle of a transaction if there is one: its statements are steps of their own. A loss of power cuts the log behind what
 * the last commit has synced that ran with `synchronous = FULL`.
 */
import { Effect, FileSystem, Layer } from "effect"
import { classifySqliteError, SqlError } from "effect/sql/SqlError"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync, type StatementSync } from "node:sqlite"
import * as Digest from "../../src/core/replica/Digest.ts"
import * as Merge from "../../src/core/replica/Merge.ts"
import type { NodeId } from "../../src/core/replica/NodeId.ts"
import * as VectorClock from "../../src/core/replica/VectorClock.ts"
import { Store } from "../../src/services/store/Store.ts"
import type * as Engine from "../../src/services/store/Engine.ts"
import * as SqliteBackend from "../../src/services/store/SqliteBackend.ts"
import * as SqliteFile from "../../src/services/store/SqliteFile.ts"
import * as SqliteIdentity from "../../src/services/store/SqliteIdentity.ts"
import * as CutText from "../../src/services/store/CutText.ts"
import * as SqliteRejoin from "../../src/services/store/SqliteRejoin.ts"
import * as SqliteRows from "../../src/services/store/SqliteRows.ts"
import { syncFileSystem } from "../support/SyncFileSystem.ts"
import type { Content, Disk } from "./Disk.ts"

const withFiles = Effect.provideService(FileSystem.FileSystem, syncFileSystem)

const full = new SqlError({
  reason: classifySqliteError({ errcode: 13, errno: 13, message: "database or disk is full" }, { operation: "execute" })
})

/** The files of one simulation. */
export class Shelf {
  private directory: string | undefined
  private count = 0
  private template: string | undefined

  /** A directory of its own, with the files of another one as they are now. */
  directoryFrom(other: string | undefined): string {
    const shared = fs.existsSync("/dev/shm") ? "/dev/shm" : tmpdir()
    this.directory ??= fs.mkdtempSync(join(shared, "feral-sync-simulation-"))
    const home = join(this.directory, `${this.count++}`)
    fs.mkdirSync(home)
    for (const name of other === undefined ? [] : ["sync.db", "sync.db-wal"]) {
      const file = join(other ?? "", name)
      if (fs.existsSync(file)) fs.copyFileSync(file, join(home, name))
    }
    return home
  }

  /** A fresh disk of a node. */
  fresh(nodeId: NodeId): SqliteDisk {
    if (this.template === undefined) {
      const template = this.directoryFrom(undefined)
      Effect.runSync(Effect.scoped(withFiles(SqliteFile.open({ home: template }))))
      this.template = template
    }
    const home = this.directoryFrom(this.template)
    const db = new DatabaseSync(SqliteFile.databaseIn(home))
    db.prepare("UPDATE meta SET node_id = ?").run(nodeId)
    db.close()
    return new SqliteDisk(this, home)
  }

  clear(): void {
    if (this.directory !== undefined) fs.rmSync(this.directory, { recursive: true })
  }
}

export class SqliteDisk implements Disk {
  isFull = false
  readonly home: string
  private readonly shelf: Shelf
  private reader: DatabaseSync | undefined
  /** Tells whether another connection has committed something. */
  private version: StatementSync | undefined
  private seen: unknown
  private known: Content | undefined
  /** How much of the log is synced, and which log that is. */
  private synced = { log: "", bytes: 0 }
  private level = ""

  constructor(shelf: Shelf, home: string) {
    this.shelf = shelf
    this.home = home
  }

  get content(): Content {
    if (this.reader === undefined) {
      if (this.known !== undefined) return this.known
      const reader = this.connect()
      this.known = contentOf(reader)
      reader.close()
      return this.known
    }
    const version = this.version?.get()?.["data_version"]
    if (this.known === undefined || version !== this.seen) {
      // Not every transaction is a commit of rows: an index is written as well.
      const content = contentOf(this.reader)
      if (this.known === undefined || !isSame(this.known, content)) this.known = content
      this.seen = version
    }
    return this.known
  }

  store(options: Engine.Options) {
    const { home } = this
    return Layer.effect(
      Store,
      Effect.gen({ self: this }, function* () {
        const sql = yield* SqliteFile.open({ home, lockWait: 0 })
        // It goes before the connection of the store and after the store, which still writes while it is closed.
        yield* Effect.acquireRelease(
          Effect.sync(() => {
            const reader = this.connect()
            this.reader = reader
            this.version = reader.prepare("PRAGMA data_version")
            return reader
          }),
          (reader) =>
            Effect.sync(() => {
              this.known = contentOf(reader)
              this.reader = undefined
              // The last one to close a database writes its log back into it: that is to be the store.
              reader.close()
            })
        )
        return yield* SqliteBackend.over(this.watched(sql), { home, ...options })
      }).pipe(withFiles)
    )
  }

  crash(power: number | undefined): SqliteDisk {
    const disk = this.copy()
    disk.isFull = this.isFull
    const log = join(disk.home, "sync.db-wal")
    const size = sizeOf(log)
    const { bytes } = this.synced.log === nameOf(log) ? this.synced : { bytes: 0 }
    if (power === undefined) disk.synced = this.synced
    else if (size > bytes) fs.truncateSync(log, size - Math.floor(power * (size - bytes + 1)))
    return disk
  }

  copy(): SqliteDisk {
    const disk = new SqliteDisk(this.shelf, this.shelf.directoryFrom(this.home))
    const log = join(disk.home, "sync.db-wal")
    disk.synced = { log: nameOf(log), bytes: sizeOf(log) }
    return disk
  }

  rejoin(): SqliteDisk {
    const disk = this.copy()
    const incoming = join(disk.home, "incoming.db")
    Effect.runSync(Effect.orDie(withFiles(SqliteRejoin.begin(disk.home, incoming))))
    for (const end of ["-wal", "-shm"]) fs.rmSync(join(disk.home, `sync.db${end}`), { force: true })
    fs.renameSync(incoming, SqliteFile.databaseIn(disk.home))
    return disk
  }

  /** Gives the node another identity, and writes anew what it wrote at a time that is still to come. Nobody may use the disk. */
  reissue(nodeId: NodeId, now: number) {
    const renewed = Effect.orDie(withFiles(SqliteIdentity.renewAs(nodeId, this.home, now)))
    return Effect.ensuring(
      renewed,
      Effect.sync(() => (this.known = undefined))
    )
  }

  private connect(): DatabaseSync {
    return new DatabaseSync(SqliteFile.databaseIn(this.home), { readOnly: true })
  }

  /** The connection of the store: each of its statements is a step of its own, and may find the disk full. */
  private watched(sql: SqliteFile.Client): SqliteFile.Client {
    const execute = (statement: string): Effect.Effect<void, SqlError> =>
      this.isFull && /^\s*(INSERT|DELETE|UPDATE)/.test(statement) ? Effect.fail(full) : Effect.yieldNow
    const reserve = Effect.map(sql.reserve, (connection) => ({
      ...connection,
      execute: (...call: Parameters<typeof connection.execute>) =>
        execute(call[0]).pipe(
          Effect.andThen(connection.execute(...call)),
          Effect.tap(() => Effect.sync(() => this.note(call[0])))
        )
    }))
    const unsafe: typeof sql.unsafe = (statement, parameters) => {
      this.note(statement)
      return sql.unsafe(statement, parameters)
    }
    return new Proxy(sql, {
      get: (target, key) => (key === "reserve" ? reserve : key === "unsafe" ? unsafe : Reflect.get(target, key))
    })
  }

  private note(statement: string): void {
    this.level = /^PRAGMA synchronous = (\w+)/.exec(statement)?.[1] ?? this.level
    const log = join(this.home, "sync.db-wal")
    if (statement === "COMMIT" && this.level === "FULL") this.synced = { log: nameOf(log), bytes: sizeOf(log) }
  }
}

const sizeOf = (file: string): number => (fs.existsSync(file) ? fs.statSync(file).size : 0)

/** The salt of a log, which changes whenever it is begun anew: what was in it before is synced then. */
const nameOf = (file: string): string =>
  sizeOf(file) < 24 ? "" : fs.readFileSync(file).subarray(16, 24).toString("hex")

const isSame = (one: Content, other: Content): boolean =>
  Digest.equals(one.state.digest, other.state.digest) &&
  VectorClock.compare(one.state.vectorClock, other.state.vectorClock) === "equal" &&
  CutText.toText(one.state.cut) === CutText.toText(other.state.cut) &&
  one.rejoining.length === other.rejoining.length &&
  one.rows.size === other.rows.size

const contentOf = (db: DatabaseSync): Content => {
  db.exec("BEGIN")
  const read = (statement: string) => db.prepare(statement).all()
  const operations = Effect.runSync(SqliteRows.operations(read("SELECT * FROM operations")))
  const rows = new Map(operations.map((operation) => [Merge.slotOf(operation), operation]))
  const { nodeId, state } = Effect.runSync(
    SqliteRows.state(
      read("SELECT *, 0 AS quarantine FROM meta"),
      read("SELECT * FROM clock"),
      read("SELECT * FROM purged")
    )
  )
  const isRejoining = read("SELECT 1 FROM sqlite_schema WHERE name = 'rejoin'").length > 0
  const rejoining = isRejoining ? Effect.runSync(SqliteRows.operations(read("SELECT * FROM rejoin"))) : []
  db.exec("COMMIT")
  return { nodeId, state, rows, rejoining }
}
