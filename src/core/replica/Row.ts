/**
 * The rows that an application sees: the columns of each kind, read from the operation that holds the row.
 *
 * Reading is lenient: a column that is missing or of another type gets its default (`Column.ts`). Times are Unix
 * seconds. `updated_at` is the wall time of the winning HLC, never the clock of the receiver, so that replicas are
 * equal row for row.
 */
import { Record, type Schema } from "effect"
import * as Column from "./Column.ts"
import * as Hlc from "./Hlc.ts"
import { parseExact } from "./Json.ts"
import * as Kind from "./Kind.ts"
import { type Content as Columns, contentIn, contentOf, maxDataDepth, type Operation } from "./Operation.ts"

/** A note. */
export const Note = Kind.table.notes.row
export interface Note extends Schema.Schema.Type<typeof Note> {}

/** A statement about the world. `confidence` is 0 to 1. */
export const Fact = Kind.table.facts.row
export interface Fact extends Schema.Schema.Type<typeof Fact> {}

/** Something that happened. `importance` is 0 to 1. */
export const Episode = Kind.table.episodes.row
export interface Episode extends Schema.Schema.Type<typeof Episode> {}

/**
 * One run of a skill. `args` are as they were given; a stored value that is neither an object nor a list is under
 * `value`.
 */
export const Execution = Kind.table.executionLog.row
export interface Execution extends Schema.Schema.Type<typeof Execution> {}

/** Reads rows of a kind: gives the row that an operation holds. */
export function reader<K extends Kind.Kind>(kind: K): (operation: Operation) => K["row"]["Type"]
export function reader({ columns }: Kind.Definition): (operation: Operation) => Columns {
  const readers = Object.entries(columns)
  return (operation) => {
    const data = columnsOf(operation)
    const { hlc, row_id, timestamp } = operation
    const row: { [column: string]: unknown } = { id: row_id }
    for (const [name, { read, stored }] of readers) {
      if (stored !== "any" || data[name] !== undefined) row[name] = read(data[name])
    }
    // Without a time of its own, a row was made when its operation was.
    row["created_at"] = Column.numberOf(data["created_at"], timestamp)
    row["updated_at"] = hlc.wall / 1000
    row["origin_node"] = hlc.node
    row["hlc"] = Hlc.toText(hlc)
    return row
  }
}

/** The note that an operation holds. */
export const noteFromOperation = reader(Kind.table.notes)
/** The fact that an operation holds. */
export const factFromOperation = reader(Kind.table.facts)
/** The episode that an operation holds. */
export const episodeFromOperation = reader(Kind.table.episodes)
/** The log entry that an operation holds. */
export const executionFromOperation = reader(Kind.table.executionLog)

/** The columns of a new row, with defaults for missing input. */
export const columnsFromInput = (kind: Kind.Definition, input: object): Columns => {
  const given: Columns = { ...input }
  return Record.map(Kind.written(kind), ({ stored, byDefault }, name) => {
    const value = given[name] ?? byDefault
    return stored === "json" ? JSON.stringify(value) : value
  })
}

/** The columns in the data of an operation, as they came; none when the data is no object. */
export const columnsOf: (operation: Operation) => Columns = contentOf

/** The same with all digits of the numbers, for a row that is written again. */
export const exactColumnsOf = ({ data }: Operation): Columns => contentIn(parseExact(data, maxDataDepth))

export type { Content as Columns } from "./Operation.ts"
