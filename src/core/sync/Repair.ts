/**
 * The repair: when both sides claim the same history and hold different rows, finds those rows and exchanges them, by
 * the range-based reconciliation of `core/replica/Ranges.ts`.
 *
 * It begins when nothing is under way and the digests differ: at the lower node id of the two, or at the side with a
 * request. What it sends are frames of operations like all others, but for their claims: there are none, so no clock
 * moves. Which of two rows stays is decided by the merge, on both sides alike.
 *
 * Nothing in it is unbounded, whatever the peer says: ranges in memory, rounds and frames of a dialogue, dialogues
 * about one difference. What cannot be had within these bounds stays a difference, and is shown. Rows are read in small
 * pieces with a pause after each.
 */
import { HashMap, Option } from "effect"
import { isTombstone } from "../replica/Merge.ts"
import { byCodePoint } from "../replica/NodeId.ts"
import * as Ranges from "../replica/Ranges.ts"
import * as VectorClock from "../replica/VectorClock.ts"
import * as Wire from "./Wire.ts"
import * as Coverage from "./Coverage.ts"
import * as Deferral from "./Deferral.ts"
import { counted } from "./Outbound.ts"
import { frameBytes, hasCredit, isCollectedThere } from "./Send.ts"
import type { Repair } from "./RepairState.ts"
import { envelopeBytes, times } from "./SessionLimits.ts"
import type { Session, Step } from "./SessionState.ts"
import type { Action } from "./SessionEvents.ts"
import { isLive } from "./ToldDigest.ts"

/** What both sides name in `features` to take part. */
export const feature = "repair"

/** Bounds of a dialogue. */
const bounds = {
  /** Splits of the greatest state that can be, in the worst order, are fewer. */
  rounds: 40,
  frames: 256,
  /** Ranges that wait to be compared, told or settled, each. More differences are settled in larger ranges. */
  ranges: 4_096,
  /** Rows and bytes of one piece. */
  rows: 500,
  bytes: 262_144,
  /** Dialogues that we begin about one difference without being asked. */
  attempts: 5
} as const

/** When the repair wants a `Tick` (ms). */
export const dueAt = (session: Session): number => {
  const { phase, repair, outbound } = session
  if (phase !== "open" || !repair.isSupported || repair.inFlight !== undefined) return Infinity
  if (repair.tasks.length + repair.announced.length > 0) return repair.due
  if (repair.settling.length > 0) return hasCredit(session) && !outbound.fresh ? repair.due : Infinity
  return beginAt(session)
}

/** When a dialogue should begin: not while anything is under way that may explain a difference. */
const beginAt = (session: Session): number => {
  const { repair, peer, options, outbound, inbound, diverged } = session
  if (peer === undefined || !HashMap.isEmpty(outbound.dirty)) return Infinity
  if (outbound.unacked.length + inbound.waiting.length > 0) return Infinity
  if (repair.isRequested) return (repair.beganAt ?? -Infinity) + times.repairAgain
  if (!isInSync(session)) return Infinity
  if (!diverged || byCodePoint(options.self, peer) > 0 || repair.attempts >= bounds.attempts) return Infinity
  return repair.attempts === 0
    ? (repair.beganAt ?? -Infinity) + times.repairAgain
    : (repair.beganAt ?? 0) + times.repair * 2 ** (repair.attempts - 1)
}

/** Whether both sides claim the same, as far as is known. */
export const isInSync = (session: Session): boolean =>
  HashMap.isEmpty(session.outbound.dirty) && Coverage.isSame(session, session.known)

/** Does the next thing, when it is time. */
export const work = (session: Session, now: number): Step => {
  if (now < dueAt(session)) return [session, []]
  const { repair } = session
  const [task] = repair.tasks
  if (task !== undefined) {
    return read(session, { after: repair.at ?? task.range.after, until: task.range.until }, false)
  }
  if (repair.announced.length > 0) return announce(session)
  const [range] = repair.settling
  if (range !== undefined) return read(session, range, true)
  const begun: Repair = {
    ...repair,
    isRequested: false,
    attempts: repair.attempts + 1,
    beganAt: now,
    activeAt: now,
    frames: 0,
    round: -1,
    at: undefined,
    split: undefined,
    tasks: [{ range: Ranges.whole, theirs: undefined, isLive: isLive(session) }]
  }
  return work({ ...session, repair: begun }, now)
}

const read = (session: Session, range: Ranges.Range, isSettling: boolean): Step => {
  const request: Ranges.RangeRequest = { ...range, maxBytes: bounds.bytes, maxOperations: bounds.rows }
  return [{ ...session, repair: { ...session.repair, inFlight: { request, isSettling } } }, [{ _tag: "Scan", request }]]
}

/** The peer sent summaries of its ranges. */
export const onRanges = (session: Session, { round, ranges, isLive = false }: Wire.Ranges, now: number): Session => {
  const { repair } = session
  const isFirst = round === 0
  const isTooSoon = isFirst && now < (repair.askedAt ?? -Infinity) + times.repairAgain
  const frames = isFirst ? 1 : repair.frames + 1
  if (!repair.isSupported || isTooSoon || round > bounds.rounds || frames > bounds.frames) return session
  const tasks = ranges
    .filter(({ settle }) => !settle)
    .map((range) => ({ range: rangeOf(range), theirs: range, isLive }))
  const settling = ranges.filter(({ settle }) => settle).map(rangeOf)
  return {
    ...session,
    repair: {
      ...repair,
      askedAt: isFirst ? now : repair.askedAt,
      activeAt: now,
      frames,
      round: isFirst ? 0 : Math.max(repair.round, round),
      tasks: [...repair.tasks, ...tasks].slice(0, bounds.ranges),
      settling: [...repair.settling, ...settling].slice(0, bounds.ranges)
    }
  }
}

const rangeOf = ({ after, until }: Ranges.Range): Ranges.Range => ({ after, until })

/** Rows were read. */
export const onScanned = (
  session: Session,
  request: Ranges.RangeRequest,
  page: Option.Option<Ranges.RangePage>,
  now: number
): Step => {
  const { inFlight } = session.repair
  if (session.phase !== "open" || inFlight?.request !== request) return [session, []]
  const repair: Repair = { ...session.repair, inFlight: undefined, due: now + times.slice, activeAt: now }
  if (Option.isNone(page)) {
    return [
      { ...session, repair: { ...repair, tasks: [], split: undefined, at: undefined, announced: [], settling: [] } },
      []
    ]
  }
  return inFlight.isSettling
    ? send({ ...session, repair }, page.value)
    : [{ ...session, repair: compare(repair, page.value) }, []]
}

/** Takes the next rows of the first task. When they were the last, it is done: what is to be told of it is. */
const compare = (repair: Repair, { operations, exhausted }: Ranges.RangePage): Repair => {
  const [task, ...tasks] = repair.tasks
  if (task === undefined) return repair
  const compared = task.isLive ? operations.filter((operation) => !isTombstone(operation)) : operations
  const split = Ranges.add(repair.split ?? Ranges.split(task.range), compared)
  const last = operations.at(-1)
  if (!exhausted && last !== undefined) return { ...repair, split, at: Ranges.positionOf(last) }
  const done: Repair = { ...repair, tasks, split: undefined, at: undefined, isTelling: task.isLive }
  const verdict: Ranges.Verdict =
    task.theirs === undefined ? { _tag: "Tell", parts: Ranges.partsOf(split) } : Ranges.compare(task.theirs, split)
  if (verdict._tag === "Equal") return done
  if (verdict._tag === "Tell" && repair.announced.length + verdict.parts.length <= bounds.ranges) {
    return { ...done, announced: [...repair.announced, ...verdict.parts.map((part) => ({ ...part, settle: false }))] }
  }
  return {
    ...done,
    announced: [...repair.announced, { ...task.range, ...Ranges.summaryOf(split), settle: true }],
    settling: [...repair.settling, task.range].slice(0, bounds.ranges)
  }
}

/**
 * Tells what there is to tell, in as many frames as it takes; the parts of one split, with which a dialogue begins, in
 * one.
 */
const announce = (session: Session): Step => {
  const { repair } = session
  const round = repair.round + 1
  const frames: Array<Array<string>> = []
  let frame: Array<string> = []
  let bytes = 0
  for (const text of repair.announced.map(Wire.rangeToWire)) {
    const isFull = bytes + text.length > frameBytes(session) - envelopeBytes && frame.length >= Ranges.fanOut
    if (isFull || frames.length === 0) {
      frames.push((frame = []))
      bytes = 0
    }
    frame.push(text)
    bytes += text.length + 1
  }
  return [
    { ...session, repair: { ...repair, round, announced: [] } },
    frames.map((ranges): Action => ({
      _tag: "Send",
      text: Wire.encodeRanges(round, ranges, repair.isTelling),
      operations: 0
    }))
  ]
}

/** Sends the rows of the first settled range. */
const send = (session: Session, { operations, exhausted }: Ranges.RangePage): Step => {
  const { repair, outbound, takes } = session
  const [range, ...settling] = repair.settling
  if (range === undefined) return [session, []]
  const room = frameBytes(session) - envelopeBytes
  const wanted = operations.filter((operation) => !isCollectedThere(session, operation))
  const { changes, bytes, taken, tooLarge } = Wire.fill(wanted, room, takes.operation)
  const last = taken === wanted.length ? operations.at(-1) : wanted[taken - 1]
  const isDone = last === undefined || (exhausted && taken === wanted.length)
  const left = isDone ? settling : [{ ...range, after: Ranges.positionOf(last) }, ...settling]
  const deferral = Deferral.add(outbound.deferral, tooLarge)
  const next: Session = { ...session, outbound: { ...outbound, deferral }, repair: { ...repair, settling: left } }
  if (changes.length === 0) return [next, []]
  const frame = { seq: outbound.seq, more: !outbound.complete, fresh: false, through: VectorClock.empty }
  const text = Wire.encodeData(frame, changes)
  return [
    { ...next, outbound: counted(next.outbound, bytes, changes.length) },
    [{ _tag: "Send", text, operations: changes.length }]
  ]
}
