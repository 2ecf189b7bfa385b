/**
 * Tables for people. The widths are fixed by the first rows, so that a long list can be printed as it comes. Columns
 * are cut to fit into the line; those that are `whole`, like ids, never are, for people copy them.
 */
import { cellsOf, lineWidth, oneLine, pad, truncate } from "./Output.ts"

export interface Column<Row> {
  readonly title: string
  readonly text: (row: Row) => string
  /** Never cut. */
  readonly whole?: boolean
}

export interface Layout<Row> {
  readonly columns: ReadonlyArray<Column<Row>>
  readonly widths: ReadonlyArray<number>
  /** Whether there is an end of the line to keep to. */
  readonly isCut: boolean
}

const gap = "  "
/** A column is not cut below this. */
const least = 8

/** Chooses the widths so that these rows fit into `width` cells, if they can. */
export const layout = <Row>(
  columns: ReadonlyArray<Column<Row>>,
  rows: ReadonlyArray<Row>,
  width: number
): Layout<Row> => {
  const widths = columns.map(({ title, text }) =>
    rows.reduce((widest, row) => Math.max(widest, cellsOf(oneLine(text(row)))), title.length)
  )
  const flexible = [...columns.keys()].filter((index) => columns[index]?.whole !== true)
  const fixed = widths.filter((_, index) => columns[index]?.whole === true).reduce((sum, cells) => sum + cells, 0)
  let room = width - fixed - gap.length * (columns.length - 1)
  // The narrow ones take what they need; the wide ones share what is left.
  const byWidth = flexible.toSorted((a, b) => (widths[a] ?? 0) - (widths[b] ?? 0))
  for (const [position, index] of byWidth.entries()) {
    const share = Math.max(least, Math.floor(room / (byWidth.length - position)))
    const cells = Math.min(widths[index] ?? 0, share)
    widths[index] = cells
    room -= cells
  }
  return { columns, widths, isCut: Number.isFinite(width) }
}

export const header = <Row>({ columns, widths }: Layout<Row>): string =>
  line(
    columns.map(({ title }) => title),
    widths
  )

export const row = <Row>({ columns, widths, isCut }: Layout<Row>, value: Row): string =>
  line(
    columns.map(({ text, whole }, index) => {
      const cell = oneLine(text(value))
      return whole === true || !isCut ? cell : truncate(cell, widths[index] ?? 0)
    }),
    widths
  )

const line = (cells: ReadonlyArray<string>, widths: ReadonlyArray<number>): string =>
  cells
    .map((cell, index) => (index === cells.length - 1 ? cell : pad(cell, widths[index] ?? 0)))
    .join(gap)
    .trimEnd()

/** The cells that a line takes. */
const cellsIn = (widths: ReadonlyArray<number>): number =>
  widths.reduce((sum, cells) => sum + cells, gap.length * (widths.length - 1))

/** Whether a line is long enough for the columns. */
const isWide = <Row>({ widths, isCut }: Layout<Row>, width: number): boolean => !isCut || cellsIn(widths) <= width

/** A line for each cell of a row. */
const cells = <Row>(
  [first, ...others]: ReadonlyArray<Column<Row>>,
  value: Row,
  width: number
): ReadonlyArray<string> => {
  const titles = Math.max(...others.map(({ title }) => title.length), 0)
  return [
    truncate(oneLine(first?.text(value) ?? ""), width),
    ...others
      .map(({ title, text }) => ({ title, cell: oneLine(text(value)) }))
      .filter(({ cell }) => cell !== "")
      .map(({ title, cell }) => truncate(`${gap}${pad(title, titles)}${gap}${cell}`, width))
  ]
}

/**
 * The lines of a table with these rows, as wide as the line is. Where the line is too short for the columns, each cell
 * of a row has a line of its own.
 */
export const lines = <Row>(
  columns: ReadonlyArray<Column<Row>>,
  rows: ReadonlyArray<Row>,
  width: number = lineWidth()
): ReadonlyArray<string> => {
  const all = layout(columns, rows, width)
  return isWide(all, width)
    ? [header(all), ...rows.map((value) => row(all, value))]
    : rows.flatMap((value) => cells(columns, value, width))
}

/**
 * A table to which rows are added as they come: those that are there choose its widths, and each column has room for
 * more.
 */
export interface Growing<Row> {
  /** The titles, where there is a line for them. */
  readonly titles: ReadonlyArray<string>
  /** The lines of a row. Its columns may be others than at the beginning, but as many. */
  readonly lines: (columns: ReadonlyArray<Column<Row>>, value: Row) => ReadonlyArray<string>
}

/** A column that is not whole gets at least this, if there is room. */
const roomy = 16

export const growing = <Row>(
  columns: ReadonlyArray<Column<Row>>,
  rows: ReadonlyArray<Row>,
  width: number = lineWidth()
): Growing<Row> => {
  const ample = columns.map((column) =>
    column.whole === true ? column : { ...column, title: column.title.padEnd(roomy) }
  )
  const all = layout(ample, rows, width)
  if (!isWide(all, width)) return { titles: [], lines: (now, value) => cells(now, value, width) }
  const used = cellsIn(all.widths)
  // What is left of the line is for the last column.
  const widths = all.widths.map((cells, index) => (index === columns.length - 1 ? cells + width - used : cells))
  return {
    titles: [header({ ...all, columns, widths })],
    lines: (now, value) => [row({ ...all, columns: now, widths }, value)]
  }
}
