/**
 * Somebody who could be dialled: a node that mDNS shows, or an entry of the static list. Which of them is dialled now, so that
 * no node and no address is dialled twice at a time.
 */
import { type Address, formatAddress } from "../Address.ts"
import type { NodeId } from "../NodeId.ts"
import type { Link } from "./Rivals.ts"

/** Where a candidate comes from. */
export type Source = "mdns" | "static"

export interface Candidate {
  readonly key: string
  readonly source: Source
  /** Announced by mDNS; for a static entry known once it has answered. */
  readonly node: NodeId | undefined
  /** Best first; each dial takes the next one. */
  readonly addresses: ReadonlyArray<Address>
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
  dialling: false,
  dialAt: now,
  failures: 0,
  exchangedAt: undefined
})

/** The address that is dialled now, or next. */
export const addressOf = ({ addresses, failures }: Candidate): Address | undefined =>
  addresses[failures % addresses.length]

/** Whether a candidate should be dialled at all: neither its node nor its address is connected or being dialled. */
export const isWanted = (
  candidate: Candidate,
  self: NodeId,
  candidates: Iterable<Candidate>,
  links: Iterable<Link>
): boolean => {
  const { key, dialling, node } = candidate
  if (dialling || node === self) return false
  const address = addressOf(candidate)
  const isSame = (other: Candidate) => {
    const theirs = addressOf(other)
    const isThere = address !== undefined && theirs !== undefined && isSameAddress(address, theirs)
    return isThere || (node !== undefined && other.node === node)
  }
  for (const other of candidates) if (other.key !== key && other.dialling && isSame(other)) return false
  if (node !== undefined) for (const link of links) if (link.node === node) return false
  return true
}

export const includesAddress = (addresses: ReadonlyArray<Address>, address: Address): boolean =>
  addresses.some((other) => isSameAddress(other, address))

const isSameAddress = (a: Address, b: Address): boolean => a.host === b.host && a.port === b.port
