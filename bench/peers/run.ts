/** Runs the peers named on the command line, quick sizes, and prints what was measured. */
import { measure } from "./Workloads.ts"

const quick = {
  items: (process.env.ITEMS ?? "1000,5000").split(",").map(Number),
  rounds: Number(process.env.ROUNDS ?? 2),
  live: { count: 50, every: 20 },
  overwrite: { writes: Number(process.env.WRITES ?? 10_000), keys: 1000 },
  limit: Number(process.env.LIMIT ?? 60_000)
}
for (const name of process.argv.slice(2)) {
  const adapter = new URL(`${name}.ts`, import.meta.url)
  const { figures } = await measure(adapter, quick, console.log)
  for (const { workload, items, measure: what, unit, values, reason } of figures) {
    const sorted = [...values].sort((a, b) => a - b)
    const at = (part: number) => Math.round(10 * (sorted[Math.floor((sorted.length - 1) * part)] ?? NaN)) / 10
    console.log(`  ${workload} ${items} ${what}: ${reason ?? `${at(0.5)} [${at(0)} – ${at(1)}] ${unit} n=${values.length}`}`)
  }
}
