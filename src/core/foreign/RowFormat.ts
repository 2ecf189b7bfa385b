/**
 * Rows in the formats that other programs read: lines of JSON, tables, and Markdown. Deleted rows are not in them.
 *
 * A row that was written in one of them can be read back. It keeps the time of its last change, so that it never
 * overrides the row that it was made from, wherever that is. These formats bring rows to a new place; they never change
 * them.
 */
import { Predicate, Result } from "effect"
import * as Digest from "../replica/Digest.ts"
import { parse } from "../replica/Json.ts"
import * as Kind from "../replica/Kind.ts"
import { maxDataDepth } from "../replica/Operation.ts"
import * as Csv from "../text/Csv.ts"
import { type Found, fromBare, secondsOf } from "./Found.ts"

/** The formats. */
export const formats = ["ndjson", "csv", "markdown"] as const
export type Format = (typeof formats)[number]

export interface Row {
  readonly [column: string]: unknown
}

const metadata = ["created_at", "updated_at", "origin_node", "hlc"]

/** The columns of a table of rows of a kind. */
export const columnsOf = (kind: Kind.Definition): ReadonlyArray<string> => [
  "id",
  ...Object.keys(kind.columns),
  ...metadata
]

/** A row as a line of JSON. */
export const jsonLine = (kind: Kind.Definition, row: Row): string => `${JSON.stringify({ kind: kind.name, ...row })}\n`

const cellOf = (value: unknown): string | number => {
  if (value === undefined || value === null) return ""
  return Predicate.isString(value) || Predicate.isNumber(value) ? value : JSON.stringify(value)
}

/** The first line of a table. */
export const csvHeader = (kind: Kind.Definition): string => Csv.record(columnsOf(kind))

/** A row as a line of a table. */
export const csvLine = (kind: Kind.Definition, row: Row): string =>
  Csv.record(columnsOf(kind).map((column) => cellOf(row[column])))

/** The column that is the text of a Markdown file. */
const body = "content"

/** A note as Markdown, with its other columns before it. Their values are JSON, which is YAML too. */
export const markdown = (row: Row): string => {
  const columns = columnsOf(Kind.table.notes).filter((column) => column !== body && row[column] !== undefined)
  const head = columns.map((column) => `${column}: ${JSON.stringify(row[column])}\n`).join("")
  return `---\n${head}---\n\n${Predicate.isString(row[body]) ? row[body] : ""}\n`
}

/** A name for the file of a note, unique, and safe on every file system. */
export const markdownName = (id: string): string =>
  `${/^[a-z0-9][a-z0-9-]{0,99}$/.test(id) ? id : Digest.toText(Digest.fingerprint(id))}.md`

const refused = (kind: string, where: string, reason: string): Found => ({ _tag: "Refused", kind, where, reason })

/** The operation of a row of the kind `name`, whose values are as an application reads them. */
export const fromRow = (name: string, where: string, row: Row): Found => {
  const kind = Kind.find(name)
  if (kind === undefined) return refused(name, where, `${JSON.stringify(name)} is not a kind`)
  const id = row["id"]
  if (!Predicate.isString(id) || id === "") return refused(name, where, "it has no id")
  const data: { [column: string]: unknown } = { id }
  for (const [column, { stored }] of Object.entries(kind.columns)) {
    const value = row[column]
    if (value === undefined || value === null) continue
    data[column] = stored === "json" && !Predicate.isString(value) ? JSON.stringify(value) : value
  }
  const created = secondsOf(row["created_at"])
  if (created !== undefined) data["created_at"] = created
  const written = secondsOf(row["updated_at"]) ?? created ?? 0
  // The latest wins where the rule is last writer wins, and the first elsewhere. In both cases the row itself stays.
  const at = kind.rule === "lww" ? written - 0.001 : written
  return fromBare({ kind: name, where, rowId: id, opType: "insert", data, at })
}

/** The operation in a line of JSON; none when the line is not one of these. */
export const fromJsonLine = (text: string, where: string): Found => {
  const read = parse(text, maxDataDepth)
  if (Result.isFailure(read)) return refused("", where, read.failure)
  if (!Predicate.isObject(read.success)) return refused("", where, "not an object")
  const row: Row = { ...read.success }
  return fromRow(Predicate.isString(row["kind"]) ? row["kind"] : "", where, row)
}

/** Whether a text is the first line of rows in lines of JSON. */
export const isJsonLine = (text: string): boolean => {
  const read = parse(text, maxDataDepth)
  if (Result.isFailure(read) || !Predicate.hasProperty(read.success, "kind")) return false
  const { kind } = read.success
  return Predicate.isString(kind) && Kind.find(kind) !== undefined
}

/** What the pieces of a table of rows of a kind have. */
export function* fromCsv(name: string, pieces: Iterable<string>, maxLength: number): Generator<Found> {
  const reader = Csv.reader(maxLength)
  let header: ReadonlyArray<string> | undefined
  let number = 0
  const columns: Kind.Definition["columns"] = Kind.find(name)?.columns ?? {}
  const valueOf = (column: string, cell: string): unknown => {
    const { stored } = columns[column] ?? { stored: "text" }
    return stored === "number" || stored === "real" ? Number(cell) : cell
  }
  const take = (cells: ReadonlyArray<string>): ReadonlyArray<Found> => {
    number++
    if (header === undefined) {
      header = cells.map((cell) => cell.replace(/^\uFEFF/, ""))
      return header.includes("id")
        ? []
        : [refused(name, "line 1", "the first line does not name the columns, id among them")]
    }
    if (!header.includes("id")) return []
    const row = header.flatMap((column, index) => {
      const cell = cells[index] ?? ""
      return cell === "" ? [] : [[column, valueOf(column, cell)] as const]
    })
    return [fromRow(name, `record ${number}`, Object.fromEntries(row))]
  }
  for (const piece of pieces) for (const cells of reader.push(piece)) yield* take(cells)
  for (const cells of reader.end()) yield* take(cells)
}

const front = /^\uFEFF?---\r?\n(.*?)\r?\n---\r?\n(?:\r?\n)?/s

/** The operation of a note in a Markdown file. */
export const fromMarkdown = (text: string, where: string): Found => {
  const match = front.exec(text)
  const name = Kind.table.notes.name
  if (match === null) return refused(name, where, "it does not begin with front matter")
  const row: { [column: string]: unknown } = {}
  for (const line of (match[1] ?? "").split(/\r?\n/)) {
    const [, column = "", value = ""] = /^([a-z_]+):\s*(.*)$/.exec(line) ?? []
    if (column !== "") row[column] = Result.getOrElse(parse(value, maxDataDepth), () => value)
  }
  return fromRow(name, where, { ...row, [body]: text.slice(match[0].length).replace(/\n$/, "") })
}
