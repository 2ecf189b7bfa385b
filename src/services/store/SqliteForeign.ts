/**
 * A database of another program, read and never written to, also while that program writes.
 *
 * No file is created beside it, either. A database that no process has open is read in place. One that was left with a
 * log, as after a crash, is read from a copy.
 */
import { Effect } from "effect"
import { copyFileSync, existsSync, mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { DatabaseSync, type StatementSync } from "node:sqlite"
import { FileUnusable } from "../node/NodeFailure.ts"
import { asItStands } from "./SqliteFile.ts"

export interface Foreign {
  /** The tables, without virtual ones and their parts. */
  readonly tables: ReadonlySet<string>
  /** The columns of a table; none of a table that is not there. */
  columns(table: string, schema?: "main" | "log"): ReadonlyArray<string>
  /** The rows of a query, one at a time. Throws where the file cannot be read. */
  rows(query: string, ...values: ReadonlyArray<string>): Iterable<{ readonly [column: string]: unknown }>
  /** Whether another process began to write to a file that was read as it stands: then it may have been misread. */
  readonly hasChanged: () => boolean
}

/** Where a file is read, and whether it is taken to be still. */
interface Place {
  readonly uri: string
  readonly isStill: boolean
}

const logOf = (file: string) => `${file}-wal`

const hasLog = (file: string): boolean => existsSync(logOf(file)) && statSync(logOf(file)).size > 0

const placeOf = (file: string, scratch: () => string): Place => {
  if (!hasLog(file)) return { uri: asItStands(file), isStill: true }
  // The index of the log: a process has the database open.
  if (existsSync(`${file}-shm`)) return { uri: asItStands(file).replace("immutable=1", "mode=ro"), isStill: false }
  const copy = join(scratch(), basename(file))
  copyFileSync(file, copy)
  copyFileSync(logOf(file), logOf(copy))
  return { uri: asItStands(copy).replace("?immutable=1", ""), isStill: false }
}

/** Opens `main`, and `attached` beside it under the name `log`, in one moment of each. */
export const open = Effect.fnUntraced(function* (main: string, attached: string | undefined) {
  let scratch: string | undefined
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => scratch !== undefined && rmSync(scratch, { recursive: true, force: true }))
  )
  const scratchOf = () => (scratch ??= mkdtempSync(join(tmpdir(), "feral-sync-import-")))
  return yield* Effect.acquireRelease(
    Effect.try({
      try: (): { readonly db: DatabaseSync; readonly foreign: Foreign } => {
        const still: Array<string> = []
        const at = (file: string): string => {
          const place = placeOf(file, scratchOf)
          if (place.isStill) still.push(file)
          return place.uri
        }
        const db = new DatabaseSync(at(main), { readOnly: true })
        try {
          db.exec("PRAGMA busy_timeout = 5000; PRAGMA temp_store = FILE")
          const tables = new Set(
            statement(db, "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'")
              .all()
              .map(({ name }) => String(name))
          )
          if (attached !== undefined) statement(db, "ATTACH ? AS log").run(at(attached))
          db.exec("BEGIN")
          // Rows first, and then the log: an operation may be newer than its row, never the other way round.
          statement(db, "SELECT count(*) FROM main.sqlite_schema").get()
          if (attached !== undefined) statement(db, "SELECT count(*) FROM log.sqlite_schema").get()
          return {
            db,
            foreign: {
              tables,
              columns: (table, schema = "main") =>
                statement(db, "SELECT name FROM pragma_table_info(?, ?)")
                  .all(table, schema)
                  .map(({ name }) => String(name)),
              rows: (query, ...values) => statement(db, query).iterate(...values),
              hasChanged: () => still.some(hasLog)
            }
          }
        } catch (error) {
          db.close()
          throw error
        }
      },
      catch: (error) => unreadable(main, error)
    }),
    ({ db }) => Effect.sync(() => db.close())
  ).pipe(Effect.map(({ foreign }) => foreign))
})

/** Numbers beyond what a double holds are read as they are. */
const statement = (db: DatabaseSync, query: string): StatementSync => {
  const prepared = db.prepare(query)
  prepared.setReadBigInts(true)
  return prepared
}

export const unreadable = (file: string, error: unknown): FileUnusable =>
  new FileUnusable({
    file,
    problem: `it cannot be read (${error instanceof Error ? error.message : String(error)})`,
    nextStep: "check that it is the database of a FERAL node, and that you may read it",
    cause: error
  })
