/**
 * The state of an exchange with an existing FERAL node (`V1Exchange.ts`): what it knows of the other side, and what of
 * that is remembered for the next one.
 */
import { HashMap, Option, type Redacted } from "effect"
import type { SessionFailure } from "../SyncFailure.ts"
import * as Hlc from "../../replica/Hlc.ts"
import type { Slot } from "../../replica/Merge.ts"
import type { NodeId } from "../../replica/NodeId.ts"
import type { Barred } from "../Barred.ts"
import type { Operation } from "../../replica/Operation.ts"
import type { DeltaRequest, Snapshot } from "../../replica/Replica.ts"
import type { Action, View } from "../SessionEvents.ts"
import type { CommonOptions } from "../SessionOptions.ts"
import * as VectorClock from "../../replica/VectorClock.ts"
import * as V1Memory from "./V1Memory.ts"
import type { Changes, Data, Request, Response } from "./V1Wire.ts"

export interface Options extends CommonOptions {
  readonly passphrase: Redacted.Redacted<string>
  /** While the passphrase is being changed: the one before, which a dialler may still show. */
  readonly previous?: Redacted.Redacted<string> | undefined
  /** The memory of earlier exchanges with the node that is expected to answer. */
  readonly expectedMemory?: V1Memory.Memory | undefined
  /** The scope that operations for the newest nodes are labelled with. */
  readonly scope: string | undefined
}

/** What this node knows of a peer by its id. */
export interface PeerRecord {
  /** Why it is not let in, where it is not. */
  readonly barred?: Barred | undefined
  /** The memory of earlier exchanges with it. */
  readonly memory: V1Memory.Memory | undefined
  /** The scopes under which rows came, where they are others than ours. */
  readonly scopes: ReadonlyMap<Slot, string>
  /** Operations that came here after the clock of the peer had passed them: it shows to have them, and does not. */
  readonly late: ReadonlyMap<Slot, Operation>
}

/** Of a peer that was never met. */
export const noRecord: PeerRecord = { memory: undefined, scopes: new Map(), late: new Map() }

/** How long we wait for a message (ms). An old node writes what it got, slowly, before it answers. */
const patience = { greeting: 10_000, data: 120_000 } as const

export interface Exchange {
  readonly options: Options
  /** The phase of the exchange. */
  readonly phase: "greeting" | "identifying" | "receiving" | "sending" | "closed"
  readonly since: number
  readonly peer: NodeId | undefined
  /** The greeting that is gone on with once its sender is identified. */
  readonly identifying: Request | Response | undefined
  /** The scopes under which rows came, where they are others than ours. */
  readonly rowScopes: ReadonlyMap<Slot, string>
  readonly local: Snapshot
  /** The memory of earlier exchanges with it. */
  readonly memory: V1Memory.Memory
  /** The peer's clock as it reported it, and with all that it sent or was sent. */
  readonly reported: VectorClock.VectorClock
  readonly known: VectorClock.VectorClock
  /** The clock that the peer was asked with, and the one that would have been right. */
  readonly asked: V1Memory.Question
  readonly needed: V1Memory.Question
  readonly isNewest: boolean
  readonly takesNothing: boolean
  /** Whether what was sent was sent in the way that the newest understand. */
  readonly isLabelled: boolean
  readonly deferred: HashMap.HashMap<NodeId, Hlc.Timestamp>
  /** The first operation of each origin that the quota for rows of unknown kinds kept out. */
  readonly overQuota: VectorClock.VectorClock
  /**
   * Whether operations of new origins were not taken, because there are too many. While it is so, nothing can be
   * claimed.
   */
  readonly isLeavingOut: boolean
  /** The greatest timestamp of each origin that it sent. */
  readonly received: VectorClock.VectorClock
  /** The frame that is being committed piece by piece, and those that wait. */
  readonly taking: { readonly rest: Changes | undefined; readonly more: boolean } | undefined
  readonly waiting: ReadonlyArray<Data>
  /** Whether the last piece of the last frame is committed. */
  readonly isAllReceived: boolean
  readonly inFlight: DeltaRequest | undefined
  readonly cursors: ReadonlyArray<readonly [NodeId, Hlc.Timestamp]>
  readonly seq: number
  /** The sent operations that it had never shown to have. */
  readonly sentNews: VectorClock.VectorClock
  /** The operations sent to an early node, by row. */
  readonly sentRows: ReadonlyMap<Slot, Operation>
  readonly tooLarge: ReadonlyMap<Slot, V1Memory.TooLarge>
  /** What is to be sent whatever its clock says: winners over what it was sent before, and what came late. */
  readonly returns: ReadonlyMap<Slot, Operation>
  readonly late: ReadonlyMap<Slot, Operation>
  /** The scope of each row that it sent, with the timestamp of the operation that had it. */
  readonly labels: ReadonlyMap<Slot, { readonly scope: string; readonly hlc: Hlc.Hlc }>
  readonly scopes: ReadonlySet<string>
  readonly quarantined: ReadonlySet<string>
  readonly counts: {
    readonly sent: number
    readonly received: number
    /** Characters of the frames of operations that came. */
    readonly characters: number
    /** Frames in a row that carried nothing. */
    readonly empties: number
  }
  /** Whether something is left for another exchange. */
  readonly hasUnsent: boolean
}

export type Step = readonly [Exchange, ReadonlyArray<Action>]

/** Asks for everything, and claims nothing. */
export const everything: V1Memory.Question = { clock: VectorClock.empty, isWhole: true }

/** An exchange before anything happened. */
export const initial = (options: Options, local: Snapshot, now: number): Exchange => ({
  options,
  phase: "greeting",
  since: now,
  peer: undefined,
  identifying: undefined,
  rowScopes: new Map(),
  local,
  memory: V1Memory.none,
  reported: VectorClock.empty,
  known: VectorClock.empty,
  asked: everything,
  needed: everything,
  isNewest: false,
  takesNothing: false,
  isLabelled: false,
  deferred: HashMap.empty(),
  overQuota: VectorClock.empty,
  isLeavingOut: false,
  received: VectorClock.empty,
  taking: undefined,
  waiting: [],
  isAllReceived: false,
  inFlight: undefined,
  cursors: [],
  seq: 0,
  sentNews: VectorClock.empty,
  sentRows: new Map(),
  tooLarge: new Map(),
  returns: new Map(),
  late: new Map(),
  labels: new Map(),
  scopes: new Set(),
  quarantined: new Set(),
  counts: { sent: 0, received: 0, characters: 0, empties: 0 },
  hasUnsent: false
})

/** When a `Tick` is wanted at the latest (ms). */
export const deadline = ({ phase, since }: Exchange): number =>
  phase === "closed" ? Infinity : since + (phase === "greeting" ? patience.greeting : patience.data)

/**
 * What may be claimed when the peer has sent everything after the mark that it was asked with: its own history. The
 * newest hold rows back, and do not say so: of theirs, only what came.
 */
export const coverage = ({
  peer,
  asked,
  local,
  reported,
  received,
  isNewest,
  deferred
}: Exchange): VectorClock.VectorClock => {
  if (peer === undefined || !HashMap.isEmpty(deferred)) return VectorClock.empty
  if (Hlc.isAfter(VectorClock.get(asked.clock, peer), VectorClock.get(local.vectorClock, peer)))
    return VectorClock.empty
  const ownTop = VectorClock.get(received, peer)
  const { wall, counter } = isNewest ? ownTop : Hlc.latest(VectorClock.get(reported, peer), ownTop)
  return VectorClock.fromEntries([[peer, { wall, counter }]])
}

/**
 * Whether the peer has sent all that it had: it was asked for no less than was needed, and all of it could be taken.
 */
const isComplete = ({ peer, asked, needed, deferred, isLeavingOut }: Exchange): boolean =>
  peer !== undefined &&
  !isLeavingOut &&
  HashMap.isEmpty(deferred) &&
  !Hlc.isAfter(VectorClock.get(asked.clock, peer), VectorClock.get(needed.clock, peer)) &&
  (asked.isWhole || !needed.isWhole)

/** The new memory of the peer, and the scopes of the rows that it sent. */
export interface Remembered {
  readonly peer: NodeId
  readonly memory: V1Memory.Memory
  readonly labels: Exchange["labels"]
  /** What came late and is taken care of. */
  readonly late: Exchange["late"]
}

/** What to remember of the peer; none when it was not met. */
export const remember = (exchange: Exchange, now: number): Option.Option<Remembered> => {
  const { peer, memory, reported, received, asked, counts, labels, scopes } = exchange
  if (peer === undefined) return Option.none()
  const isDone = isComplete(exchange)
  const isWhole = isDone && asked.isWhole
  return Option.some({
    peer,
    labels,
    late: exchange.late,
    memory: {
      clock: reported,
      complete: isDone ? reported : memory.complete,
      received: isDone ? VectorClock.merge(memory.received, received) : memory.received,
      shown: [reported, received].reduce(VectorClock.merge, memory.shown),
      isNewest: exchange.isNewest,
      sent: exchange.isLabelled ? exchange.sentNews : VectorClock.empty,
      takesNothing: exchange.takesNothing,
      scopes: new Set([...memory.scopes, ...scopes].slice(0, V1Memory.kept.scopes)),
      hasNewScope: isWhole ? false : memory.hasNewScope || hasNewScope(exchange),
      wholeAt: isWhole ? now : memory.wholeAt,
      wholeSize: isWhole ? counts.characters : memory.wholeSize,
      tooLarge: exchange.tooLarge,
      returns: [...exchange.returns.values()],
      sentRows: isDone ? new Map() : exchange.sentRows,
      quarantined: new Set([...exchange.quarantined].slice(-V1Memory.kept.quarantined))
    }
  })
}

/** Whether the peer used a scope that it never used before: it may have granted it after it had withheld rows of it. */
const hasNewScope = ({ memory, scopes }: Exchange): boolean =>
  memory.scopes.size < V1Memory.kept.scopes && [...scopes].some((scope) => !memory.scopes.has(scope))

/** Whether to go on at once: something is left to send, or was not asked for. */
export const isUnfinished = (exchange: Exchange): boolean =>
  exchange.hasUnsent ||
  (exchange.returns.size > 0 && !exchange.takesNothing) ||
  (HashMap.isEmpty(exchange.deferred) && !exchange.isLeavingOut && !isComplete(exchange))

/** How an exchange is, for `status`. */
export const view = ({ options, phase, peer, since, deferred }: Exchange): View => ({
  peer,
  aliveAt: since,
  provedAt: since,
  state: phase === "greeting" || phase === "identifying" ? "connecting" : "syncing",
  lag: undefined,
  offset: undefined,
  lastSyncAt: phase === "closed" ? since : undefined,
  deferred,
  leftOut: undefined,
  deferredOwn: undefined,
  diverged: false,
  usesPrevious: options.isPrevious === true,
  repair: undefined
})

/** The end without a failure: the new memory is kept for the next exchange. */
export const done = (exchange: Exchange): Step => [
  { ...exchange, phase: "closed" },
  [{ _tag: "Close", code: 1000, reason: "", failure: undefined }]
]

export const end = (exchange: Exchange, failure: SessionFailure, text?: string): Step => [
  { ...exchange, phase: "closed" },
  [...(text === undefined ? [] : [send(text)]), { _tag: "Close", code: 1008, reason: "", failure }]
]

export const send = (text: string): Action => ({ _tag: "Send", text, operations: 0 })
