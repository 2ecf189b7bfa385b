/**
 * The change feed of a replica: its rows in the order in which they were committed here, and where a reader of them is.
 *
 * A commit gives each row that it writes the next number. A row that is written again gets a new one. So the rows with
 * numbers beyond that of a reader are exactly those that it has missed, each once, in its latest state. Numbers are
 * never used again.
 *
 * Some rows leave without a successor: deletions that every node has, and what an operator removes. A reader that has
 * not seen such a deletion, or holds a removed row, would never hear of it: it has to begin again. So each removal is
 * counted, and `horizon` is the number that a reader must have reached to have missed nothing by any of them.
 */
import { Option } from "effect"

/** The end of the feed of a replica. */
export interface Feed {
  /** The number of the last row that was committed; 0 before the first. */
  readonly last: number
  /** How often rows left without a successor. */
  readonly removals: number
  /** A reader from before the last removal has missed nothing of it when its number is at least this. */
  readonly horizon: number
}

export const empty: Feed = { last: 0, removals: 0, horizon: 0 }

/** How far a reader is: up to which number, and which removals it knows of. */
export interface Place {
  readonly number: number
  readonly removals: number
}

/** The place of a reader that has seen nothing. */
export const beginning = ({ removals }: Feed): Place => ({ number: 0, removals })

/** The place of a reader that has seen everything. */
export const end = ({ last, removals }: Feed): Place => ({ number: last, removals })

/** After `count` more rows were committed. */
export const advance = (feed: Feed, count: number): Feed => (count === 0 ? feed : { ...feed, last: feed.last + count })

/**
 * After rows left of which the greatest number is `greatest`, which each reader that has come so far has seen leave.
 */
export const withRemoval = ({ last, removals, horizon }: Feed, greatest: number): Feed => ({
  last,
  removals: removals + 1,
  horizon: Math.max(horizon, greatest)
})

/** After rows left that no reader has seen leave. */
export const withPurge = (feed: Feed): Feed => withRemoval(feed, feed.last + 1)

/** Where a reader goes on; none where it has to begin again. */
export const resume = (feed: Feed, { number, removals }: Place): Option.Option<Place> => {
  const hasMissed = number > 0 && removals !== feed.removals && number < feed.horizon
  const isOfOther = number > feed.last || removals > feed.removals
  return hasMissed || isOfOther ? Option.none() : Option.some({ number, removals: feed.removals })
}

/**
 * A place as readers keep it, with the id of the feed that it is of: two copies of a replica have feeds of their own.
 */
export const toText = (id: string, { number, removals }: Place): string => `${id}-${number}-${removals}`

/** The beginning of any feed. */
export const fromStart = "0"

const pattern = /^(.+)-(0|[1-9]\d{0,14})-(0|[1-9]\d{0,14})$/

/** Where a reader with this cursor goes on; none when it is not of this feed, or has to begin again. */
export const resumeText = (id: string, feed: Feed, cursor: string): Option.Option<Place> => {
  if (cursor === fromStart) return Option.some(beginning(feed))
  const [, of, number, removals] = pattern.exec(cursor) ?? []
  return of === id ? resume(feed, { number: Number(number), removals: Number(removals) }) : Option.none()
}
