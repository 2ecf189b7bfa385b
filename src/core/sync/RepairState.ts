/**
 * The state of the comparison of rows with the peer. `Repair.ts` has its steps.
 */
import type { Position, Range, RangeRequest, Split, Summary } from "../replica/Ranges.ts"
import { movedBy } from "./SessionLimits.ts"
import type { AnnouncedRange } from "./Wire.ts"

/** A range to be compared with what the peer told of it; without that, all our parts of it are told. */
export interface Task {
  readonly range: Range
  readonly theirs: Summary | undefined
  /** Whether tombstones are left out. */
  readonly isLive: boolean
}

/** The comparison of rows with the peer. */
export interface Repair {
  /** Whether the peer takes part. */
  readonly isSupported: boolean
  /** Whether a caller waits for a comparison now, whichever side is to begin. */
  readonly isRequested: boolean
  /** Dialogues that we began since the states were equal last, and when we began the last one (ms). */
  readonly attempts: number
  /** Those of them that a difference led to that was explained. */
  readonly checks: number
  readonly beganAt: number | undefined
  /** When the peer began its last dialogue (ms), and the frames that it sent since either side began one. */
  readonly askedAt: number | undefined
  readonly frames: number
  /** When something last happened (ms). */
  readonly activeAt: number | undefined
  /** The greatest round that the peer has sent. */
  readonly round: number
  /** Ranges to be compared, oldest first, and the rows of the first one so far. */
  readonly tasks: ReadonlyArray<Task>
  readonly split: Split | undefined
  /** The last row that was read of the first task. */
  readonly at: Position | undefined
  /** What the next message tells, and whether that is without tombstones. */
  readonly announced: ReadonlyArray<AnnouncedRange>
  readonly isTelling: boolean
  /** Ranges whose operations the peer is to get. */
  readonly settling: ReadonlyArray<Range>
  /** The read that is under way, and its purpose. */
  readonly inFlight: { readonly request: RangeRequest; readonly isSettling: boolean } | undefined
  /** When the next piece may be read (ms). */
  readonly due: number
}

/** Before anything was compared. */
export const initial: Repair = {
  isSupported: false,
  isRequested: false,
  attempts: 0,
  checks: 0,
  beganAt: undefined,
  askedAt: undefined,
  frames: 0,
  activeAt: undefined,
  round: 0,
  tasks: [],
  split: undefined,
  at: undefined,
  isTelling: false,
  announced: [],
  settling: [],
  inFlight: undefined,
  due: 0
}

/** With all times moved by `by` (ms). */
export const moved = (repair: Repair, by: number): Repair => ({
  ...repair,
  beganAt: movedBy(repair.beganAt, by),
  askedAt: movedBy(repair.askedAt, by),
  activeAt: movedBy(repair.activeAt, by),
  due: repair.due + by
})
