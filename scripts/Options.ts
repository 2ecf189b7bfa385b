/** The options of the scripts. */
import { parseArgs, type ParseArgsConfig } from "node:util"

type Named = NonNullable<ParseArgsConfig["options"]>

/** Says what is wrong and how the script is used, and ends with 2. */
export const refuse = (problem: string, usage: string): never => {
  console.error(`${problem}\nusage: ${usage}`)
  process.exit(2)
}

/** The options and the words that the script was called with; an unknown option ends it, and so does `--help`. */
export const called = <const Options extends Named>(usage: string, named: Options) => {
  if (process.argv.includes("--help")) {
    console.log(`usage: ${usage}`)
    process.exit(0)
  }
  try {
    return parseArgs({ options: named, allowPositionals: true })
  } catch (error) {
    // Its second sentence is about words that begin with a dash.
    const [problem = ""] = (error instanceof Error ? error.message : String(error)).split(". ")
    return refuse(problem, usage)
  }
}

/** The options of a script that takes no words. */
export const options = <const Options extends Named>(usage: string, named: Options) => {
  const { values, positionals } = called(usage, named)
  return positionals.length === 0 ? values : refuse(`unexpected: ${positionals.join(" ")}`, usage)
}

/** The value of `--name`, a whole number from `least` to `most`. */
export const wholeNumber = (
  usage: string,
  name: string,
  text: string,
  { least = 0, most = 1_000_000_000 }: { readonly least?: number; readonly most?: number } = {}
): number => {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= least && value <= most) return value
  return refuse(`--${name} takes a whole number from ${least} to ${most}`, usage)
}
