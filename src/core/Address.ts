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
