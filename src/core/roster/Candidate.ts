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
  /** Best first; each dial takes the one that may be tried soonest. */
  readonly addresses: ReadonlyArray<Address>
  /** The tries of each address (by its text) that came to nothing. An attempt at one address delays no other. */
  readonly attempts: ReadonlyMap<string, Attempt>
  readonly dialling: boolean
  /** When to dial next (ms); never for an address that is our own. */
  readonly dialAt: number
  /** Dials in a row that failed. */
  readonly failures: number
  /** When the last exchange with an existing FERAL node was over (ms); none with a node that speaks form 2. */
  readonly exchangedAt: number | undefined
}

/** Tries of one address in a row that ended before the peer proved itself, and when the next one may be made (ms). */
export interface Attempt {
  readonly failures: number
  readonly nextAt: number
}

export const mdnsKey = (node: NodeId): string => `mdns ${node}`
export const staticKey = (address: Address): string => `static ${formatAddress(address)}`

/** An entry of the static list, to be dialled at once. */
export const listed = (address: Address, now: number): Candidate => ({
  key: staticKey(address),
  source: "static",
  node: undefined,
  addresses: [address],
  attempts: new Map(),
  dialling: false,
  dialAt: now,
  failures: 0,
  exchangedAt: undefined
})

/** The address that is dialled now, or next: the one that may be tried soonest, of several the best. */
export const addressOf = (candidate: Candidate): Address | undefined =>
  candidate.addresses.reduce<Address | undefined>(
    (best, address) =>
      best === undefined || nextAtOf(candidate, address) < nextAtOf(candidate, best) ? address : best,
    undefined
  )

/** When an address may be dialled (ms). */
const nextAtOf = ({ attempts }: Candidate, address: Address): number =>
  attempts.get(formatAddress(address))?.nextAt ?? -Infinity

/** When a candidate is dialled next (ms), as far as its addresses allow. */
export const dueAt = (candidate: Candidate): number => {
  const address = addressOf(candidate)
  return address === undefined ? Infinity : Math.max(candidate.dialAt, nextAtOf(candidate, address))
}

/** Whether a candidate should be dialled at all: neither its node nor its address is connected or being dialled. */
export const isWanted = (
  candidate: Candidate,
  self: NodeId,
  candidates: ReadonlyArray<Candidate>,
  links: Iterable<Link>
): boolean => {
  const { key, dialling, node } = candidate
  if (dialling || node === self || isAlias(candidate, candidates)) return false
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

/**
 * Whether an announced name has led to another node, which is known by its own name as well: an existing FERAL node that was
 * restarted under a new id, and never withdrew the old one.
 */
export const isAlias = ({ key, source, node }: Candidate, candidates: Iterable<Candidate>): boolean => {
  if (source !== "mdns" || node === undefined || key === mdnsKey(node)) return false
  for (const other of candidates) {
    if (other.key === mdnsKey(node) || (other.source === "static" && other.node === node)) return true
  }
  return false
}

export const includesAddress = (addresses: ReadonlyArray<Address>, address: Address): boolean =>
  addresses.some((other) => isSameAddress(other, address))

const isSameAddress = (a: Address, b: Address): boolean => a.host === b.host && a.port === b.port
