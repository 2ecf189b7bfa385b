/**
 * One exchange with an existing FERAL node (form 1), in either role, as a state machine without I/O. It takes the events and
 * makes the actions of a session (`session/State.ts`), and is run in the same way.
 *
 * An exchange is: `sync_request`, `sync_response`, the dialler's operations, the server's operations, the end. What makes it hard
 * is what the old nodes do not say:
 *
 * - **They ask with one mark for all origins.** An early node sends what is after *our mark for its own id*, whatever the origin.
 *   So that it skips nothing, we report for its id the lowest of our marks over the origins where it is ahead of us.
 * - **Their clock does not show what they hold.** It is empty after a restart. On the first contact, and when the clock has shrunk,
 *   we ask for everything.
 * - **Their word about third origins proves nothing.** What they relay is merged, but only the mark of the peer's own origin moves.
 * - **The newest drop what carries no scope that they granted**, and say nothing. When a clock shows that nothing was taken, the
 *   status says so, and one operation at a time is offered until it is.
 * - **They take little at a time.** An early node takes one frame under 1 MiB; the rest goes in the next exchange.
 */
import { HashMap, Option, Redacted, Result } from "effect"
import { PassphraseMismatch, PassphraseUnset, PeerTimeout, ProtocolViolation, type SessionFailure } from "../Failure.ts"
import { isSamePassphrase, type Role } from "../Handshake.ts"
import * as Hlc from "../Hlc.ts"
import { type NodeId, utf8Length } from "../NodeId.ts"
import type { Delta, DeltaRequest, Snapshot } from "../Replica.ts"
import type { Action, Event, View } from "../session/State.ts"
import * as VectorClock from "../VectorClock.ts"
import * as Wire from "./Wire.ts"

/** What we remember of an old node from one exchange to the next. */
export interface Memory {
  /** Its clock, as it last reported it. */
  readonly clock: VectorClock.VectorClock
  /** Whether it has shown that it is of the newest generation. */
  readonly isNewest: boolean
  /** What it was sent last time, by origin; empty while we did not know how to label it. */
  readonly sent: VectorClock.VectorClock
  /** Whether it took nothing of that: no scope is granted to us. From then on one operation is offered at a time. */
  readonly takesNothing: boolean
}

export interface Options {
  readonly role: Role
  readonly self: NodeId
  readonly passphrase: Redacted.Redacted<string>
  /** How the peer is called before its id is known. */
  readonly remote: string
  /** Who is expected to answer, where that is known. */
  readonly expected: NodeId | undefined
  readonly memories: ReadonlyMap<NodeId, Memory>
  /** The scope that operations for the newest nodes are labelled with. */
  readonly scope: string | undefined
  readonly maxFrameBytes: number
  readonly maxDriftMs: number
}

/** How long we wait for a message (ms). An old node writes what it got, slowly, before it answers. */
const patience = { greeting: 10_000, data: 120_000 } as const

export interface Exchange {
  readonly options: Options
  /** What we wait for, or what we do. */
  readonly phase: "greeting" | "receiving" | "sending" | "closed"
  readonly since: number
  readonly peer: NodeId | undefined
  readonly local: Snapshot
  /** The peer's clock as it reported it, and with all that it sent or was sent. */
  readonly reported: VectorClock.VectorClock
  readonly known: VectorClock.VectorClock
  /** The mark that we reported for the peer's own id, and the one that we should have. */
  readonly asked: Hlc.Reading
  readonly needed: Hlc.Reading
  readonly isNewest: boolean
  readonly takesNothing: boolean
  /** Whether what was sent was sent in the way that the newest understand. */
  readonly isLabelled: boolean
  readonly held: HashMap.HashMap<NodeId, Hlc.Reading>
  /** The greatest reading of the peer's own that it sent. */
  readonly ownTop: Hlc.Reading
  /** Frames that are being committed. The last one ends what the peer sends. */
  readonly committing: ReadonlyArray<{ readonly last: boolean }>
  readonly reading: DeltaRequest | undefined
  readonly cursors: ReadonlyArray<readonly [NodeId, Hlc.Reading]>
  readonly seq: number
  readonly sent: number
  readonly received: number
  /** Whether something is left for another exchange. */
  readonly isLeft: boolean
}

export type Step = readonly [Exchange, ReadonlyArray<Action>]

/** An exchange before anything happened. */
export const initial = (options: Options, local: Snapshot, now: number): Exchange => ({
  options,
  phase: "greeting",
  since: now,
  peer: undefined,
  local,
  reported: VectorClock.empty,
  known: VectorClock.empty,
  asked: Hlc.zero,
  needed: Hlc.zero,
  isNewest: false,
  takesNothing: false,
  isLabelled: false,
  held: HashMap.empty(),
  ownTop: Hlc.zero,
  committing: [],
  reading: undefined,
  cursors: [],
  seq: 0,
  sent: 0,
  received: 0,
  isLeft: false
})

/** The first step: the dialler speaks first. */
export const open = (exchange: Exchange): Step => {
  const { options, local } = exchange
  if (options.role === "server") return [exchange, []]
  // Who will answer, and what it will report, is not known yet: what it reported last time is the best guess.
  const memory = options.expected === undefined ? undefined : options.memories.get(options.expected)
  const asked =
    memory === undefined || options.expected === undefined
      ? Hlc.zero
      : markFor(local.clock, memory.clock, options.expected, options.self)
  const clock =
    options.expected === undefined ? VectorClock.empty : VectorClock.withEntry(local.clock, options.expected, asked)
  const text = Wire.encode({
    type: "sync_request",
    nodeId: options.self,
    clock,
    passphrase: Redacted.value(options.passphrase)
  })
  return [{ ...exchange, asked }, [send(text)]]
}

/**
 * The mark to report to a node for its own id: the lowest of our marks over the origins where it is ahead of us; its own mark
 * where it is ahead nowhere.
 */
export const markFor = (
  ours: VectorClock.VectorClock,
  theirs: VectorClock.VectorClock,
  peer: NodeId,
  self: NodeId
): Hlc.Reading => {
  let lowest: Hlc.Reading | undefined
  for (const [node, reading] of HashMap.entries(theirs)) {
    const mark = VectorClock.get(ours, node)
    if (node === self || !Hlc.isAfter(reading, mark)) continue
    if (lowest === undefined || Hlc.isAfter(lowest, mark)) lowest = mark
  }
  return lowest ?? VectorClock.get(theirs, peer)
}

/** What happens next. */
export const step = (exchange: Exchange, event: Event): Step => {
  if (exchange.phase === "closed") return [exchange, []]
  switch (event._tag) {
    case "Received":
      return Result.match(Wire.decode(event.text), {
        onFailure: (failure) => end(exchange, failure),
        onSuccess: (message) => onMessage(exchange, message, event.now)
      })
    case "Delta":
      return event.request === exchange.reading ? onDelta(exchange, event.delta, event.now) : [exchange, []]
    case "Committed":
      return onCommitted(exchange, event.snapshot, event.now)
    case "Tick":
      return event.now < deadline(exchange)
        ? [exchange, []]
        : end(exchange, new PeerTimeout({ waitedFor: "answer", seconds: (event.now - exchange.since) / 1000 }))
    case "Stop":
      return [
        { ...exchange, phase: "closed" },
        [{ _tag: "Close", code: event.code, reason: event.reason, failure: undefined }]
      ]
    case "Alive":
    case "Changed":
    case "Compare":
    case "Scanned":
      return [exchange, []]
  }
}

/** When a `Tick` is wanted at the latest (ms). */
export const deadline = ({ phase, since }: Exchange): number =>
  phase === "closed" ? Infinity : since + (phase === "greeting" ? patience.greeting : patience.data)

const onMessage = (exchange: Exchange, message: Wire.Message, now: number): Step => {
  const { options, phase } = exchange
  switch (message.type) {
    case "sync_error":
      return end(exchange, failureOf(message, exchange.peer ?? options.remote))
    case "sync_request":
      return phase === "greeting" && options.role === "server"
        ? onRequest(exchange, message, now)
        : unexpected(exchange, message)
    case "sync_response":
      return phase === "greeting" && options.role === "dialler"
        ? onResponse(exchange, message, now)
        : unexpected(exchange, message)
    case "sync_data":
      return phase === "receiving" ? onData(exchange, message, now) : unexpected(exchange, message)
  }
}

const unexpected = (exchange: Exchange, { type }: Wire.Message): Step =>
  end(exchange, new ProtocolViolation({ detail: `${type} out of turn` }))

const onRequest = (exchange: Exchange, request: Wire.Request, now: number): Step => {
  const { options, local } = exchange
  if (!isSamePassphrase(Redacted.value(options.passphrase), request.passphrase)) {
    const failure =
      request.passphrase === ""
        ? new PassphraseUnset({ by: options.remote })
        : new PassphraseMismatch({ by: "this node" })
    return end(
      exchange,
      failure,
      Wire.encode({ type: "sync_error", message: "Invalid passphrase", reason: "invalid_passphrase" })
    )
  }
  const [met, established] = meet(exchange, request.nodeId, request.clock, now)
  const clock = VectorClock.withEntry(local.clock, request.nodeId, met.needed)
  return [
    { ...met, asked: met.needed, phase: "receiving" },
    [send(Wire.encode({ type: "sync_response", nodeId: options.self, clock })), established]
  ]
}

const onResponse = (exchange: Exchange, response: Wire.Response, now: number): Step => {
  const [met, established] = meet(exchange, response.nodeId, response.clock, now)
  // Asked as somebody else's: then the mark that we reported was not one for this node.
  const asked = exchange.options.expected === response.nodeId ? met.asked : Hlc.zero
  const [sending, actions] = readOn(startSending({ ...met, asked }), now)
  return [sending, [established, ...actions]]
}

/** Notes who is there. */
const meet = (
  exchange: Exchange,
  peer: NodeId,
  clock: VectorClock.VectorClock,
  now: number
): readonly [Exchange, Action] => {
  const { options, local } = exchange
  const memory = options.memories.get(peer)
  const isFresh = memory === undefined || !VectorClock.includes(clock, memory.clock)
  return [
    {
      ...exchange,
      since: now,
      peer,
      reported: clock,
      known: clock,
      needed: isFresh ? Hlc.zero : markFor(local.clock, clock, peer, options.self),
      isNewest: memory?.isNewest ?? false,
      takesNothing: memory !== undefined && tookNothing(memory, clock)
    },
    { _tag: "Established", peer }
  ]
}

const onData = (exchange: Exchange, data: Wire.Data, now: number): Step => {
  const { options, peer } = exchange
  let held = exchange.held
  let ownTop = exchange.ownTop
  const operations = data.operations.filter(({ hlc }) => {
    if (hlc.node === peer) ownTop = Hlc.latest(ownTop, hlc)
    if (Hlc.isDrifting(hlc, now, options.maxDriftMs) && !HashMap.has(held, hlc.node)) {
      held = HashMap.set(held, hlc.node, { wall: hlc.wall, counter: hlc.counter })
    }
    return !HashMap.has(held, hlc.node)
  })
  const next: Exchange = {
    ...exchange,
    since: now,
    held,
    ownTop,
    isNewest: exchange.isNewest || data.isNewest,
    received: exchange.received + operations.length,
    known: VectorClock.merge(exchange.known, VectorClock.fromEntries(operations.map(({ hlc }) => [hlc.node, hlc]))),
    committing: [...exchange.committing, { last: !data.more }]
  }
  const through = data.more ? VectorClock.empty : claim(next)
  const quarantined = peer === undefined ? [] : data.malformed.map((malformed) => ({ peer, ...malformed }))
  return [next, [{ _tag: "Commit", batch: { operations, through, quarantined } }]]
}

/** What may be claimed when the peer has sent everything after the mark that it was asked with: its own history. */
const claim = ({ peer, asked, local, reported, ownTop, held }: Exchange): VectorClock.VectorClock => {
  if (peer === undefined || !HashMap.isEmpty(held)) return VectorClock.empty
  if (Hlc.isAfter(asked, VectorClock.get(local.clock, peer))) return VectorClock.empty
  const { wall, counter } = Hlc.latest(VectorClock.get(reported, peer), ownTop)
  return VectorClock.fromEntries([[peer, { wall, counter }]])
}

const onCommitted = (exchange: Exchange, local: Snapshot, now: number): Step => {
  const [frame, ...committing] = exchange.committing
  if (frame === undefined) return [exchange, []]
  const next = { ...exchange, local, committing, since: now }
  if (!frame.last) return [next, []]
  return exchange.options.role === "dialler" ? done(next) : readOn(startSending(next), now)
}

/** Everything that the peer does not show to have. */
const startSending = (exchange: Exchange): Exchange => {
  const { local, known, peer } = exchange
  const cursors = Array.from(HashMap.keys(VectorClock.difference(local.tops, known)))
    .filter((node) => node !== peer)
    .map((node) => [node, VectorClock.get(known, node)] as const)
  return { ...exchange, phase: "sending", cursors, isLabelled: exchange.isNewest }
}

const readOn = (exchange: Exchange, now: number): Step => {
  const { cursors, local, isNewest, takesNothing, options } = exchange
  if (cursors.length === 0) return sendFrame(exchange, [], false, now)
  const request: DeltaRequest = {
    from: cursors,
    since: local.version,
    maxBytes: isNewest ? options.maxFrameBytes : Wire.maxFrameBytes,
    maxOperations: takesNothing ? 1 : 20_000
  }
  return [{ ...exchange, reading: request }, [{ _tag: "Read", request }]]
}

const onDelta = (exchange: Exchange, { operations, exhausted }: Delta, now: number): Step => {
  const { options, isNewest, cursors } = exchange
  const limit = isNewest ? options.maxFrameBytes - 256 : Wire.maxFrameBytes
  const changes: Array<string> = []
  let bytes = 0
  for (const operation of operations) {
    const text = Wire.operationText(operation, isNewest ? options.scope : undefined)
    const size = utf8Length(text) + 1
    if (bytes + size > limit && (changes.length > 0 || !isNewest)) break
    changes.push(text)
    bytes += size
  }
  const sent = operations.slice(0, changes.length)
  const isCut = sent.length < operations.length
  const last = new Map(sent.map(({ hlc }) => [hlc.node, hlc]))
  const first = operations[sent.length]
  const rest = cursors.flatMap(([node, from], index) => {
    const isDone = isCut ? cursors.findIndex(([origin]) => origin === first?.hlc.node) > index : index < exhausted
    return isDone ? [] : [[node, Hlc.latest(from, last.get(node) ?? from)] as const]
  })
  const known = VectorClock.merge(exchange.known, VectorClock.fromEntries(sent.map(({ hlc }) => [hlc.node, hlc])))
  const isLeft = rest.length > 0 && !exchange.takesNothing
  return sendFrame({ ...exchange, known, cursors: rest, reading: undefined }, changes, isLeft, now)
}

const sendFrame = (exchange: Exchange, changes: ReadonlyArray<string>, isLeft: boolean, now: number): Step => {
  const { isNewest, options, seq } = exchange
  const text = isNewest ? Wire.numberedFrame(changes, seq, isLeft) : Wire.onlyFrame(changes)
  const action: Action = { _tag: "Send", text, operations: changes.length }
  const next = { ...exchange, seq: seq + 1, sent: exchange.sent + changes.length, since: now }
  if (isLeft && isNewest && changes.length > 0) {
    const [after, actions] = readOn(next, now)
    return [after, [action, ...actions]]
  }
  const finished = { ...next, isLeft: isLeft && changes.length > 0 }
  if (options.role === "dialler") return [{ ...finished, phase: "receiving" }, [action]]
  const [closed, actions] = done(finished)
  return [closed, [action, ...actions]]
}

/** The end, in good order: what was learned is kept for the next time. */
const done = (exchange: Exchange): Step => [
  { ...exchange, phase: "closed" },
  [{ _tag: "Close", code: 1000, reason: "", failure: undefined }]
]

/** How an exchange is, for `status`. */
export const view = ({ phase, peer, since, held }: Exchange): View => ({
  peer,
  state: phase === "greeting" ? "connecting" : "syncing",
  lag: undefined,
  offset: undefined,
  lastSyncAt: phase === "closed" ? since : undefined,
  held,
  diverged: false,
  repair: undefined
})

/** Whether a node, by the clock that it reports now, took nothing of what it was sent last time. */
const tookNothing = ({ sent, clock, takesNothing }: Memory, reported: VectorClock.VectorClock): boolean =>
  HashMap.isEmpty(sent)
    ? takesNothing
    : HashMap.every(sent, (_, node) => !Hlc.isAfter(VectorClock.get(reported, node), VectorClock.get(clock, node)))

/** What to remember of the peer; none when it was not met. */
export const remember = (exchange: Exchange): Option.Option<readonly [NodeId, Memory]> => {
  const { peer, reported, isNewest, isLabelled, takesNothing, known } = exchange
  if (peer === undefined) return Option.none()
  const sent = isLabelled ? VectorClock.difference(known, reported) : VectorClock.empty
  return Option.some([peer, { clock: reported, isNewest, takesNothing, sent }])
}

/** Whether to go on at once: something is left to send, or we asked with too high a mark. */
export const isUnfinished = ({ isLeft, asked, needed }: Exchange): boolean => isLeft || Hlc.isAfter(asked, needed)

const end = (exchange: Exchange, failure: SessionFailure, text?: string): Step => [
  { ...exchange, phase: "closed" },
  [...(text === undefined ? [] : [send(text)]), { _tag: "Close", code: 1008, reason: "", failure }]
]

const send = (text: string): Action => ({ _tag: "Send", text, operations: 0 })

const failureOf = ({ message, reason }: Wire.Refusal, by: string): SessionFailure => {
  if (reason === "passphrase_unset") return new PassphraseUnset({ by })
  if (reason === "invalid_passphrase" || /passphrase/i.test(message)) return new PassphraseMismatch({ by })
  return new ProtocolViolation({ detail: `${by} says: ${message === "" ? reason : message}` })
}
