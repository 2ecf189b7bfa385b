/**
 * Metrics in the text format of Prometheus (0.0.4).
 */
import type { Histogram } from "../../node/Counters.ts"
import type { Family, Sample } from "../../node/Measured.ts"

/** A line: the parts of a histogram have the name of the family with a suffix. */
type Line = Sample & { readonly suffix?: "_bucket" | "_sum" | "_count" }

/** All families that have samples. Each name stands once. */
export const format = (families: ReadonlyArray<Family>): string =>
  families
    .map((family) => ({ ...family, lines: linesOf(family) }))
    .filter(({ lines }) => lines.length > 0)
    .map(({ name, type, help, lines }) =>
      [
        `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`,
        `# TYPE ${name} ${type}`,
        ...lines.map(({ labels = {}, value, suffix = "" }) => `${name}${suffix}${labelled(labels)} ${valued(value)}`),
        ""
      ].join("\n")
    )
    .join("")

const linesOf = (family: Family): ReadonlyArray<Line> =>
  family.type === "histogram" ? buckets(family.histogram) : family.samples

/** The buckets add up: each has what is in those before it as well. */
const buckets = ({ bounds, counts, count, sum }: Histogram): ReadonlyArray<Line> => {
  let total = 0
  const lines = bounds.map((bound, index): Line => {
    total += counts[index] ?? 0
    return { labels: { le: String(bound) }, value: total, suffix: "_bucket" }
  })
  return [
    ...lines,
    { labels: { le: "+Inf" }, value: count, suffix: "_bucket" },
    { value: sum, suffix: "_sum" },
    { value: count, suffix: "_count" }
  ]
}

const labelled = (labels: Readonly<Record<string, string>>): string => {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${quoted(value)}"`)
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`
}

const quoted = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")

const valued = (value: number): string =>
  value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : Number.isNaN(value) ? "NaN" : String(value)
