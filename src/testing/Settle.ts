/** Lets sessions between replicas run until nothing happens any more. */
import * as Session from "../core/sync/Session.ts"
import type { Link } from "./SimulatedLink.ts"

/** What can happen next on some links: a frame arrives, or a session hears of a change of its replica. */
export const choicesOf = (links: ReadonlyArray<Link>): ReadonlyArray<() => void> =>
  links.flatMap((link) =>
    ([0, 1] as const).flatMap((index) => {
      const { inbox, replica, session } = link.ends[index]
      return [
        ...(inbox.length > 0 ? [() => void link.deliver(index)] : []),
        ...(replica.version > session.local.version ? [() => link.notify(index)] : [])
      ]
    })
  )

/** Sets the time, and tells every session. */
export const waitUntil = (links: ReadonlyArray<Link>, clock: { now: number }, now: number): void => {
  clock.now = Math.max(clock.now, now)
  for (const link of links) for (const index of [0, 1] as const) link.tick(index)
}

/** Steps after which sessions that still have something to do never come to rest. */
const most = 100_000

/** Lets a set of links run, in any order that `pick` chooses, until nothing happens any more. `clock` is in ms. */
export const settle = (
  links: ReadonlyArray<Link>,
  clock: { now: number },
  pick: (n: number) => number = () => 0
): void => {
  for (let round = 0; round < most; round++) {
    const choices = choicesOf(links)
    if (choices.length === 0) {
      // Nothing but time is left: go to the next deadline, unless only keep-alives are.
      const next = Math.min(...links.flatMap((link) => link.ends.map((end) => Session.deadline(end.session))))
      if (next > clock.now + 10_000) return
      waitUntil(links, clock, next)
      continue
    }
    choices[pick(choices.length)]?.()
  }
  throw new Error("the sessions never came to rest")
}
