/**
 * `export --format`: the rows as other programs read them. One page of rows is in memory, however many there are.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, FileSystem, Result } from "effect"
import { join } from "node:path"
import * as RowFormat from "../core/foreign/RowFormat.ts"
import { parseExact } from "../core/replica/Json.ts"
import * as Kind from "../core/replica/Kind.ts"
import { fromWire, maxDataDepth, type Operation } from "../core/replica/Operation.ts"
import { reader } from "../core/replica/Row.ts"
import * as Archive from "../services/admin/Archive.ts"
import { WrongUsage } from "./Failure.ts"
import * as NewFile from "./NewFile.ts"
import { counted, write } from "./Output.ts"
import type { Report } from "./Progress.ts"

export interface Request {
  readonly format: RowFormat.Format
  /** A file, or a directory where the format has several files; `-` for standard output. */
  readonly file: string
  readonly kind: string | undefined
}

/** The kinds that are written. Markdown is of notes alone. */
const kindsOf = ({ format, kind }: Request): ReadonlyArray<Kind.Definition> =>
  Kind.all.filter(
    ({ name }) => (format === "markdown" ? name === Kind.table.notes.name : true) && (kind ?? name) === name
  )

/** Fails for what cannot be written together. */
export const check = (request: Request): Effect.Effect<void, WrongUsage> => {
  const { format, file, kind } = request
  const wrong =
    kind !== undefined && Kind.find(kind) === undefined
      ? { problem: `${JSON.stringify(kind)} is not a kind`, nextStep: `use ${Kind.names.join(", ")}` }
      : kindsOf(request).length === 0
        ? { problem: "Markdown is for notes", nextStep: "leave out --kind, or choose another format" }
        : format === "csv" && file === "-" && kind === undefined
          ? {
              problem: "each kind has columns of its own",
              nextStep: "name one with --kind, or give the name of a directory"
            }
          : undefined
  return wrong === undefined ? Effect.void : Effect.fail(new WrongUsage(wrong))
}

interface Live {
  readonly kind: Kind.Definition
  readonly row: RowFormat.Row
}

/**
 * Gives the rows that are not deleted to `each`, page by page, in the order of kinds and ids. Returns how many there
 * were.
 */
const forEachRow = Effect.fnUntraced(function* <E, R>(
  { page }: Archive.Archive,
  kinds: ReadonlyArray<Kind.Definition>,
  report: Report,
  each: (rows: ReadonlyArray<Live>) => Effect.Effect<void, E, R>
) {
  const readers = new Map<
    string,
    { readonly kind: Kind.Definition; readonly read: (operation: Operation) => RowFormat.Row }
  >(
    Kind.all
      .filter(({ name }) => kinds.some((kind) => kind.name === name))
      .map((kind) => [kind.name, { kind, read: reader(kind) }])
  )
  let rows = 0
  yield* Archive.forEachPage(page, (lines) => {
    const live = lines.flatMap((line): ReadonlyArray<Live> => {
      const operation = Result.getOrUndefined(Result.flatMap(parseExact(line, maxDataDepth + 1), fromWire))
      const known = operation === undefined ? undefined : readers.get(operation.table)
      return operation === undefined || known === undefined || operation.op_type === "delete"
        ? []
        : [{ kind: known.kind, row: known.read(operation) }]
    })
    rows += live.length
    const progress = report({ text: `${counted(rows, "row")} exported`, done: rows })
    return Effect.andThen(live.length === 0 ? Effect.void : each(live), progress)
  })
  return rows
})

const textOf = (format: RowFormat.Format, rows: ReadonlyArray<Live>): string =>
  rows
    .map(({ kind, row }) =>
      format === "ndjson"
        ? RowFormat.jsonLine(kind, row)
        : format === "csv"
          ? RowFormat.csvLine(kind, row)
          : RowFormat.markdown(row)
    )
    .join("")

/** Writes the rows, and returns how many they were. */
export const run = Effect.fnUntraced(function* (archive: Archive.Archive, request: Request, report: Report) {
  const { format, file } = request
  const kinds = kindsOf(request)
  if (file === "-") {
    const [kind] = kinds
    if (format === "csv" && kind !== undefined) yield* write(RowFormat.csvHeader(kind))
    return yield* forEachRow(archive, kinds, report, (rows) => write(textOf(format, rows)))
  }
  if (format === "ndjson") {
    return yield* NewFile.make(
      file,
      Effect.fnUntraced(function* (temporary: string) {
        const append = yield* NewFile.appender(temporary, "r+")
        return yield* forEachRow(archive, kinds, report, (rows) => append(textOf(format, rows)))
      })
    )
  }
  return yield* NewFile.makeDirectory(
    file,
    Effect.fnUntraced(function* (temporary: string) {
      return yield* format === "csv"
        ? toTables(archive, kinds, report, temporary)
        : toNotes(archive, kinds, report, temporary)
    })
  )
})

/** A table for each kind, also where it has no rows. */
const toTables = Effect.fnUntraced(function* (
  archive: Archive.Archive,
  kinds: ReadonlyArray<Kind.Definition>,
  report: Report,
  directory: string
) {
  const tables = new Map<string, NewFile.Append>()
  for (const kind of kinds) {
    const append = yield* NewFile.appender(join(directory, `${kind.name}.csv`), "wx")
    yield* append(RowFormat.csvHeader(kind))
    tables.set(kind.name, append)
  }
  return yield* forEachRow(archive, kinds, report, (rows) =>
    Effect.forEach(
      Map.groupBy(rows, ({ kind }) => kind.name),
      ([name, part]) => tables.get(name)?.(textOf("csv", part)) ?? Effect.void,
      { discard: true }
    )
  )
})

/** A file for each note. */
const toNotes = (archive: Archive.Archive, kinds: ReadonlyArray<Kind.Definition>, report: Report, directory: string) =>
  forEachRow(archive, kinds, report, (rows) =>
    Effect.flatMap(FileSystem.FileSystem, (fs) =>
      Effect.forEach(
        rows,
        ({ row }) =>
          fs.writeFileString(join(directory, RowFormat.markdownName(String(row["id"]))), RowFormat.markdown(row), {
            flag: "wx",
            mode: 0o600
          }),
        { discard: true }
      )
    )
  ).pipe(Effect.provide(NodeFileSystem.layer))
