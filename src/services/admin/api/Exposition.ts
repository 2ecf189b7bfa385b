/**
 * Metrics in the text format of Prometheus (0.0.4).
 */

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
  /** For the parts of a histogram. */
  readonly suffix?: "_bucket" | "_sum" | "_count"
}

export interface Family {
  readonly name: string
  readonly type: "counter" | "gauge" | "histogram"
  readonly help: string
  readonly samples: ReadonlyArray<Sample>
}

/** All families that have samples. Each name stands once. */
export const format = (families: ReadonlyArray<Family>): string =>
  families
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, type, help, samples }) =>
      [
        `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`,
        `# TYPE ${name} ${type}`,
        ...samples.map(({ labels = {}, value, suffix = "" }) => `${name}${suffix}${labelled(labels)} ${valued(value)}`),
        ""
      ].join("\n")
    )
    .join("")

const labelled = (labels: Readonly<Record<string, string>>): string => {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${quoted(value)}"`)
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`
}

const quoted = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")

const valued = (value: number): string =>
  value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : Number.isNaN(value) ? "NaN" : String(value)
