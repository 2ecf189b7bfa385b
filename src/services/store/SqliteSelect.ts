/**
 * Reads the rows that filters leave from `sync.db`, newest first (`core/replica/Selection.ts`).
 *
 * SQLite keeps an index for each filter, with the row: so a read is right at once, whatever came in before, and takes
 * no longer in a large memory. A statement names its index, for SQLite would rather read and sort all rows of a kind.
 * Tags have a table of their own, kept by triggers. What a statement cannot say exactly, the rows are asked.
 */
import { Effect, Schema } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Kind from "../../core/replica/Kind.ts"
import { NodeId } from "../../core/replica/NodeId.ts"
import type { Operation } from "../../core/replica/Operation.ts"
import * as Selection from "../../core/replica/Selection.ts"
import { pageLength } from "./Sizes.ts"
import * as SqliteRows from "./SqliteRows.ts"

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`
const named = (text: string): string => `"${text.replaceAll('"', '""')}"`

/** The live rows of a kind, in the words of its indexes: SQLite uses an index only for a statement that has them. */
const rowsOf = (kind: string, prefix = ""): string =>
  `${prefix}kind = ${quoted(kind)} AND ${prefix}twin = '' AND ${prefix}op_type <> 'delete'`

const valueOf = (column: string, prefix = ""): string => `json_extract(${prefix}data, ${quoted(`$.${column}`)})`

/** Filters by a column, the one with the fewest rows for a value first: its index is used. */
const indexed = ["subject", "session_id", "result_status"]

const indexesOf = ({ name, columns }: Kind.Definition): ReadonlyArray<readonly [string, string]> => [
  [`${name}_newest`, `(wall, counter) WHERE ${rowsOf(name)}`],
  ...indexed
    .filter((column) => column in columns)
    .map((column) => [`${name}_by_${column}`, `(${valueOf(column)}, wall, counter) WHERE ${rowsOf(name)}`] as const)
]

/** The tags of a row, as `Column.texts` reads them. No row may make it fail: that would stop a commit. */
const tagsOf = (row: string, columns: string): string => {
  const data = `${row}.data, '$.${Selection.tagColumn}'`
  const text = `json_extract(${data})`
  return `SELECT DISTINCT CAST(value AS TEXT), ${columns} FROM json_each(CASE json_type(${data})
      WHEN 'array' THEN ${text}
      WHEN 'text' THEN CASE json_valid(${text})
        WHEN 1 THEN CASE json_type(${text}) WHEN 'array' THEN ${text} ELSE json_array(${text}) END
        ELSE CASE ${text} WHEN '' THEN '[]' ELSE json_array(${text}) END END
      ELSE '[]' END) WHERE value IS NOT NULL`
}

const withTags = Kind.all
  .filter((kind: Kind.Definition) => Selection.tagColumn in kind.columns)
  .map(({ name }) => quoted(name))
  .join()

/** Whether a row may have tags. Most have none, and to take them apart costs a third of an insert. */
const hasTags = (row: string): string =>
  `${row}.kind IN (${withTags}) AND ${row}.op_type <> 'delete'
    AND coalesce(${row}.data ->> '$.${Selection.tagColumn}', '') NOT IN ('', '[]')`

/** The tags of rows that are there before the table is, and those of rows that come and leave. */
const tagTable: ReadonlyArray<string> = [
  `CREATE TABLE tagged (
    tag TEXT NOT NULL, wall INTEGER NOT NULL, counter INTEGER NOT NULL, seq INTEGER NOT NULL,
    PRIMARY KEY (tag, wall, counter, seq)
  ) WITHOUT ROWID`,
  `INSERT INTO tagged ${tagsOf("o", "o.wall, o.counter, o.seq").replace("FROM ", "FROM operations AS o, ")} AND ${hasTags("o")}`
]
const tagTriggers = {
  tagged_come: `CREATE TRIGGER tagged_come AFTER INSERT ON operations WHEN ${hasTags("NEW")}
    BEGIN INSERT INTO tagged ${tagsOf("NEW", "NEW.wall, NEW.counter, NEW.seq")}; END`,
  tagged_leave: `CREATE TRIGGER tagged_leave AFTER DELETE ON operations WHEN ${hasTags("OLD")}
    BEGIN DELETE FROM tagged WHERE (tag, wall, counter, seq) IN (${tagsOf("OLD", "OLD.wall, OLD.counter, OLD.seq")}); END`
}

/**
 * The tables, indexes and triggers of a file, each as it was made: an earlier one that is only read has not all of
 * these.
 */
export type Made = ReadonlyMap<unknown, unknown>
export const madeIn = (sql: SqlClient): Effect.Effect<Made, SqlError> =>
  Effect.map(sql`SELECT name, sql FROM sqlite_schema`, (rows) => new Map(rows.map(({ name, sql }) => [name, sql])))

/** The statements that make what a file lacks of all this. */
export const missing = Effect.fnUntraced(function* (sql: SqlClient) {
  const made = yield* madeIn(sql)
  return [
    ...Kind.all
      .flatMap((kind) => indexesOf(kind))
      .filter(([name]) => !made.has(name))
      .map(([name, columns]) => `CREATE INDEX ${named(name)} ON operations ${columns}`),
    ...(made.has("tagged") ? [] : tagTable),
    // An earlier version has others, which do the same more slowly.
    ...Object.entries(tagTriggers).flatMap(([name, statement]) =>
      made.get(name) === statement ? [] : [`DROP TRIGGER IF EXISTS ${name}`, statement]
    )
  ]
})

/** A row that is to be read: where it is, its place in the order, and its size in bytes. */
export const Head = Schema.Struct({
  seq: Schema.Natural,
  kind: Schema.String,
  row_id: Schema.String,
  origin: NodeId,
  wall: Schema.Natural,
  counter: Schema.Natural,
  size: Schema.Natural
})
export interface Head extends Schema.Schema.Type<typeof Head> {}
const decodeHeads = Schema.decodeUnknownEffect(Schema.Array(Head))

/** The columns of a head, of the row `o`. */
export const headColumns = "o.seq, o.kind, o.row_id, o.origin, o.wall, o.counter, octet_length(o.data) AS size"

/** The order of reads, of the row `o`. */
export const newestFirst = "o.wall DESC, o.counter DESC, o.origin DESC, o.kind DESC, o.row_id DESC"

export const heads = (rows: ReadonlyArray<unknown>) => Effect.orDie(decodeHeads(rows))

export const placeOf = ({ origin, wall, counter, kind, row_id }: Head, rank = 0): Selection.Place => ({
  rank,
  hlc: { wall, counter, node: origin },
  table: kind,
  row_id
})

/** A part of a statement on the row `o`, and its parameters. */
export interface Condition {
  readonly text: string
  readonly parameters: ReadonlyArray<string | number>
}

/** The condition that a row comes after a place, among those of the same rank. */
export const after = ({ hlc: { wall, counter, node }, table, row_id }: Selection.Place): Condition => ({
  text: "o.wall <= ? AND (o.wall, o.counter, o.origin, o.kind, o.row_id) < (?, ?, ?, ?, ?)",
  parameters: [wall, wall, counter, node, table, row_id]
})

/** What a filter says of a row, but for its kind and tags. */
export const conditionsOf = (filter: Selection.Filter): ReadonlyArray<Condition> => {
  const [from, to] = Selection.boundsOf(filter)
  return [
    ...(from > 0 ? [{ text: "o.wall >= ?", parameters: [from] }] : []),
    ...(to < Infinity ? [{ text: "o.wall < ?", parameters: [to] }] : []),
    ...(filter.origin === undefined ? [] : [{ text: "+o.origin = ?", parameters: [filter.origin] }]),
    ...Selection.columnsOf(filter).map(([column, value]) => ({
      text: `${valueOf(column, "o.")} = ?`,
      parameters: [value]
    }))
  ]
}

/** The index that has the rows of a kind that a filter leaves in their order. */
const indexOf = (kind: string, filter: Selection.Filter, made: Made): string => {
  const columns = new Map(Selection.columnsOf(filter))
  const column = indexed.find((one) => columns.has(one))
  const name = column === undefined ? `${kind}_newest` : `${kind}_by_${column}`
  return made.has(name) ? ` INDEXED BY ${named(name)}` : ""
}

/** The condition that a row has tags. */
export const tagConditions = (tags: ReadonlyArray<string>): ReadonlyArray<Condition> =>
  tags.map((tag) => ({
    text: "EXISTS (SELECT 1 FROM tagged WHERE tag = ? AND wall = o.wall AND counter = o.counter AND seq = o.seq)",
    parameters: [tag]
  }))

/** The condition that a row is of one of some kinds. */
export const kindCondition = (kinds: ReadonlyArray<Kind.Definition>): Condition => ({
  text: "o.kind IN (SELECT value FROM json_each(?))",
  parameters: [JSON.stringify(kinds.map(({ name }) => name))]
})

/** Conditions that follow others in a statement, and their parameters. */
export const textOf = (conditions: ReadonlyArray<Condition>): string =>
  conditions.map(({ text }) => ` AND ${text}`).join("")
export const parametersOf = (conditions: ReadonlyArray<Condition>) => conditions.flatMap(({ parameters }) => parameters)

/** The statement that reads heads of one kind, and its parameters. */
export const statement = (
  kind: string,
  filter: Selection.Filter,
  place: Selection.Place | undefined,
  limit: number,
  made: Made
): Condition => {
  const [tag, ...tags] = filter.tags ?? []
  const conditions = [...conditionsOf(filter), ...tagConditions(tags), ...(place === undefined ? [] : [after(place)])]
  if (tag === undefined) {
    return {
      text: `SELECT ${headColumns} FROM operations AS o${indexOf(kind, filter, made)}
        WHERE ${rowsOf(kind, "o.")}${textOf(conditions)} ORDER BY ${newestFirst} LIMIT ?`,
      parameters: [...parametersOf(conditions), limit]
    }
  }
  const [from, to] = Selection.boundsOf(filter)
  const last = Math.min(to - 1, place?.hlc.wall ?? Infinity)
  return {
    text: `SELECT ${headColumns} FROM tagged AS t CROSS JOIN operations AS o ON o.seq = t.seq
      WHERE t.tag = ? AND t.wall BETWEEN ? AND ? AND ${rowsOf(kind, "o.")}${textOf(conditions)}
      ORDER BY t.wall DESC, t.counter DESC, ${newestFirst} LIMIT ?`,
    parameters: [tag, Math.max(from, 0), Math.min(last, Number.MAX_SAFE_INTEGER), ...parametersOf(conditions), limit]
  }
}

/** Bytes of the rows of one answer: what is beyond is for the next one. */
const mostBytes = 16 * 1024 * 1024

/** Reads the rows of heads, in their order: as many as fit into one answer, and at least one. */
export const read = Effect.fnUntraced(function* (sql: SqlClient, given: ReadonlyArray<Head>) {
  const room = { bytes: mostBytes, operations: given.length, atLeastOne: true }
  const { length } = pageLength(
    given.map(({ size }) => size),
    room
  )
  const taken = given.slice(0, length)
  const rows = yield* sql`SELECT * FROM operations WHERE seq IN (SELECT value FROM json_each(${JSON.stringify(
    taken.map(({ seq }) => seq)
  )}))`
  const operations = yield* SqliteRows.operations(rows)
  const bySeq = new Map(rows.map(({ seq }, index) => [seq, operations[index]]))
  return taken.map((head) => ({ head, operation: bySeq.get(head.seq) }))
})

/** What statements are asked of a filter. */
export const askedOf = ({ tags, ...filter }: Selection.Filter, made: Made): Selection.Filter =>
  tags === undefined || !made.has("tagged") ? filter : { ...filter, tags }

/** Reads the rows of a request. */
export const select = Effect.fnUntraced(function* (
  sql: SqlClient,
  { filter, after, limit }: Selection.Request,
  made: Made
) {
  const asked = askedOf(filter, made)
  const fits = Selection.matcher(filter)
  const kinds = Selection.kindsOf(filter)
  const found: Array<Operation> = []
  let place = after
  for (;;) {
    const wanted = limit - found.length
    const next: Array<Head> = []
    for (const { name } of kinds) {
      const { text, parameters } = statement(name, asked, place, wanted + 1, made)
      next.push(...(yield* heads(yield* sql.unsafe(text, parameters))))
    }
    next.sort((a, b) => Selection.PlaceOrder(placeOf(a), placeOf(b)))
    const rows = yield* read(sql, next.slice(0, wanted))
    for (const { operation } of rows) if (operation !== undefined && fits(operation)) found.push(operation)
    const last = rows.at(-1)
    const isMore = next.length > rows.length
    if (!isMore || last === undefined || found.length > 0) return { operations: found, isMore } satisfies Selection.Page
    // None of these fits, after all.
    place = placeOf(last.head)
  }
})
