/**
 * The flags that every command takes, before its name or after it.
 */
import { Option } from "effect"
import { Flag, GlobalFlag } from "effect/cli"

/** A switch that never takes the word after it for its value. */
export const Switch = (name: string) => Flag.Boolean(name).pipe(Flag.withOptionalValue("true"), Flag.withoutNegation)

export const Home = GlobalFlag.Setting("home")({
  flag: Flag.String("home").pipe(
    Flag.withMetavar("DIR"),
    Flag.withDescription("Data directory (default: FERAL_HOME, else ~/.feral)"),
    Flag.optional,
    Flag.map(Option.getOrUndefined)
  )
})

export const Json = GlobalFlag.Setting("json")({
  flag: Switch("json").pipe(
    Flag.withDescription("Print one JSON value on stdout, and errors as JSON on stderr"),
    Flag.withDefault(false)
  )
})

/** Whether `--json` is among the arguments, for when they cannot be parsed. */
export const isJson = (args: ReadonlyArray<string>): boolean => {
  const end = args.indexOf("--")
  const flags = end === -1 ? args : args.slice(0, end)
  return flags.some((arg) => /^--json(=(1|true|yes|on|y))?$/i.test(arg))
}
