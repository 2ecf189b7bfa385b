/**
 * When to dial again after a connection ended or a dial failed: after a delay that doubles up to a cap, with jitter. A
 * refusal starts at a longer delay: the operator has to correct it.
 *
 * A machine that has not proved itself is untrusted. Whatever it sends, it delays the next try of its own address
 * alone, and that by at most a minute.
 */
import type { Candidate } from "./Candidate.ts"

/** Delays in milliseconds. */
export const delays = {
  retry: { first: 250, cap: 30_000 },
  refused: { first: 5_000, cap: 60_000 },
  // A node that is told to wait lets those of its address go first that have failed less often: `each` for every
  // failure. So one with a wrong passphrase does not keep the others out.
  yielding: { each: 1_000, cap: 15_000 },
  /** The longest wait that a side without a proof can bring about. */
  unproved: 60_000
} as const

/**
 * How long an address is let alone after one more try that ended before the peer proved itself: the `failures`th in a
 * row. `asked` is the wait that it asked for.
 */
export const afterAttempt = (ending: "lost" | "refused", failures: number, asked: number, random: number): number =>
  Math.min(
    delays.unproved,
    Math.max(
      backoff(ending === "refused" ? delays.refused : delays.retry, failures, random),
      asked === 0 ? 0 : Math.ceil(asked) + Math.min(delays.yielding.cap, (failures - 1) * delays.yielding.each)
    )
  )

/** How a dial or a connection ended. */
export type Ending =
  /** It was lost, or never came about. */
  | "lost"
  /** One side does not let the other in. */
  | "refused"
  /** The address is our own. */
  | "self"
  /** It was given up for another connection to the same node. */
  | "duplicate"
  /** An exchange with an existing FERAL node is over. */
  | "exchanged"
  /** It is over, and something was left. */
  | "unfinished"

/** A dial or a connection that is over. */
export interface Ended {
  readonly candidate: Candidate
  readonly ending: Ending
  /** Whether it was up for long enough to forget the failures before it. */
  readonly wasGood: boolean
  /** The pause between two exchanges with an existing FERAL node (ms). */
  readonly interval: number
  readonly random: number
  readonly now: number
}

/** When to dial again, and what counts as a failure. */
export const afterEnd = ({
  candidate,
  ending,
  wasGood,
  interval,
  random,
  now
}: Ended): Pick<Candidate, "failures" | "dialAt" | "exchangedAt"> => {
  const { exchangedAt } = candidate
  const failures = wasGood ? 0 : candidate.failures + 1
  switch (ending) {
    case "exchanged":
      return { failures: 0, dialAt: now + interval, exchangedAt: now }
    case "unfinished":
      return { failures: 0, dialAt: now, exchangedAt: now }
    case "duplicate":
      return { failures: candidate.failures, dialAt: Math.max(now, candidate.dialAt), exchangedAt }
    case "self":
      return { failures, dialAt: Infinity, exchangedAt }
    case "refused":
      return { failures, dialAt: now + backoff(delays.refused, failures, random), exchangedAt }
    case "lost":
      return { failures, dialAt: now + backoff(delays.retry, failures, random), exchangedAt }
  }
}

/**
 * The delay before try `failures + 1`: doubling, capped, and spread over its upper half. Whole milliseconds, as clocks
 * count.
 */
export const backoff = (
  { first, cap }: { readonly first: number; readonly cap: number },
  failures: number,
  random: number
): number => Math.ceil(Math.min(cap, first * 2 ** Math.max(0, failures - 1)) * (0.5 + random / 2))
