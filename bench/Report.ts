/** What a benchmark found, as a value, as a table, and as a file. */
import { readFileSync, writeFileSync } from "node:fs"
import { cpus, totalmem } from "node:os"

/** One thing that was measured, several times. */
export interface Measure {
  readonly name: string
  readonly unit: string
  readonly values: ReadonlyArray<number>
}

export interface Row {
  readonly name: string
  readonly unit: string
  readonly median: number
  readonly min: number
  readonly max: number
  readonly n: number
}

/** A figure that has a goal. It stands for the goal whatever the machine, where it is a ratio. */
export interface Goal {
  readonly name: string
  readonly value: number
  /** What is wanted: at most, or at least, so much. */
  readonly atMost?: number
  readonly atLeast?: number
}

export interface Report {
  readonly id: string
  readonly title: string
  readonly what: string
  readonly machine: Machine
  readonly quick: boolean
  readonly rows: ReadonlyArray<Row>
  readonly goals: ReadonlyArray<Goal & { readonly met: boolean }>
  /** What a reader should know of this run. */
  readonly notes: ReadonlyArray<string>
  /** Tables in Markdown that show the rows better than a list of them does. */
  readonly tables?: ReadonlyArray<string>
}

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memory_gb: number
  readonly node: string
  readonly feral_sync: string
}

/** What a benchmark is run with. */
export interface Options {
  readonly quick: boolean
  /** Of several things that are measured alike, only these, separated by commas. */
  readonly only?: string | undefined
  /** How often S2 measures, when it is to be another number than usual. */
  readonly rounds?: number | undefined
  /** Says how far it is. */
  readonly tell: (line: string) => void
}

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  readonly version: string
}

export const machine: Machine = {
  cpu: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  memory_gb: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  feral_sync: version
}

/** The value at a part of the way from the least to the greatest. */
export const at = (values: ReadonlyArray<number>, part: number): number =>
  [...values].sort((a, b) => a - b)[Math.round((values.length - 1) * part)] ?? Number.NaN

export const median = (values: ReadonlyArray<number>): number => at(values, 0.5)

const rowOf = ({ name, unit, values }: Measure): Row => ({
  name,
  unit,
  median: median(values),
  min: at(values, 0),
  max: at(values, 1),
  n: values.length
})

const isMet = ({ value, atMost, atLeast }: Goal): boolean =>
  value <= (atMost ?? Infinity) && value >= (atLeast ?? -Infinity)

export const report = (
  about: Pick<Report, "id" | "title" | "what" | "quick">,
  measures: ReadonlyArray<Measure>,
  goals: ReadonlyArray<Goal>,
  notes: ReadonlyArray<string> = []
): Report => ({
  ...about,
  machine,
  rows: measures.map(rowOf),
  goals: goals.map((goal) => ({ ...goal, met: isMet(goal) })),
  notes
})

/** A figure with as many digits as mean something. */
export const shown = (value: number): string =>
  Math.abs(value) >= 100
    ? Math.round(value).toLocaleString("en")
    : Math.abs(value) >= 10
      ? value.toFixed(1)
      : value.toFixed(2)

/** The report as Markdown. */
export const table = ({ id, title, what, rows, goals, notes, tables }: Report): string => {
  const list = [
    "| measured | median | least | most | unit | runs |",
    "|---|---|---|---|---|---|",
    ...rows.map(
      ({ name, unit, median, min, max, n }) =>
        `| ${name} | ${shown(median)} | ${shown(min)} | ${shown(max)} | ${unit} | ${n} |`
    )
  ]
  const lines = [`### ${id}: ${title}`, "", `${what}.`, "", (tables ?? [list.join("\n")]).join("\n\n"), ""]
  for (const { name, value, atMost, atLeast, met } of goals) {
    const wanted = atMost === undefined ? `at least ${shown(atLeast ?? 0)}` : `at most ${shown(atMost)}`
    lines.push(`- ${name}: **${shown(value)}** (${wanted}): ${met ? "met" : "not met"}`)
  }
  return [...lines, ...notes.map((note) => `- ${note}`), ""].join("\n")
}

export const save = (report: Report, directory: URL): void =>
  writeFileSync(new URL(`${report.id}.json`, directory), `${JSON.stringify(report, null, 2)}\n`)
