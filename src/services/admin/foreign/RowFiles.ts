/**
 * The files of rows that `export --format` writes as tables and as Markdown, read as operations.
 */
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from "node:fs"
import { basename, extname, join } from "node:path"
import type { Found } from "../../../core/foreign/Found.ts"
import * as RowFormat from "../../../core/foreign/RowFormat.ts"
import * as Kind from "../../../core/replica/Kind.ts"

const isTable = (name: string): boolean => extname(name) === ".csv" && Kind.find(basename(name, ".csv")) !== undefined

/** Whether a path leads to such files: a directory, a table that is named by its kind, or a note. */
export const isOne = (path: string): boolean => {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return false
  return stat.isDirectory() || (stat.isFile() && (isTable(path) || extname(path) === ".md"))
}

/** What these files have. Throws where one cannot be read. */
export function* found(path: string, maxBytes: number): Generator<Found> {
  if (!statSync(path).isDirectory()) return yield* inFile(path, maxBytes)
  for (const name of readdirSync(path).toSorted()) {
    if (isTable(name) || extname(name) === ".md") yield* inFile(join(path, name), maxBytes)
  }
}

function* inFile(file: string, maxBytes: number): Generator<Found> {
  if (extname(file) === ".csv") {
    return yield* RowFormat.fromCsv(basename(file, ".csv"), pieces(file), maxBytes)
  }
  const name = basename(file)
  yield statSync(file).size > maxBytes
    ? { _tag: "Refused", kind: Kind.table.notes.name, where: name, reason: `a file of more than ${maxBytes} bytes` }
    : RowFormat.fromMarkdown(readFileSync(file, "utf8"), name)
}

function* pieces(file: string): Generator<string> {
  const decoder = new TextDecoder()
  const buffer = new Uint8Array(256 * 1024)
  const handle = openSync(file, "r")
  try {
    for (let size = readSync(handle, buffer); size > 0; size = readSync(handle, buffer)) {
      yield decoder.decode(buffer.subarray(0, size), { stream: true })
    }
    yield decoder.decode()
  } finally {
    closeSync(handle)
  }
}
