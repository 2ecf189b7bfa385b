/**
 * A node that could be dialled: one that mDNS shows, or an entry of the static list.
 */
import { type Address, formatAddress } from "./Address.ts"
import type { NodeId } from "../replica/NodeId.ts"

/** Where a candidate comes from. */
export type Source = "mdns" | "static"

export interface Candidate {
  readonly key: string
  readonly source: Source
  /** Announced by mDNS; for a static entry known once it has answered. */
  readonly node: NodeId | undefined
  /** Best first; each dial takes the best that is not let alone. */
  readonly addresses: ReadonlyArray<Address>
  /** Hosts among them from which the node announces itself. */
  readonly near: ReadonlyArray<string>
  /** When it came (ms). */
  readonly cameAt: number
  /** It was dialled since it came. */
  readonly isTried: boolean
  readonly dialling: boolean
  /** When to dial next (ms); never for an address that is our own. */
  readonly dialAt: number
  /** Dials in a row that failed. */
  readonly failures: number
  /** When the last exchange with an existing FERAL node was over (ms); none with a node that speaks form 2. */
  readonly exchangedAt: number | undefined
}

export const mdnsKey = (node: NodeId): string => `mdns ${node}`
export const staticKey = (address: Address): string => `static ${formatAddress(address)}`

/** An entry of the static list, to be dialled at once. */
export const listed = (address: Address, now: number): Candidate => ({
  key: staticKey(address),
  source: "static",
  node: undefined,
  addresses: [address],
  near: [],
  cameAt: now,
  isTried: false,
  dialling: false,
  dialAt: now,
  failures: 0,
  exchangedAt: undefined
})

export const includesAddress = (addresses: ReadonlyArray<Address>, address: Address): boolean =>
  addresses.some((other) => isSameAddress(other, address))

const isSameAddress = (a: Address, b: Address): boolean => a.host === b.host && a.port === b.port
