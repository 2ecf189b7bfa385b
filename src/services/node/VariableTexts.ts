/** What the texts of variables mean, and what is wrong with those that mean nothing. */
import { Duration, Result } from "effect"
import { readdirSync } from "node:fs"
import { isIP } from "node:net"
import { networkInterfaces } from "node:os"
import { join, resolve } from "node:path"
import { type Address, formatAddress, parseAddress, parseHost, zoneOf } from "../../core/peers/Address.ts"
import { userHome } from "./UserHome.ts"

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

export const integer =
  (least: number, most: number = Number.MAX_SAFE_INTEGER) =>
  (text: string) => {
    const range = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`
    const value = /^\d+$/.test(text) ? Number(text) : NaN
    return value >= least && value <= most
      ? Result.succeed(value)
      : Result.fail(`${quote(text)} is not a whole number ${range}`)
  }

export const days = (text: string) => Result.map(integer(1, 3_650)(text), (count) => count * 86_400_000)

export const port = (text: string) =>
  /^\d{1,5}$/.test(text) && Number(text) <= 65_535
    ? Result.succeed(Number(text))
    : Result.fail(`${quote(text)} is not a port (0 to 65535)`)

const truths = ["1", "true", "yes", "on"]
const falsehoods = ["0", "false", "no", "off"]

export const boolean = (text: string): Result.Result<boolean, string> => {
  const word = text.toLowerCase()
  if (truths.includes(word)) return Result.succeed(true)
  if (falsehoods.includes(word)) return Result.succeed(false)
  return Result.fail(`${quote(text)} is neither ${truths.join(", ")} nor ${falsehoods.join(", ")}`)
}

export const oneOf =
  <const Words extends ReadonlyArray<string>>(...words: Words) =>
  (text: string): Result.Result<Words[number], string> => {
    const word = words.find((word) => word === text.toLowerCase())
    return word === undefined ? Result.fail(`${quote(text)} is not one of ${words.join(", ")}`) : Result.succeed(word)
  }

/** An address of this machine or a name; IPv6 with or without brackets. */
export const host = (text: string): Result.Result<string | undefined, string> => {
  const bare = text.replace(/^\[(.*)\]$/, "$1")
  const parsed = parseHost(bare)
  if (Result.isSuccess(parsed)) return parsed
  const withPort = /^(\[[^\]]*\]|[^:]*):\d+$/.test(text)
  return Result.fail(
    withPort || !/^[\d.]+$|:.*:/.test(text)
      ? `${quote(text)} is not an address or a host name, without port (the port is FERAL_SYNC_PORT)`
      : parsed.failure
  )
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

export const peers = (text: string): Result.Result<ReadonlyArray<Address>, string> =>
  each(text, (entry) => Result.flatMap(parseAddress(entry), inZone), formatAddress)

export const interfaces = (text: string) =>
  each(
    text,
    (entry) =>
      // An interface may appear later, so its name is not looked up.
      isIP(entry) !== 0 || /^(?=.*[a-z])[\w.-]{1,15}$/i.test(entry)
        ? Result.succeed(entry)
        : Result.fail(`${quote(entry)} is neither an interface, like eth0, nor an address of one, like 192.168.1.5`),
    (entry) => entry
  )

/** Seconds, with fractions, or words like "2 minutes"; at least `leastMs` milliseconds and at most a day. */
export const duration = (leastMs: number) => (text: string) => {
  const match =
    /^(\d+(?:\.\d+)?|\.\d+)\s*(?:(ms|milli(?:second)?s?)|(s|sec(?:ond)?s?)|(m|min(?:ute)?s?)|(h|hours?))?$/i.exec(text)
  const unit =
    match?.[2] !== undefined ? 1 : match?.[4] !== undefined ? 60_000 : match?.[5] !== undefined ? 3_600_000 : 1000
  const millis = Math.round(Number(match?.[1] ?? NaN) * unit)
  return millis >= leastMs && millis <= 24 * 3_600_000
    ? Result.succeed(Duration.millis(millis))
    : Result.fail(`${quote(text)} is not a time in seconds${leastMs > 0 ? " above 0" : ""}, of at most a day`)
}

const quote = (text: string) => JSON.stringify(text)
