/**
 * Tables as text, by RFC 4180: what `record` writes, `reader` reads back, whatever the cells hold.
 *
 * Spreadsheets run a cell that begins like a formula. A text that does so gets an apostrophe before it, which `reader`
 * takes off.
 */
const formula = /^'*[=+\-@\t\r]/
const quoted = /[",\r\n]/
const marked = /^'+[=+\-@\t\r]/

const cell = (value: string | number): string => {
  const text = typeof value === "string" && formula.test(value) ? `'${value}` : String(value)
  return quoted.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** One line of a table. Numbers are written as they are. */
export const record = (cells: ReadonlyArray<string | number>): string => `${cells.map(cell).join(",")}\r\n`

export interface Reader {
  /** The records that end in this piece of the text. */
  push(piece: string): ReadonlyArray<ReadonlyArray<string>>
  /** The last record, if it does not end. */
  end(): ReadonlyArray<ReadonlyArray<string>>
}

/** Reads a text piece by piece. Of a record, at most `maxLength` units are kept. */
export const reader = (maxLength: number): Reader => {
  let cells: Array<string> = []
  let text = ""
  let length = 0
  let isQuoted = false
  /** After a quote inside quotes: it ends them, or stands for one. */
  let isEnding = false
  let hasContent = false

  const endCell = () => {
    cells.push(marked.test(text) ? text.slice(1) : text)
    text = ""
  }
  const endRecord = (): ReadonlyArray<string> => {
    endCell()
    const done = cells
    cells = []
    length = 0
    hasContent = false
    return done
  }
  const add = (part: string) => {
    hasContent = true
    length += part.length
    if (length <= maxLength) text += part
  }
  const push = (piece: string): ReadonlyArray<ReadonlyArray<string>> => {
    const records: Array<ReadonlyArray<string>> = []
    for (let index = 0; index < piece.length; index++) {
      const unit = piece[index] ?? ""
      if (isEnding) {
        isEnding = false
        if (unit === '"') {
          add(unit)
          continue
        }
        isQuoted = false
      }
      if (isQuoted) {
        if (unit === '"') {
          isEnding = true
          continue
        }
        const next = piece.indexOf('"', index)
        const end = next === -1 ? piece.length : next
        add(piece.slice(index, end))
        index = end - 1
        continue
      }
      if (unit === '"') {
        isQuoted = true
        hasContent = true
      } else if (unit === ",") {
        hasContent = true
        endCell()
      } else if (unit === "\n") {
        if (hasContent) records.push(endRecord())
      } else if (unit !== "\r") add(unit)
    }
    return records
  }
  return { push, end: () => (hasContent ? [endRecord()] : []) }
}
