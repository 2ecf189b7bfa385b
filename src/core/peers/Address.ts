/**
 * Where a node can be dialled, and its text form `host:port`, with IPv6 in brackets (RFC 3986 section 3.2.2).
 */
import { Result } from "effect"
import * as NetAddress from "effect/net/NetAddress"

/** IPv6 addresses without brackets, link-local ones with their scope. */
export interface Address {
  readonly host: string
  readonly port: number
  /** The user has said that it speaks without TLS, as an existing FERAL node does. */
  readonly plain?: true
}

/** `host:port`, or `[host]:port` for IPv6. */
export const formatAddress = ({ host, port }: Address): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`

/**
 * The key of an address for limits: an IPv4 address stands for itself, an IPv6 address for its /64, which
 * is the smallest network that a customer gets (RFC 6177).
 */
export const networkOf = (host: string): string => {
  const parsed = NetAddress.ipFromString(host.replace(/%.*$/s, ""))
  if (Result.isFailure(parsed)) return host
  // One that is mapped into IPv6 is still the IPv4 address.
  const address = NetAddress.toCanonical(parsed.success)
  if (NetAddress.isIpv4Address(address)) return NetAddress.formatIp(address)
  const [a, b, c, d] = NetAddress.ipv6ToSegments(address)
  return `${[a, b, c, d].map((segment) => segment.toString(16)).join(":")}::/64`
}

/** Whether a host is named for multicast DNS. Resolvers read letters of other shapes as the plain ones. */
export const isLocalName = (host: string): boolean => /\.local\.?$/i.test(host.normalize("NFKC"))

/** The port of a node when none is given. */
export const defaultPort = 9090

/**
 * Reads the address of a peer as people write it. The port may be left out, and a zone may stand behind `%` or, as in
 * URLs, behind `%25`. `plain://` before it says that it is an existing FERAL node without TLS; not with a name of
 * multicast DNS, for the first machine that answers for it would get the passphrase. Fails with the slip and, where it
 * can be guessed, with what was meant.
 */
export const parseAddress = (text: string): Result.Result<Address, string> => {
  const [, plain] = /^\s*plain:\/\/(.*)$/is.exec(text) ?? []
  return plain === undefined
    ? read(text, 4)
    : Result.flatMap(read(plain, 4), (address): Result.Result<Address, string> =>
        isLocalName(address.host)
          ? fail(text.trim(), anyoneAnswers(address))
          : Result.succeed({ ...address, plain: true })
      )
}

const anyoneAnswers = ({ port }: Address): string =>
  `is a .local name without TLS: any machine can answer for it; write the IP address of that node, as in plain://192.168.1.9:${port}`

/** `guesses`: how many slips in one text are mended to say what was meant. */
const read = (text: string, guesses: number): Result.Result<Address, string> => {
  const trimmed = text.trim()
  const slip = slips.find(({ pattern }) => trimmed.search(pattern) !== -1)
  if (slip !== undefined) return fail(trimmed, slip.says, meant(guesses, trimmed.replace(slip.pattern, slip.instead)))
  const inBrackets = /^\[([^\]]*)\](?::(.*))?$/s.exec(trimmed)
  if (inBrackets === null && trimmed.split(":").length > 2) {
    // Four or five digits at the end are a port, most likely, where what is left is an address.
    const withPort = trimmed.replace(/^(.*):(\d{4,5})$/, "[$1]:$2")
    const guess = meant(guesses, withPort) ?? meant(guesses, `[${trimmed}]`)
    return fail(trimmed, "needs brackets around its IPv6 address, as in [::1]:9090", guess)
  }
  const bare = /^([^:]*)(?::(.*))?$/s.exec(trimmed)
  const [, name = "", portText] = inBrackets ?? bare ?? []
  if (name === "") return fail(trimmed, "has no host: write HOST:PORT")
  if (portText === "") return fail(trimmed, "has no port after the colon: write HOST:PORT", meant(guesses, name))
  const port = portText === undefined ? defaultPort : /^\d{1,5}$/.test(portText) ? Number(portText) : 0
  if (port < 1 || port > 65_535) return Result.fail(`${portText} is not a port (1 to 65535)`)
  if (inBrackets !== null && !name.includes(":"))
    return fail(trimmed, "has brackets, which only IPv6 needs", meant(guesses, name))
  const host = parseHost(name)
  if (Result.isSuccess(host)) {
    const reason = notOfOneNode(host.success)
    return reason === undefined ? Result.succeed({ host: host.success, port }) : fail(trimmed, reason)
  }
  if (bare !== null && portText === undefined && /^\d+$/.test(name))
    return fail(trimmed, "is a port without a host: write HOST:PORT")
  return Result.fail(host.failure)
}

/** Why no node can be reached at an address, whatever runs there. */
const notOfOneNode = (host: string): string | undefined => {
  const address = host.toLowerCase()
  if (address.includes(":") && !address.startsWith("::ffff:")) {
    if (/^[0:]+$/.test(address)) return anyAddress
    if (address.startsWith("ff") && address.indexOf(":") === 4) return multicast
    return /^fe[89ab][0-9a-f]:/.test(address) && zoneOf({ host: address, port: 0 }) === undefined
      ? `is a link-local address without its interface: write it as in [${host}%eth0]:9090`
      : undefined
  }
  const [, first] = /^(?:::ffff:)?(\d+)\.\d+\.\d+\.\d+$/.exec(address) ?? []
  if (first === undefined) return undefined
  if (first === "0") return anyAddress
  if (address.endsWith("255.255.255.255")) return "is the address of all machines of a network: write that of the peer"
  if (Number(first) >= 224 && Number(first) < 240) return multicast
  return Number(first) >= 240 ? "is a reserved address: write that of the peer" : undefined
}

const anyAddress = "means every address of this machine: write the address of the peer"
const multicast = "is a multicast address: write the address of the peer"

/**
 * Reads a host name, an IPv4 address, or an IPv6 address without brackets. Something that ends in a number is an IPv4
 * address or nothing: resolvers do not take it for a name.
 */
export const parseHost = (text: string): Result.Result<string, string> => {
  if (text.includes(":")) {
    const [, address = "", zone] = /^([^%]*)(?:%(.*))?$/s.exec(text) ?? []
    if (!isIPv6(address)) return fail(text, "is not an IPv6 address")
    if (zone === undefined) return Result.succeed(address)
    const name = zone.replace(/^(?:25)+(?=.)/s, "")
    return /^[\w.-]+$/.test(name)
      ? Result.succeed(`${address}%${name}`)
      : fail(text, "has no interface name after the %, as in fe80::1%eth0")
  }
  if (/(^|\.)\d+\.?$/.test(text)) {
    return Result.isSuccess(NetAddress.ipv4FromString(text))
      ? Result.succeed(text)
      : fail(text, "is not an IPv4 address: it has four numbers from 0 to 255, without leading zeros")
  }
  if (!/^(?=.{1,253}$)[\p{L}\p{N}_-]+(\.[\p{L}\p{N}_-]+)*\.?$/u.test(text)) {
    return fail(text, "is not host:port (IPv6 as [::1]:9090)")
  }
  return /(^|\.)-|-(\.|$)/.test(text)
    ? fail(text, "is not a host name: no part of one begins or ends with a hyphen")
    : Result.succeed(text)
}

/** The interface that a link-local address names. */
export const zoneOf = ({ host }: Address): string | undefined => /%(.*)$/.exec(host)?.[1]

/** Common mistakes around an address. Each is found before those below it. */
const slips: ReadonlyArray<{ readonly pattern: RegExp; readonly instead: string; readonly says: string }> = [
  { pattern: /^[a-z][a-z0-9+.-]*:\/\//i, instead: "", says: "is a URL: remove everything before the host" },
  { pattern: /[/?#][^\s;]*/, instead: "", says: "has a path: remove everything after the port" },
  { pattern: /\s*;\s*/g, instead: ",", says: "has a semicolon: separate peers with commas" },
  { pattern: /\s+(?=:)|(?<=:)\s+/g, instead: "", says: "has a space next to a colon: remove it" },
  { pattern: /\s+/g, instead: ",", says: "has a space: separate peers with commas" },
  { pattern: /^[^@]*@/, instead: "", says: "has a user name: remove it" },
  { pattern: /^["']+|["']+$/g, instead: "", says: "has quotes: remove them" }
]

const isIPv6 = (text: string): boolean => Result.isSuccess(NetAddress.ipv6FromString(text.replace(/%.*$/s, "")))

/** The intended address, if it can be guessed. */
const meant = (guesses: number, list: string): string | undefined => {
  if (guesses === 0) return undefined
  const entries = list.split(",").filter((entry) => entry !== "")
  const texts = entries.map((entry) => {
    const parsed = read(entry, guesses - 1)
    if (Result.isSuccess(parsed)) return formatAddress(parsed.success)
    // More than one slip in it.
    const slip = slips.find(({ pattern }) => entry.search(pattern) !== -1)
    return slip === undefined ? undefined : meant(guesses - 1, entry.replace(slip.pattern, slip.instead))
  })
  return texts.length > 0 && texts.every((text) => text !== undefined) ? texts.join(",") : undefined
}

const fail = (text: string, says: string, instead?: string): Result.Result<never, string> =>
  Result.fail(`${JSON.stringify(text)} ${says}${instead === undefined ? "" : `; write ${instead}`}`)
