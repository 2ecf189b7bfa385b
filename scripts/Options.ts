/** The options of the scripts. */
import { parseArgs, type ParseArgsConfig } from "node:util"

type Named = NonNullable<ParseArgsConfig["options"]>

/** Says what is wrong and how the script is used, and ends with 2. */
export const refuse = (problem: string, usage: string): never => {
  console.error(`${problem}\nusage: ${usage}`)
  process.exit(2)
}

/** The options that the script was called with; what it does not know ends it. */
export const options = <const Options extends Named>(usage: string, named: Options) => {
  try {
    return parseArgs({ options: named }).values
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error), usage)
  }
}
