/**
 * The memory of an existing FERAL node, from its rows and from its log of operations.
 *
 * The input is untrusted: whatever a column holds, each row gives an operation, a reason to leave it out, or a reason
 * why it cannot be read.
 */
import { Option, Predicate, Result } from "effect"
import * as Hlc from "../replica/Hlc.ts"
import * as Kind from "../replica/Kind.ts"
import { type Found, fromBare, fromWire, leftOut, parseMended, secondsOf } from "./Found.ts"

/** A row of a database: its columns as they are. */
export interface Row {
  readonly [column: string]: unknown
}

export interface Options {
  readonly includePrivate: boolean
  /** Also the fact that such a node makes of every note. */
  readonly includeNoteFacts: boolean
}

export const reasons = {
  private: "private to that machine: --include-private imports them",
  noteFact: "a copy of a note: --include-note-facts imports them",
  known: "the same fact already exists",
  kind: "not a replicated kind",
  delete: "rows of this kind are never deleted"
} as const

const textOf = (value: unknown): string | undefined => {
  if (Predicate.isString(value)) return value.toWellFormed()
  if (value instanceof Uint8Array) return new TextDecoder().decode(value)
  return Predicate.isNumber(value) || typeof value === "bigint" ? String(value) : undefined
}

const plain = (value: unknown): unknown => {
  if (typeof value === "bigint") return Number(value)
  if (value instanceof Uint8Array) return textOf(value)
  if (Predicate.isString(value)) return value.toWellFormed()
  return Predicate.isNumber(value) && !Number.isFinite(value) ? undefined : (value ?? undefined)
}

/** Columns of such a node that are not of a kind, and are worth keeping. */
const extra: Readonly<Record<string, ReadonlyArray<string>>> = { execution_log: ["user_feedback"] }

/** Whether a fact is the copy of a note. */
export const isNoteFact = ({ subject, predicate, source }: Row): boolean =>
  Predicate.isString(subject) &&
  subject.startsWith("note_") &&
  predicate === "says" &&
  (!Predicate.isString(source) || source === "" || source.startsWith("notes:"))

/** The columns that an episode has only on the node that recorded it. */
export const details = ["emotions", "location", "participants"] as const

/** Whether a value of such a column says something. */
const isTold = (value: unknown): boolean => {
  const text = textOf(value)?.trim() ?? ""
  return text !== "" && text !== "[]" && text !== "{}" && text !== "null"
}

/** The operation of a row of `kind`. */
export const fromRow = (kind: string, row: Row, { includeNoteFacts }: Options): Found => {
  const rowId = textOf(row["id"]) ?? ""
  const where = `${kind} ${rowId}`
  if (kind === Kind.table.facts.name && !includeNoteFacts && isNoteFact(row)) return leftOut(kind, reasons.noteFact)
  const columns = [...Object.keys(Kind.find(kind)?.columns ?? {}), ...(extra[kind] ?? [])]
  const data: { [column: string]: unknown } = { id: rowId }
  for (const column of columns) {
    const value = plain(row[column])
    if (value === undefined || (column in row && isDetail(column) && !isTold(value))) continue
    data[column] = value
  }
  const created = secondsOf(plain(row["created_at"]))
  const written = secondsOf(plain(row["updated_at"])) ?? created ?? 0
  if (created !== undefined) data["created_at"] = created
  // An operation of this episode has none of these columns: this one comes just before it, so that it stays.
  if (details.some((column) => column in data)) {
    return fromBare({ kind, where, rowId, opType: "insert", data, at: (created ?? 0) - 0.001 })
  }
  return fromBare({ kind, where, rowId, opType: "insert", data, at: written, hlc: hlcOf(row) })
}

const isDetail = (column: string): boolean => details.some((name) => name === column)

const hlcOf = ({ hlc_string: text }: Row): Hlc.Hlc | undefined =>
  Predicate.isString(text) ? Option.getOrUndefined(Hlc.fromText(text)) : undefined

/** The deletion that a row of `sync_tombstones` tells of. */
export const fromTombstone = (row: Row): Found => {
  const kind = textOf(row["table_name"]) ?? ""
  const rowId = textOf(row["row_id"]) ?? ""
  const rule = Kind.find(kind)?.rule
  if (rule === undefined) return leftOut(kind, reasons.kind)
  if (rule !== "lww") return leftOut(kind, reasons.delete)
  const hlc = hlcOf(row)
  const at = secondsOf(plain(row["deleted_at"])) ?? (hlc?.wall ?? 0) / 1000
  return fromBare({ kind, where: `deletion of ${kind} ${rowId}`, rowId, opType: "delete", data: {}, at, hlc })
}

/** The operation in a row of `sync_wal`. */
export const fromLog = (row: Row, { includePrivate, includeNoteFacts }: Options): Found => {
  const kind = textOf(row["table_name"]) ?? ""
  const where = `operation ${textOf(row["op_id"]) ?? ""}`
  if (Kind.find(kind) === undefined) return leftOut(kind, reasons.kind)
  if (row["scope"] === "private" && !includePrivate) return leftOut(kind, reasons.private)
  const text = textOf(row["data"]) ?? "null"
  const data = parseMended(text.trim() === "" ? "null" : text)
  if (Result.isFailure(data))
    return { _tag: "Refused", kind, where, reason: `its data cannot be read: ${data.failure}` }
  return fromOperation({ kind, where, row: { ...row, table: kind, data: data.success }, includeNoteFacts })
}

/** The operation in an element of a bundle. */
export const fromBundle = (element: unknown, where: string, options: Options): Found => {
  if (!Predicate.isObject(element)) return { _tag: "Refused", kind: "", where, reason: "not an operation" }
  const row: Row = { ...element }
  const kind = textOf(row["table"]) ?? ""
  if (Kind.find(kind) === undefined) return leftOut(kind, reasons.kind)
  if (row["scope"] === "private" && !options.includePrivate) return leftOut(kind, reasons.private)
  return fromOperation({ kind, where, row, includeNoteFacts: options.includeNoteFacts })
}

interface Given {
  readonly kind: string
  readonly where: string
  readonly row: Row
  readonly includeNoteFacts: boolean
}

const fromOperation = ({ kind, where, row, includeNoteFacts }: Given): Found => {
  const { data } = row
  if (kind === Kind.table.facts.name && !includeNoteFacts && Predicate.isObject(data) && isNoteFact({ ...data })) {
    return leftOut(kind, reasons.noteFact)
  }
  const { hlc } = row
  const wall = Predicate.isString(hlc) ? Option.getOrUndefined(Hlc.parseTimestamp(hlc))?.timestamp.wall : undefined
  return fromWire(kind, where, {
    op_id: textOf(row["op_id"]),
    table: kind,
    op_type: textOf(row["op_type"])?.toLowerCase(),
    row_id: textOf(row["row_id"]),
    data,
    hlc,
    origin_node: textOf(row["origin_node"]),
    timestamp: secondsOf(plain(row["timestamp"])) ?? (wall ?? 0) / 1000
  })
}

/**
 * The columns of a fact, from a relation of the newest nodes between two entities. `idOf` is what they name a fact by.
 */
export const factFromRelation = (row: Row, idOf: (subject: string, predicate: string) => string): Row => {
  const [subject, predicate] = [textOf(row["subject"]) ?? "", textOf(row["relation_type"]) ?? ""]
  return {
    ...row,
    id: row["source_origin"] === "bridge" ? idOf(subject, predicate) : row["id"],
    subject,
    predicate,
    source: textOf(row["evidence_text"])
  }
}

/** What two facts that say the same have in common. */
export const statement = ({ subject, predicate, object }: Row): string =>
  [subject, predicate, object].map((part) => textOf(part) ?? "").join("\0")
