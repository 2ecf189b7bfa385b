/**
 * The memory of an existing FERAL node on this machine, or a bundle of one, read as operations. It is opened read-only,
 * also while that node runs.
 *
 * Best are the operations of its log. What has none there, because it is older than the log or was never logged, comes
 * from the rows.
 */
import { Effect, FileSystem } from "effect"
import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import { join, resolve } from "node:path"
import * as FeralBundle from "../../../core/foreign/FeralBundle.ts"
import * as FeralMemory from "../../../core/foreign/FeralMemory.ts"
import { type Found, leftOut } from "../../../core/foreign/Found.ts"
import * as Kind from "../../../core/replica/Kind.ts"
import { elsewhere, explain } from "../../node/FileError.ts"
import { FileUnusable } from "../../node/NodeFailure.ts"
import * as SqliteForeign from "../../store/SqliteForeign.ts"

/** A memory of another program, open to be read. */
export interface Source {
  readonly found: Iterable<Found>
  /** What to tell after it was read; none where all is well. */
  readonly afterwards: () => string | undefined
}

/** The largest text that is read at once. */
const maxTextBytes = 384 * 1024 * 1024

/** Opens what `path` leads to: a data directory, or a bundle. */
export const open = Effect.fnUntraced(function* (path: string, options: FeralMemory.Options) {
  const fs = yield* FileSystem.FileSystem
  const stat = yield* Effect.mapError(fs.stat(path), (error) => unusable(path, error))
  if (stat.type === "Directory") return yield* openDirectory(resolve(path), options)
  const text = yield* readText(path)
  if (FeralBundle.isBundle(text)) {
    return { found: FeralBundle.found(text, options), afterwards: () => undefined } satisfies Source
  }
  return yield* new FileUnusable({
    file: path,
    problem: "it is neither a data directory of a FERAL node nor a bundle of one",
    nextStep: "name the directory that holds memory.db, or a JSON bundle"
  })
})

/** Reads a text file that is to be imported. */
export const readText = Effect.fnUntraced(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const { size } = yield* Effect.mapError(fs.stat(path), (error) => unusable(path, error))
  if (size > maxTextBytes) {
    return yield* new FileUnusable({
      file: path,
      problem: `it is larger than ${maxTextBytes} bytes`,
      nextStep: "split it"
    })
  }
  return yield* Effect.mapError(fs.readFileString(path), (error) => unusable(path, error))
})

const unusable = (file: string, error: { readonly message: string }) => {
  const { problem, nextStep } = explain(error, file, elsewhere.file) ?? {
    problem: error.message,
    nextStep: "check the name"
  }
  return new FileUnusable({ file, problem: `it cannot be read (${problem})`, nextStep })
}

const openDirectory = Effect.fnUntraced(function* (directory: string, options: FeralMemory.Options) {
  const memory = join(directory, "memory.db")
  const log = join(directory, "sync_wal.db")
  if (!existsSync(memory)) {
    return yield* existsSync(`${memory}.enc`)
      ? new FileUnusable({
          file: `${memory}.enc`,
          problem: "this memory is encrypted while its FERAL node is stopped",
          nextStep: "start that node, and import while it runs"
        })
      : new FileUnusable({
          file: directory,
          problem: "there is no memory.db in it",
          nextStep: "name the data directory of a FERAL node: usually ~/.local/share/feral or ~/.feral"
        })
  }
  const foreign = yield* SqliteForeign.open(memory, existsSync(log) ? log : undefined)
  return {
    found: foundIn(foreign, options),
    afterwards: () =>
      foreign.hasChanged() ? "its FERAL node started while the memory was read: import again to be sure" : undefined
  } satisfies Source
})

/** What is known of the log beside the rows. */
interface Log {
  readonly isThere: boolean
  readonly hasScope: boolean
}

function* foundIn(foreign: SqliteForeign.Foreign, options: FeralMemory.Options): Generator<Found> {
  const logColumns = isIn(foreign, "sync_wal", "log") ? foreign.columns("sync_wal", "log") : []
  const log: Log = { isThere: logColumns.includes("hlc"), hasScope: logColumns.includes("scope") }
  const facts = new Set<string>()
  for (const kind of Kind.names) {
    if (log.isThere) {
      for (const row of foreign.rows("SELECT * FROM log.sync_wal WHERE table_name = ? ORDER BY rowid", kind)) {
        yield FeralMemory.fromLog(row, options)
      }
    }
    const tables = kind === Kind.table.facts.name ? [kind, `${kind}__deprecated`] : [kind]
    for (const table of tables) if (foreign.tables.has(table)) yield* fromTable(foreign, kind, table, log, options)
    if (kind !== Kind.table.facts.name || !foreign.tables.has("relations") || !foreign.tables.has("entities")) continue
    for (const row of statements(foreign, tables, log)) facts.add(FeralMemory.statement(row))
    yield* fromRelations(foreign, facts, options)
  }
  if (foreign.tables.has("sync_tombstones")) {
    const unlogged = log.isThere
      ? `WHERE row_id || char(31) || coalesce(hlc_string, '') NOT IN (SELECT row_id || char(31) || hlc FROM log.sync_wal)`
      : ""
    for (const row of foreign.rows(`SELECT * FROM main.sync_tombstones ${unlogged}`))
      yield FeralMemory.fromTombstone(row)
  }
  if (log.isThere) {
    const others = `SELECT table_name, count(*) AS count FROM log.sync_wal WHERE table_name NOT IN (${marks}) GROUP BY 1`
    for (const { table_name, count } of foreign.rows(others, ...Kind.names)) {
      yield leftOut(String(table_name), FeralMemory.reasons.kind, Number(count))
    }
  }
  yield* otherTables(foreign)
}

const marks = Kind.names.map(() => "?").join(", ")

const isIn = (foreign: SqliteForeign.Foreign, table: string, schema: "log"): boolean => {
  try {
    return foreign.columns(table, schema).length > 0
  } catch {
    // There is no log.
    return false
  }
}

/** The rows of a table that no operation of the log stands for. */
function* fromTable(
  foreign: SqliteForeign.Foreign,
  kind: string,
  table: string,
  log: Log,
  options: FeralMemory.Options
): Generator<Found> {
  const columns = foreign.columns(table)
  const wanted: Array<string> = ["id IS NULL"]
  if (!log.isThere) wanted.push("1")
  else {
    wanted.push("id NOT IN (SELECT row_id FROM log.sync_wal WHERE table_name = ?1)")
    if (columns.includes("hlc_string")) {
      wanted.push(
        "(coalesce(hlc_string, '') <> '' AND id || char(31) || hlc_string NOT IN (SELECT row_id || char(31) || hlc FROM log.sync_wal WHERE table_name = ?1))"
      )
    }
    for (const detail of kind === Kind.table.episodes.name ? FeralMemory.details : []) {
      if (columns.includes(detail)) wanted.push(`coalesce(${detail}, '') NOT IN ('', '[]', '{}', 'null')`)
    }
  }
  const isPrivate = log.hasScope
    ? "coalesce(id IN (SELECT row_id FROM log.sync_wal WHERE table_name = ?1 AND scope = 'private'), 0)"
    : "0"
  const from = `FROM main."${table}" WHERE (${wanted.join(" OR ")}) AND ?1 <> ''`
  const hidden = options.includePrivate ? "" : ` AND NOT ${isPrivate}`
  for (const row of foreign.rows(`SELECT * ${from}${hidden}`, kind)) yield FeralMemory.fromRow(kind, row, options)
  if (options.includePrivate || !log.hasScope) return
  for (const { count } of foreign.rows(`SELECT count(*) AS count ${from} AND ${isPrivate}`, kind)) {
    if (Number(count) > 0) yield leftOut(kind, FeralMemory.reasons.private, Number(count))
  }
}

/** What the facts say that are rows or operations of their own. */
function* statements(foreign: SqliteForeign.Foreign, tables: ReadonlyArray<string>, log: Log) {
  for (const table of tables) {
    if (foreign.tables.has(table)) yield* foreign.rows(`SELECT subject, predicate, object FROM main."${table}"`)
  }
  if (!log.isThere) return
  const of = (column: string) => `json_extract(data, '$.${column}') AS ${column}`
  yield* foreign.rows(
    `SELECT ${of("subject")}, ${of("predicate")}, ${of("object")} FROM log.sync_wal WHERE table_name = ? AND json_valid(data)`,
    Kind.table.facts.name
  )
}

const idOf = (subject: string, predicate: string): string =>
  createHash("sha256").update(`${subject}\0${predicate}`).digest("hex").slice(0, 12)

/** The facts of the newest nodes. */
function* fromRelations(
  foreign: SqliteForeign.Foreign,
  known: ReadonlySet<string>,
  options: FeralMemory.Options
): Generator<Found> {
  const query =
    "SELECT relations.*, source.name AS subject, target.name AS object FROM main.relations " +
    "LEFT JOIN main.entities source ON source.id = relations.source_id LEFT JOIN main.entities target ON target.id = relations.target_id"
  for (const row of foreign.rows(query)) {
    const fact = FeralMemory.factFromRelation(row, idOf)
    if (fact["subject"] === "" || fact["object"] === null) {
      yield leftOut(Kind.table.facts.name, "a relation whose entity is missing")
    } else if (known.has(FeralMemory.statement(fact))) yield leftOut(Kind.table.facts.name, FeralMemory.reasons.known)
    else yield FeralMemory.fromRow(Kind.table.facts.name, fact, options)
  }
}

const taken = new Set([...Kind.names, "knowledge__deprecated", "relations", "entities", "sync_tombstones", "sync_wal"])

/** What is only an index, or a part of one. */
const index = /_fts|^vec_|^memory_chunks|^sqlite_/

/** What else there is, with its number of rows. */
function* otherTables(foreign: SqliteForeign.Foreign): Generator<Found> {
  for (const table of foreign.tables) {
    if (taken.has(table) || index.test(table)) continue
    for (const { count } of foreign.rows(`SELECT count(*) AS count FROM main."${table.replaceAll('"', '""')}"`)) {
      if (Number(count) > 0) yield leftOut(table, FeralMemory.reasons.kind, Number(count))
    }
  }
}
