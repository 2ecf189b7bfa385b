/**
 * Runs S2 alone, prints a table of each workload, and writes the report.
 *
 * usage: node bench/peers/run.ts [--quick] [--only NAME,NAME] [--out FILE]
 */
import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { type Row, run } from "../S2.ts"

const { values } = parseArgs({
  options: { quick: { type: "boolean", default: false }, only: { type: "string" }, out: { type: "string" } }
})
const report = await run({ quick: values.quick, ...(values.only === undefined ? {} : { only: values.only }) })
if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(report, null, 2)}\n`)

const round = (value: number) => (value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en"))
const cell = ({ median, p99, min, max, n, workload, reason }: Row): string => {
  if (median === null || min === null || max === null || p99 === null) return reason ?? ""
  return `${round(median)}${n === 1 ? "" : workload === "live" ? ` (p99 ${round(p99)})` : ` (${round(min)}–${round(max)})`}`
}

for (const workload of new Set(report.rows.map((row) => row.workload))) {
  const rows = report.rows.filter((row) => row.workload === workload)
  const columns = [
    ...new Set(rows.map(({ items, measure, unit }) => `${items.toLocaleString("en")}: ${measure}, ${unit}`))
  ]
  console.log(
    `\n### ${workload}\n\n| project | storage | ${columns.join(" | ")} |\n|---|---|${"---|".repeat(columns.length)}`
  )
  for (const project of new Set(report.rows.map((row) => row.project))) {
    const own = rows.filter((row) => row.project === project)
    const cells = columns.map((column) =>
      own
        .filter(({ items, measure, unit }) => column === `${items.toLocaleString("en")}: ${measure}, ${unit}`)
        .map(cell)
        .join("; ")
    )
    console.log(`| ${project} | ${own[0]?.storage ?? ""} | ${cells.join(" | ")} |`)
  }
}
console.log(`\n${report.target}: ${report.met ? "met" : "not met"}; ${JSON.stringify(report.ratios)}`)
