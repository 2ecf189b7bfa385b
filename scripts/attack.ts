/**
 * Attacks nodes of this machine, and measures whether they keep their bounds. Traffic stays on loopback or in network
 * namespaces of its own, and every attack ends by itself.
 *
 *   npm run attack -- [NAME] [--short] [--json]
 *
 * Without a name, lists the attacks. Ends with 1 when a bound is broken.
 */
import { needs } from "../test/support/Needs.ts"
import { holds } from "./attack/Attack.ts"
import { attacks } from "./attack/Attacks.ts"
import { table } from "./attack/Table.ts"
import { called, refuse } from "./Options.ts"

const usage = "npm run attack -- [NAME] [--short] [--json]"

const {
  values: { short, json },
  positionals: [name, ...more]
} = called(usage, { short: { type: "boolean", default: false }, json: { type: "boolean", default: false } })
if (more.length > 0) refuse("one attack at a time", usage)

if (name === undefined) {
  const width = Math.max(...attacks.map((attack) => attack.name.length))
  if (json) console.log(JSON.stringify(attacks.map(({ name, about }) => ({ name, about }))))
  else console.log(attacks.map((attack) => `${attack.name.padEnd(width)}  ${attack.about}`).join("\n"))
} else {
  const attack =
    attacks.find((attack) => attack.name === name) ??
    refuse(`there is no attack ${name}; there are ${attacks.map(({ name }) => name).join(", ")}`, usage)
  if (needs(...(attack.needs ?? []))) refuse(`${name} needs ${attack.needs?.join(", ")}`, usage)
  const figures = await attack.run({ short })
  const isWithin = figures.every(holds)
  if (json) console.log(JSON.stringify({ name, figures: figures.map((one) => ({ ...one, holds: holds(one) })) }))
  else console.log(`${attack.about}\n\n${table(figures)}`)
  process.exitCode = isWithin ? 0 : 1
}
