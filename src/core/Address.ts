/**
 * Where a node can be dialled, and its text form `host:port`, with IPv6 in brackets (RFC 3986 section 3.2.2).
 */
import { Result } from "effect"

/** IPv6 addresses without brackets, link-local ones with their scope. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** `host:port`, or `[host]:port` for IPv6. */
export const formatAddress = ({ host, port }: Address): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`

/**
 * What an address is counted as where limits are kept: an IPv4 address stands for itself, an IPv6 address for its /64, which
 * is the least that anyone is given (RFC 6177).
 */
export const networkOf = (host: string): string => {
  if (!host.includes(":")) return host
  const [head = "", tail] = host.replace(/%.*$/, "").split("::")
  const groups = head === "" ? [] : head.split(":")
  const rest = tail === undefined || tail === "" ? [] : tail.split(":")
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - groups.length - rest.length)
  const all = [...groups, ...Array.from({ length: zeros }, () => "0"), ...rest]
  return `${all
    .slice(0, 4)
    .map((group) => parseInt(group, 16).toString(16))
    .join(":")}::/64`
}

const pattern = /^(?:\[((?=[^\]]*:)[0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([\p{L}\p{N}_.-]+)):(\d{1,5})$/u

/** Reads `host:port`. Fails with what is wrong. */
export const parseAddress = (text: string): Result.Result<Address, string> => {
  const match = pattern.exec(text.trim())
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined) return Result.fail(`${JSON.stringify(text)} is not host:port (IPv6 as [::1]:9090)`)
  if (port < 1 || port > 65_535) return Result.fail(`${port} is not a port (1 to 65535)`)
  return Result.succeed({ host, port })
}
