/**
 * Flags that choose rows, for lists and searches alike.
 */
import { Clock, Effect } from "effect"
import { Flag } from "effect/cli"
import * as Moment from "./Moment.ts"
import type { Filter } from "../core/replica/Selection.ts"
import { WrongUsage } from "./Failure.ts"
import { limits } from "../services/memory/Reads.ts"
import * as Fields from "./Fields.ts"
import * as Globals from "./Globals.ts"

/** The most rows that a node gives at once, and those that are shown where no number is given. */
const { most: mostRows, usual } = limits
export { mostRows, usual }

/** A moment is read when the command runs, for it may be some time ago. */
const moment = (name: string, description: string) =>
  Fields.maybe(
    Flag.String(name).pipe(
      Flag.filter(
        (text) => Moment.fromText(text, 0) !== undefined,
        () => Moment.expected
      ),
      Flag.withMetavar("TIME"),
      Flag.withDescription(description)
    )
  )

export const limit = Fields.maybe(
  Fields.number(
    "limit",
    "N",
    `Maximum number of rows to show (default: ${usual})`,
    (value) => Number.isInteger(value) && value >= 1 && value <= mostRows,
    `a whole number from 1 to ${mostRows}`
  )
)

/** The flags of every list. */
export const common = {
  since: moment("since", "Only rows written since then: 2h, 3d, 2026-11-29 or Unix seconds"),
  until: moment("until", "Only rows written before then"),
  origin: Fields.maybe(Fields.textFlag("origin", "NODE", "Only rows that this node wrote"))
}

export const follow = Globals.Switch("follow").pipe(
  Flag.withDescription("Show the latest rows, then new ones as they arrive, until Ctrl-C"),
  Flag.withDefault(false)
)

export const deleted = Globals.Switch("deleted").pipe(
  Flag.withDescription("Show deleted rows that this node can bring back, the last deleted first"),
  Flag.withDefault(false)
)

export const tag = Flag.String("tag").pipe(
  Flag.filter(
    (value) => value !== "",
    () => "non-empty text"
  ),
  Flag.withMetavar("TAG"),
  Flag.withDescription("Only rows with this tag; if given several times, with all of them"),
  Flag.atLeast(0)
)
export const subject = Fields.maybe(Fields.textFlag("subject", "S", "Only facts with this subject"))
export const predicate = Fields.maybe(Fields.textFlag("predicate", "P", "Only facts with this predicate"))
export const session = Fields.maybe(Fields.textFlag("session", "S", "Only rows of this session"))
export const status = Fields.maybe(Fields.textFlag("status", "ST", "Only entries with this status"))

/** What the flags of a command may have given. */
export interface Given {
  readonly since?: string | undefined
  readonly until?: string | undefined
  readonly origin?: string | undefined
  readonly tag?: ReadonlyArray<string> | undefined
  readonly subject?: string | undefined
  readonly predicate?: string | undefined
  readonly session?: string | undefined
  readonly status?: string | undefined
}

/** The filter that was given. */
export const of = Effect.fnUntraced(function* ({ since, until, tag = [], ...texts }: Given) {
  const now = yield* Clock.currentTimeMillis
  const times = { since: momentOf(since, now), until: momentOf(until, now) }
  if (times.since !== undefined && times.until !== undefined && times.since >= times.until) {
    return yield* new WrongUsage({ problem: "--since is not before --until" })
  }
  const { origin, subject, predicate, session, status } = texts
  const all = { ...times, origin, subject, predicate, session, status, tags: tag.length === 0 ? undefined : tag }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Filter
})

const momentOf = (text: string | undefined, now: number) =>
  text === undefined ? undefined : Moment.fromText(text, now)
