/**
 * S2: where we stand among others. The same notes with feral-sync and with seven other projects; see peers/README.md.
 */
import { existsSync, readFileSync } from "node:fs"
import type { About } from "./peers/Peer.ts"
import { at, type Goal, median, type Options, report, type Report, shown } from "./Report.ts"
import { type Figure, measure, type Measured, type Sizes, type Workload } from "./peers/Workloads.ts"

const names = ["FeralSync", "Yjs", "PouchDB", "Loro", "TinyBase", "AutomergeRepo", "SqlEventJournal", "Evolu"] as const

const quick: Sizes = {
  items: [1000, 5000],
  rounds: 2,
  live: { count: 50, every: 20 },
  overwrite: { writes: 10_000, keys: 1000 },
  limit: 60_000
}

const full: Sizes = {
  items: [1000, 10_000, 100_000],
  rounds: 5,
  live: { count: 250, every: 20 },
  overwrite: { writes: 100_000, keys: 1000 },
  limit: 120_000
}

/** A cell of the table: a figure of a project, or why there is none. */
interface Cell {
  readonly project: string
  readonly storage: string
  readonly workload: Workload
  readonly column: string
  readonly text: string
}

/** Measures all projects, or those whose adapter file `only` names, separated by commas. */
export const run = async ({ quick: isQuick, tell, only, rounds }: Options): Promise<Report> => {
  const usual = isQuick ? quick : full
  const sizes = { ...usual, rounds: rounds ?? usual.rounds }
  const chosen = only?.split(",") ?? names
  const all: Array<Measured> = []
  for (const name of chosen) {
    const known = names.find((known) => known.toLowerCase() === name.toLowerCase())
    if (known === undefined) throw new Error(`no such project: ${name}; there are ${names.join(", ")}`)
    all.push(await measure(new URL(`peers/${known}.ts`, import.meta.url), sizes, tell))
  }

  const most = sizes.items.at(-1) ?? 0
  const ours = all.find(({ about }) => about.packages.length === 0)
  const others = all.filter((measured) => measured !== ours)
  const ratioTo = (isDurable: boolean): number | null => {
    const mine = ours === undefined ? undefined : firstSyncOf(ours, most)
    const times = others
      .filter(({ about }) => (about.storage !== undefined) === isDurable)
      .flatMap((measured) => firstSyncOf(measured, most) ?? [])
    return mine === undefined || times.length === 0 ? null : Math.min(...times) / mine
  }
  const goals: Array<Goal> = [
    { name: "time of the fastest other one with storage against ours", value: ratioTo(true) ?? 0, atLeast: 1.2 },
    { name: "time of the fastest in memory against ours", value: ratioTo(false) ?? 0, atLeast: 1 / 1.5 }
  ]
  return {
    ...report(
      {
        id: "S2",
        title: "among others",
        what: `The same notes replicated by other projects, each through its own public API and with its own storage; the goals are those of the first sync of ${most.toLocaleString("en")} notes. peers/README.md says what each does`,
        quick: isQuick
      },
      all.flatMap(({ about, figures }) =>
        figures
          .filter(({ values }) => values.length > 0)
          .map(({ workload, items, measure, unit, values }) => ({
            name: `${about.name}, ${workload}, ${items}: ${measure}`,
            unit,
            values
          }))
      ),
      goals,
      all
        .map(({ about }) => `${about.name}: ${about.packages.map((name) => `${name} ${versionOf(name)}`).join(", ")}`)
        .filter((note) => !note.endsWith(": "))
    ),
    tables: tablesOf(all.flatMap(({ about, figures }) => figures.map((figure) => cellOf(about, figure))))
  }
}

/** The median, or nothing when a round failed. */
const firstSyncOf = ({ figures }: Measured, items: number): number | undefined => {
  const times = figures.filter((figure) => isTime(figure) && figure.workload === "first sync" && figure.items === items)
  const [only, ...more] = times
  return only === undefined || only.values.length === 0 || more.length > 0 ? undefined : median(only.values)
}

const isTime = ({ measure }: Figure) => measure === "time"

const cellOf = (about: About, { workload, items, measure, unit, values, reason }: Figure): Cell => ({
  project: about.name,
  storage: about.storage ?? "memory",
  workload,
  column: `${items.toLocaleString("en")}: ${measure}, ${unit}`,
  text:
    values.length === 0
      ? (reason ?? "")
      : values.length === 1
        ? shown(median(values))
        : workload === "live"
          ? `${shown(median(values))} (p99 ${shown(at(values, 0.99))})`
          : `${shown(median(values))} (${shown(at(values, 0))}–${shown(at(values, 1))})`
})

/** A table of each workload, as Markdown: a row for each project. */
const tablesOf = (cells: ReadonlyArray<Cell>): ReadonlyArray<string> =>
  [...new Set(cells.map(({ workload }) => workload))].map((workload) => {
    const own = cells.filter((cell) => cell.workload === workload)
    const columns = [...new Set(own.map(({ column }) => column))]
    const lines = [...new Set(own.map(({ project }) => project))].map((project) => {
      const row = own.filter((cell) => cell.project === project)
      const texts = columns.map((column) =>
        row
          .filter((cell) => cell.column === column)
          .map(({ text }) => text)
          .join("; ")
      )
      return `| ${[project, row[0]?.storage ?? "", ...texts].join(" | ")} |`
    })
    const head = `| project | storage | ${columns.join(" | ")} |\n|---|---|${"---|".repeat(columns.length)}`
    return [`**${workload}**`, "", head, ...lines].join("\n")
  })

/** The installed version, of the benchmarks' own packages or of those of feral-sync. */
const versionOf = (name: string): string => {
  const places = [`node_modules/${name}/package.json`, `../node_modules/${name}/package.json`]
  const place = places.map((path) => new URL(path, import.meta.url)).find((url) => existsSync(url))
  if (place === undefined) return "unknown"
  const { version } = JSON.parse(readFileSync(place, "utf8")) as { readonly version: string }
  return version
}
