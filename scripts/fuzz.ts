/**
 * Fuzzes every parser of untrusted input, with mutations of real ones: frames, upgrade requests, mDNS packets, certificate files.
 *
 *   npm run fuzz -- [--seconds N] [--seed S] [--target NAME] [--replay FILE]
 *
 * Ends with 1 when something did not hold, and leaves the smallest input that shows it in a file.
 */
import { Effect, Exit, Result } from "effect"
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Fuzz from "../test/fuzz/Fuzz.ts"
import { targets } from "../test/fuzz/Targets.ts"
import { options, refuse } from "./Options.ts"

const names = targets.map(({ name }) => name).join("|")
const usage = `npm run fuzz -- [--seconds N] [--seed S] [--target ${names}] [--replay FILE]`
const values = options(usage, {
  seconds: { type: "string", default: "60" },
  seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 32)) },
  target: { type: "string" },
  replay: { type: "string" }
})
const number = (name: string, text: string): number => {
  const value = Number(text)
  return text !== "" && Number.isFinite(value) && value >= 0 ? value : refuse(`--${name} takes a number`, usage)
}
const chosen = targets.filter(({ name }) => values.target === undefined || name === values.target)
if (chosen.length === 0) refuse(`there is no target ${values.target}`, usage)
const seed = number("seed", values.seed)
const seconds = number("seconds", values.seconds) / chosen.length

const say = (text: string): void => console.log(text)
const line = (name: string, { inputs, seconds, outcomes }: Fuzz.Report): string =>
  `${name.padEnd(14)}${String(inputs).padStart(8)} inputs  ${String(Math.round(inputs / seconds)).padStart(6)}/s  ` +
  `${String(outcomes.size).padStart(4)} outcomes`

const replay = Effect.fnUntraced(function* (target: Fuzz.Target, file: string) {
  const outcome = yield* Effect.result(Fuzz.replay(target, readFileSync(file)))
  say(Result.isSuccess(outcome) ? `holds: ${outcome.success}` : `broken: ${outcome.failure.what}`)
  return Result.isSuccess(outcome)
})

const fuzz = Effect.fnUntraced(function* (target: Fuzz.Target) {
  const { name } = target
  const limits = { seed, seconds }
  const result = yield* Effect.result(
    Effect.scoped(
      Fuzz.run(target, limits, (report) => say(`${line(name, report)}  ${Math.ceil(seconds - report.seconds)} s left`))
    )
  )
  if (Result.isSuccess(result)) {
    say(`${line(name, result.success)}  heap ${(result.success.grown / 1024 / 1024).toFixed(1)} MiB`)
    const counts = [...result.success.outcomes].sort((a, b) => b[1] - a[1])
    for (const [outcome, count] of counts.slice(0, 12)) say(`  ${String(count).padStart(8)}  ${outcome}`)
    if (counts.length > 12) say(`            and ${counts.length - 12} more`)
    return true
  }
  const { what, input } = result.failure
  say(`\n${name} is broken: ${what}`)
  if (input === undefined) {
    say(`No input of the last ones does it alone. Run the seed again:`)
    say(`npm run fuzz -- --target ${name} --seed ${seed} --seconds ${Math.ceil(seconds)}`)
  } else {
    const file = join(mkdtempSync(join(tmpdir(), "feral-sync-fuzz-")), `${name}.bin`)
    writeFileSync(file, input)
    say(`The smallest input found has ${input.length} bytes: ${Buffer.from(input.subarray(0, 512)).toString("hex")}`)
    say(`npm run fuzz -- --target ${name} --replay ${file}`)
  }
  return false
})

const program = Effect.gen(function* () {
  const [first] = chosen
  if (values.replay !== undefined) {
    if (first === undefined || values.target === undefined) return refuse("--replay needs --target", usage)
    return yield* replay(first, values.replay)
  }
  say(`seed ${seed}, ${seconds.toFixed(1)} s for each of ${chosen.map(({ name }) => name).join(", ")}`)
  let holds = true
  for (const target of chosen) holds = (yield* fuzz(target)) && holds
  return holds
})

const exit = await Effect.runPromiseExit(program)
if (Exit.isFailure(exit)) console.error(exit.cause)
process.exitCode = Exit.isSuccess(exit) && exit.value ? 0 : 1
