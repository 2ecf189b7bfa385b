/**
 * How often one network may fail to prove the passphrase: limited in rate, with a delay that grows.
 *
 * The first few failures are free, for people mistype. Each one after that makes the network wait twice as long as the
 * last one, up to a cap. Meanwhile no proof of it is examined, so nothing that it does makes the wait longer. A proof
 * that holds clears the network, and so does a good while without a failure. A member that shares its address with an
 * attacker that keeps guessing shows its ticket, and is counted by that; without one it is accepted when it happens to
 * come first after a wait. Whom we dial ourselves is not limited.
 *
 * Guarantees: between two successes, of all proofs of a network that were looked at within a time t, at most `free + 1
 * + log2(cap / first) + t / cap` were wrong, plus as many again each time it is forgotten. The state holds at most
 * `networks` entries; the one that failed longest ago makes room. When the local clock is set back, all addresses are
 * accepted.
 */
import * as Oldest from "./Oldest.ts"

/** Times in milliseconds. */
export const limits = {
  /** Failures without a wait. */
  free: 5,
  first: 1_000,
  cap: 60_000,
  /** After this time without a failure a network is forgotten. */
  memory: 900_000,
  /** Networks that are remembered. */
  networks: 1_024
} as const

/** By network (`Address.networkOf`), the one that failed last at the end. */
export type RateLimit = ReadonlyMap<string, { readonly failures: number; readonly failedAt: number }>

/** No failures yet. */
export const empty: RateLimit = new Map()

/** How long a network has to wait before its next proof is looked at (ms); 0 when it need not. */
export const waitOf = (limit: RateLimit, network: string, now: number): number => {
  const entry = limit.get(network)
  if (entry === undefined || now < entry.failedAt) return 0
  return Math.max(0, entry.failedAt + delayAfter(entry.failures) - now)
}

/** After a wrong proof. */
export const fail = (limit: RateLimit, network: string, now: number): RateLimit => {
  const before = limit.get(network)
  const isKnown = before !== undefined && now - before.failedAt < limits.memory
  const next = new Map(limit)
  Oldest.set(next, network, { failures: isKnown ? before.failures + 1 : 1, failedAt: now }, limits.networks)
  return next
}

/** After a proof that held. */
export const clear = (limit: RateLimit, network: string): RateLimit => {
  if (!limit.has(network)) return limit
  const next = new Map(limit)
  next.delete(network)
  return next
}

const delayAfter = (failures: number): number =>
  failures <= limits.free ? 0 : Math.min(limits.cap, limits.first * 2 ** (failures - limits.free - 1))
