/**
 * S2: where we stand among others. The same notes with feral-sync and with seven other projects; see peers/README.md.
 */
import { existsSync, readFileSync } from "node:fs"
import { cpus, totalmem } from "node:os"
import type { About } from "./peers/Peer.ts"
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

export interface Row {
  readonly project: string
  readonly versions: string
  readonly storage: string
  readonly tls: boolean
  readonly workload: Workload
  readonly items: number
  readonly measure: string
  readonly unit: Figure["unit"]
  readonly median: number | null
  readonly p99: number | null
  readonly min: number | null
  readonly max: number | null
  readonly n: number
  /** Why there is no value, or fewer than there should be. */
  readonly reason: string | null
}

export interface Report {
  readonly id: "S2"
  readonly title: string
  readonly what: string
  readonly machine: { readonly cpu: string; readonly cores: number; readonly memory_gb: number; readonly node: string }
  readonly rows: ReadonlyArray<Row>
  /** How many times the time of feral-sync that of the fastest other one is, at the first sync of most notes. */
  readonly ratios: { readonly fastest_durable: number | null; readonly fastest_in_memory: number | null }
  readonly target: string
  readonly met: boolean
}

/** Measures all projects, or those whose adapter file `only` names, separated by commas. */
export const run = async (options: { readonly quick: boolean; readonly only?: string }): Promise<Report> => {
  const sizes = options.quick ? quick : full
  const chosen = options.only?.split(",") ?? names
  const all: Array<Measured> = []
  for (const name of chosen) {
    const known = names.find((known) => known.toLowerCase() === name.toLowerCase())
    if (known === undefined) throw new Error(`no such project: ${name}; there are ${names.join(", ")}`)
    all.push(await measure(new URL(`peers/${known}.ts`, import.meta.url), sizes, (line) => console.error(line)))
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
  const ratios = { fastest_durable: ratioTo(true), fastest_in_memory: ratioTo(false) }

  return {
    id: "S2",
    title: "Among others",
    what: "The same notes replicated by other projects, each through its own public API and with its own storage",
    machine: {
      cpu: cpus()[0]?.model ?? "unknown",
      cores: cpus().length,
      memory_gb: Math.round(totalmem() / 2 ** 30),
      node: process.version
    },
    rows: all.flatMap(({ about, figures }) => figures.map((figure) => rowOf(about, figure))),
    ratios,
    target: `first sync of ${most} notes: first among those with storage, within twice the time of the fastest in memory`,
    met: (ratios.fastest_durable ?? 0) >= 1 && (ratios.fastest_in_memory ?? 0) >= 0.5
  }
}

/** The median, or nothing when a round failed. */
const firstSyncOf = ({ figures }: Measured, items: number): number | undefined => {
  const times = figures.filter((figure) => isTime(figure) && figure.workload === "first sync" && figure.items === items)
  const [only, ...more] = times
  return only === undefined || more.length > 0 ? undefined : at(only.values, 0.5)
}

const isTime = ({ measure }: Figure) => measure === "time"

/** The value at a part of the way from the least to the greatest. */
const at = (values: ReadonlyArray<number>, part: number): number | undefined =>
  [...values].sort((a, b) => a - b)[Math.round((values.length - 1) * part)]

const rowOf = (about: About, { values, reason, ...figure }: Figure): Row => ({
  project: about.name,
  versions: about.packages.map((name) => `${name} ${versionOf(name)}`).join(", "),
  storage: about.storage ?? "memory",
  tls: about.tls,
  ...figure,
  median: at(values, 0.5) ?? null,
  p99: at(values, 0.99) ?? null,
  min: at(values, 0) ?? null,
  max: at(values, 1) ?? null,
  n: values.length,
  reason: reason ?? null
})

/** The installed version, of the benchmarks' own packages or of those of feral-sync. */
const versionOf = (name: string): string => {
  const places = [`node_modules/${name}/package.json`, `../node_modules/${name}/package.json`]
  const place = places.map((path) => new URL(path, import.meta.url)).find((url) => existsSync(url))
  if (place === undefined) return "unknown"
  const { version } = JSON.parse(readFileSync(place, "utf8")) as { readonly version: string }
  return version
}
