/**
 * The forms of settings: which texts are valid, what they mean, what is wrong with others, and how a value is written.
 */
import { Duration, Option, Redacted, Result } from "effect"
import { readdirSync } from "node:fs"
import { isIP } from "node:net"
import { networkInterfaces } from "node:os"
import { join, resolve } from "node:path"
import { type Address, formatAddress, parseAddress, parseHost, zoneOf } from "../../core/peers/Address.ts"
import { userHome } from "./UserHome.ts"

/** What values of one sort look like, and which are valid. */
export interface Form<A> {
  /** Stands for the value in the help of a flag. */
  readonly metavar: string
  /** The value of a text, or what is wrong with it. */
  readonly parse: (text: string) => Result.Result<A, string>
  /** The value as documents and help write it: as a text that means it, or in words. */
  readonly show: (value: A) => string
  /** The text that the flag stands for without a value. */
  readonly alone?: string
}

/** An absolute path; `~` is the home directory of the user. */
export const path = (text: string): Result.Result<string, string> => {
  if (text.includes("\0")) return Result.fail("a path cannot contain a null character")
  const home = userHome()
  const isInHome = /^~(?=$|\/)/.test(text)
  if (!isInHome) return Result.succeed(resolve(text))
  return home === undefined
    ? Result.fail("this user has no home directory: write the path without ~")
    : Result.succeed(resolve(join(home, text.slice(1))))
}

export const directory: Form<string> = { metavar: "DIR", parse: path, show: (text) => text }

export const file: Form<string | undefined> = { metavar: "FILE", parse: path, show: (text) => text ?? none }

export const label: Form<Option.Option<string>> = {
  metavar: "LABEL",
  parse: (text) => Result.succeed(Option.some(text)),
  show: Option.getOrElse(() => none)
}

export const integer = (metavar: string, least: number, most: number = Number.MAX_SAFE_INTEGER): Form<number> => ({
  metavar,
  parse: (text) => {
    const range = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`
    const value = /^\d+$/.test(text) ? Number(text) : NaN
    return value >= least && value <= most
      ? Result.succeed(value)
      : Result.fail(`${quote(text)} is not a whole number ${range}`)
  },
  show: String
})

export const bytes = (least: number, most?: number) => integer("BYTES", least, most)

/** Whole days, as milliseconds. */
export const days: Form<number | undefined> = {
  metavar: "DAYS",
  parse: (text) => Result.map(integer("DAYS", 1, 3_650).parse(text), (count) => count * dayMs),
  show: (ms) => (ms === undefined ? "forever" : `${ms / dayMs}`)
}

export const port: Form<number> = {
  metavar: "PORT",
  parse: (text) =>
    /^\d{1,5}$/.test(text) && Number(text) <= 65_535
      ? Result.succeed(Number(text))
      : Result.fail(`${quote(text)} is not a port (0 to 65535)`),
  show: String
}

const truths = ["1", "true", "yes", "on"]
const falsehoods = ["0", "false", "no", "off"]

export const onOff: Form<boolean> = {
  metavar: "ON|OFF",
  parse: (text) => {
    const word = text.toLowerCase()
    if (truths.includes(word)) return Result.succeed(true)
    if (falsehoods.includes(word)) return Result.succeed(false)
    return Result.fail(`${quote(text)} is neither ${truths.join(", ")} nor ${falsehoods.join(", ")}`)
  },
  show: (isOn) => (isOn ? "on" : "off")
}

/** As `onOff`; the flag alone means on. */
export const onOffOrAlone: Form<boolean> = { ...onOff, alone: "on" }

export const oneOf = <const Words extends ReadonlyArray<string>>(...words: Words): Form<Words[number]> => ({
  metavar: words.join("|").toUpperCase(),
  parse: (text) => {
    const word = words.find((word) => word === text.toLowerCase())
    return word === undefined ? Result.fail(`${quote(text)} is not one of ${words.join(", ")}`) : Result.succeed(word)
  },
  show: (word) => word
})

/** An address of this machine or a name; IPv6 with or without brackets. */
export const host: Form<string | undefined> = {
  metavar: "ADDRESS",
  parse: (text) => {
    const parsed = parseHost(text.replace(/^\[(.*)\]$/, "$1"))
    if (Result.isSuccess(parsed)) return parsed
    const withPort = /^(\[[^\]]*\]|[^:]*):\d+$/.test(text)
    return Result.fail(
      withPort || !/^[\d.]+$|:.*:/.test(text)
        ? `${quote(text)} is not an address or a host name, without port (the port is FERAL_SYNC_PORT)`
        : parsed.failure
    )
  },
  show: (address) => address ?? allInterfaces
}

/** An address whose zone, if it names one, is an interface of this machine. */
const inZone = (address: Address): Result.Result<Address, string> => {
  const zone = zoneOf(address)
  // A number is the index of an interface.
  if (zone === undefined || /^\d+$/.test(zone)) return Result.succeed(address)
  const interfaces = interfaceNames()
  return interfaces.includes(zone)
    ? Result.succeed(address)
    : Result.fail(`${quote(zone)} is not an interface of this machine, which has ${interfaces.join(", ")}`)
}

/** All interfaces; where they can be listed, also those that are down. */
const interfaceNames = (): ReadonlyArray<string> => {
  const up = Object.keys(networkInterfaces())
  try {
    return [...new Set([...up, ...readdirSync("/sys/class/net")])]
  } catch {
    return up
  }
}

const list = (text: string): ReadonlyArray<string> =>
  text
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "")

/** All that is wrong with a list, or the list without repetitions. */
const each = <A>(
  text: string,
  parseEntry: (entry: string) => Result.Result<A, string>,
  key: (value: A) => string
): Result.Result<ReadonlyArray<A>, string> => {
  const parsed = list(text).map(parseEntry)
  const failures = parsed.filter(Result.isFailure).map(({ failure }) => failure)
  if (failures.length > 0) return Result.fail(failures.join("; "))
  const values = parsed.filter(Result.isSuccess).map(({ success }) => success)
  return Result.succeed([...new Map(values.map((value) => [key(value), value])).values()])
}

export const peers: Form<ReadonlyArray<Address>> = {
  metavar: "HOST:PORT,…",
  parse: (text) => each(text, (entry) => Result.flatMap(parseAddress(entry), inZone), formatAddress),
  show: (addresses) => addresses.map(formatAddress).join(",") || none
}

export const interfaces: Form<ReadonlyArray<string>> = {
  metavar: "NAME|ADDRESS,…",
  parse: (text) =>
    each(
      text,
      (entry) =>
        // An interface may appear later, so its name is not looked up.
        isIP(entry) !== 0 || /^(?=.*[a-z])[\w.-]{1,15}$/i.test(entry)
          ? Result.succeed(entry)
          : Result.fail(`${quote(entry)} is neither an interface, like eth0, nor an address of one, like 192.168.1.5`),
      (entry) => entry
    ),
  show: (names) => names.join(",") || allInterfaces
}

/** Seconds, with fractions, or words like "2 minutes"; at least `leastMs` milliseconds and at most a day. */
export const duration = (leastMs: number): Form<Duration.Duration> => ({
  metavar: "SECONDS",
  parse: (text) => {
    const match =
      /^(\d+(?:\.\d+)?|\.\d+)\s*(?:(ms|milli(?:second)?s?)|(s|sec(?:ond)?s?)|(m|min(?:ute)?s?)|(h|hours?))?$/i.exec(
        text
      )
    const unit =
      match?.[2] !== undefined ? 1 : match?.[4] !== undefined ? 60_000 : match?.[5] !== undefined ? 3_600_000 : 1000
    const millis = Math.round(Number(match?.[1] ?? NaN) * unit)
    return millis >= leastMs && millis <= dayMs
      ? Result.succeed(Duration.millis(millis))
      : Result.fail(`${quote(text)} is not a time in seconds${leastMs > 0 ? " above 0" : ""}, of at most a day`)
  },
  show: (time) => `${Duration.toSeconds(time)} seconds`
})

/** A text that is shown nowhere. It is taken as it is, with its spaces. */
export const secret: Form<Option.Option<Redacted.Redacted<string>>> = {
  metavar: "TEXT",
  parse: (text) =>
    // Node puts this character in the place of bytes that are not UTF-8: another text than the one that was meant.
    text.includes("\ufffd")
      ? Result.fail("the text is not UTF-8: give it as UTF-8")
      : Result.succeed(Option.some(Redacted.make(text))),
  show: (text) => (Option.isNone(text) ? none : "set")
}

export const none = "none"
const allInterfaces = "all interfaces"
const dayMs = 86_400_000
const quote = (text: string) => JSON.stringify(text)
