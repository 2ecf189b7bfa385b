/**
 * The laws of a hybrid logical clock, for `Hlc` of `feral-sync/core` or a clock of one's own.
 *
 * Source: Kulkarni, Demirbas, Madappa, Avva, Leone, "Logical Physical Clocks" (2014).
 */
import { Arbitrary, Result } from "effect"
import * as Hlc from "../core/replica/Hlc.ts"
import * as Arbitraries from "./Arbitraries.ts"
import * as Law from "./Law.ts"
import { type Options, stateLaws } from "./Suite.ts"

/** A hybrid logical clock. Wall times and drifts are in ms. */
export interface HybridClock {
  /** The timestamp of an event at `now`, after `local`. */
  readonly send: (local: Hlc.Timestamp, now: number) => Hlc.Timestamp
  /** The timestamp after `remote` arrived at `now`; a failure when it is more than `maxDrift` ahead. */
  readonly receive: (
    local: Hlc.Timestamp,
    remote: Hlc.Timestamp,
    now: number,
    maxDrift: number
  ) => Result.Result<Hlc.Timestamp, unknown>
}

const text = ({ wall, counter }: Hlc.Timestamp): string => `${wall}:${counter}`
const early = Arbitrary.filter(Arbitraries.timestamp, ({ wall }) => wall < Number.MAX_SAFE_INTEGER)
const isValid = ({ wall, counter }: Hlc.Timestamp): boolean =>
  Number.isSafeInteger(wall) && Number.isSafeInteger(counter) && wall >= 0 && counter >= 0

/** The laws, as values. */
export const laws = ({ send, receive }: HybridClock = Hlc): ReadonlyArray<Law.Law> => {
  const law = <A>(name: string, arbitrary: Arbitrary.Arbitrary<A>, broken: (value: A) => Law.Story) =>
    Law.make(name, arbitrary, broken, "hlcLaws(clock")
  return [
    law(
      "send is after the local timestamp, and not before the wall clock",
      Arbitrary.all([early, Arbitraries.now]),
      ([local, now]) => {
        const next = send(local, now)
        return Hlc.isAfter(next, local) && next.wall >= now && isValid(next)
          ? undefined
          : [`send(${text(local)}, ${now}) is ${text(next)}.`]
      }
    ),
    law(
      "send is the least such timestamp",
      Arbitrary.all([Arbitraries.fewTimestamps, Arbitraries.integer(-1, 4), Arbitraries.fewTimestamps]),
      ([local, now, other]) => {
        const next = send(local, now)
        return Hlc.isAfter(other, local) && other.wall >= now && Hlc.isAfter(next, other)
          ? [`send(${text(local)}, ${now}) is ${text(next)}, and ${text(other)} would be after both too.`]
          : undefined
      }
    ),
    law(
      "receive is after both timestamps, and not before the wall clock",
      Arbitrary.all([early, early, Arbitraries.now]),
      ([local, remote, now]) => {
        const next = receive(local, remote, now, Infinity)
        if (Result.isFailure(next)) return [`receive(${text(local)}, ${text(remote)}, ${now}, Infinity) fails.`]
        const { success } = next
        return Hlc.isAfter(success, local) && Hlc.isAfter(success, remote) && success.wall >= now && isValid(success)
          ? undefined
          : [`receive(${text(local)}, ${text(remote)}, ${now}, Infinity) is ${text(success)}.`]
      }
    ),
    law(
      "receive fails exactly where the remote timestamp is further ahead than the bound",
      Arbitrary.all([
        Arbitraries.timestamp,
        Arbitraries.integer(0, 10),
        Arbitraries.integer(0, 1_000_000),
        Arbitraries.integer(-3, 3)
      ]),
      ([local, now, bound, beyond]) => {
        const remote = { wall: Math.max(0, now + bound + beyond), counter: 0 }
        const failed = Result.isFailure(receive(local, remote, now, bound))
        return failed === remote.wall - now > bound
          ? undefined
          : [`receive(${text(local)}, ${text(remote)}, ${now}, ${bound}) ${failed ? "fails" : "succeeds"}.`]
      }
    ),
    law(
      "timestamps increase along any chain of messages",
      Arbitrary.array(
        Arbitrary.all([Arbitraries.integer(0, 2), Arbitraries.integer(0, 2), Arbitraries.integer(0, 50)])
      ),
      (messages) => chained({ send, receive }, messages)
    )
  ]
}

/** Messages between three nodes: every timestamp is after all that its node has heard of. */
const chained = (
  { send, receive }: HybridClock,
  messages: ReadonlyArray<readonly [from: number, to: number, at: number]>
): Law.Story => {
  const clocks = [Hlc.zero, Hlc.zero, Hlc.zero]
  const past: Array<ReadonlySet<Hlc.Timestamp>> = [new Set(), new Set(), new Set()]
  const story: Array<string> = []
  const makes = (node: number, made: Hlc.Timestamp): boolean => {
    const isLater = [...(past[node] ?? [])].every((known) => Hlc.isAfter(made, known))
    clocks[node] = made
    past[node] = new Set([...(past[node] ?? []), made])
    return isLater
  }
  for (const [from, to, at] of messages) {
    const sent = send(clocks[from] ?? Hlc.zero, at)
    story.push(`At ${at}, node ${from} sends ${text(sent)} to node ${to}.`)
    if (!makes(from, sent)) return [...story, "It had seen a timestamp that is not before it."]
    past[to] = new Set([...(past[to] ?? []), ...(past[from] ?? [])])
    const received = receive(clocks[to] ?? Hlc.zero, sent, at, 1_000)
    if (Result.isFailure(received)) return [...story, `Node ${to} refuses it.`]
    story.push(`Node ${to} is at ${text(received.success)} then.`)
    if (!makes(to, received.success)) return [...story, "It had seen a timestamp that is not before it."]
  }
  return undefined
}

/** States the laws as tests of the runner that runs this file. */
export const hlcLaws = (clock?: HybridClock, options?: Options): void =>
  stateLaws("laws of the hybrid logical clock", laws(clock), options)
