/** An address as people write it: `host:port`, with IPv6 addresses in brackets. */
import type { Address } from "../../core/Address.ts"

export const authority = ({ host, port }: Address): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`
