/** The figures of an attack as text. */
import { type Figure, type Figures, holds } from "./Attack.ts"

const rounded = (value: number): string =>
  Number.isInteger(value) ? String(value) : value.toFixed(Math.abs(value) < 10 ? 2 : 0)

const measured = (value: number, unit: string): string => `${rounded(value)} ${unit}`.trim()

const bound = ({ must, unit, baseline }: Figure): string => {
  if (must === undefined) return ""
  if ("atMost" in must) return `at most ${measured(must.atMost, unit)}`
  if ("atLeast" in must) return `at least ${measured(must.atLeast, unit)}`
  return `at most ${must.timesBaseline} x ${measured(baseline ?? Number.NaN, unit)}`
}

const row = (figure: Figure): ReadonlyArray<string> => [
  `${holds(figure) ? "✓" : "✗"} ${figure.what}`,
  typeof figure.before === "number" ? measured(figure.before, figure.unit) : (figure.before ?? ""),
  figure.baseline === undefined ? "" : measured(figure.baseline, figure.unit),
  measured(figure.now, figure.unit),
  bound(figure)
]

/** One line for each figure; "without" is the same figure without the attack. */
export const table = (figures: Figures): string => {
  const rows = [["  figure", "before", "without", "now", "must be"], ...figures.map(row)]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)))
  return rows
    .map((cells) =>
      cells
        .map((cell, n) => cell.padEnd(widths[n] ?? 0))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}
