/** What this side says of itself when a session begins, and when the pump of an open session is to start again. */
import { HashMap, Option, Redacted } from "effect"
import * as Cut from "../replica/Cut.ts"
import { type NodeId, utf8Length } from "../replica/NodeId.ts"
import { holdingOf, type Holdings, noHoldings, type Snapshot } from "../replica/Replica.ts"
import * as VectorClock from "../replica/VectorClock.ts"
import * as Coverage from "./Coverage.ts"
import * as Handshake from "./Handshake.ts"
import * as Repair from "./Repair.ts"
import type { Action } from "./SessionEvents.ts"
import { envelopeBytes } from "./SessionLimits.ts"
import { takesOf } from "./SessionOptions.ts"
import type { Session } from "./SessionState.ts"
import { digestsOf, ruleFeature } from "./ToldDigest.ts"
import * as Wire from "./Wire.ts"

/** The features of this side. A side with revision 1 has a version that knows no kinds of applications. */
const featuresOf = ({ revision }: Session["options"]): ReadonlyArray<string> =>
  revision === 2 ? [Repair.feature, ruleFeature] : [Repair.feature]

/**
 * Our greeting. The server's answer is the first in which both node ids are known. To a side that has not proved itself
 * it says nothing but the proof, where both sides can begin like that.
 */
export const hello = (
  session: Session,
  type: Wire.Hello["type"],
  now: number,
  clockHash?: string
): ReadonlyArray<Action> => {
  const { options, local, phase, peer } = session
  const isFirst = phase === "opening" || type === "sync_response"
  const isHashed = options.revision === 2 && (clockHash !== undefined || isFirst)
  const features = options.isProbe === true ? [Wire.probe] : []
  const proof = isFirst
    ? Handshake.prove(Redacted.value(options.key), options.role, transcript(session, options.role, peer ?? ""))
    : ""
  const first = {
    type,
    nodeId: options.self,
    clock: undefined,
    proof,
    digest: Option.none(),
    rows: Option.none(),
    uncovered: noHoldings,
    features,
    time: 0
  } as const
  if (isFirst && options.role === "dialler") {
    // Revision 1 wants a clock: an empty one tells nothing, and the real one follows the proof of the server.
    const empty = { clock: VectorClock.empty, features: features.concat(featuresOf(options)), time: now }
    return [sendHello(options.revision === 2 ? first : { ...first, ...empty })]
  }
  const clock = phase === "open" ? Coverage.greetingClock(session) : clockToTell(session)
  // Until the peer has reported its limits, the smallest configurable ones apply.
  const room = options.revision !== 2 ? Infinity : isHashed && clockHash === undefined ? 2_000 : session.takes.frame / 4
  const uncovered = uncoveredOf(local, room)
  const told: Wire.Hello = {
    ...first,
    nodeId: options.revision === 2 && !isFirst ? undefined : options.self,
    // A digest is the digest of a clock: none goes with a clock that is not ours.
    ...(Coverage.isWhole(local, clock) ? digestsOf(session) : {}),
    uncovered,
    features: options.isProbe === true ? features : featuresOf(options),
    time: now,
    // A side that begins with its clock is of a version that knows no cut.
    ...(phase !== "open" && options.revision === 2 && options.isProbe !== true && local.cut
      ? { cut: Cut.toldOf(local.cut) }
      : {}),
    ...(phase === "greeting" ? { ticket: ticketFor(session), instance: instanceOf(session, now) } : {}),
    ...(options.revision === 2 ? { takes: takesOf(options) } : {})
  }
  if (isHashed) {
    // What does not fit here goes with the clock, which is asked for by a hash that no clock has.
    const isWhole = HashMap.size(uncovered) === HashMap.size(uncoveredOf(local, Infinity))
    return [sendHello({ ...told, clockHash: clockHash ?? (isWhole ? Handshake.hashOfClock(clock) : "-") })]
  }
  if (options.revision !== 2) return [sendHello({ ...told, clock })]
  const parts = Wire.partsOf(clock, session.takes.frame - room - 2 * envelopeBytes)
  return parts.map((clock, index) =>
    sendHello(index < parts.length - 1 ? { ...told, clock, uncovered: noHoldings, more: true } : { ...told, clock })
  )
}

const instanceOf = ({ options, startedAt }: Session, now: number): Wire.Hello["instance"] =>
  options.instance && { id: options.instance.id, age: Math.max(0, Math.round(options.instance.age + now - startedAt)) }

/** A node with only the old passphrase gets no ticket: it may be the one that is to be locked out. */
const ticketFor = ({ options, record }: Session): string | undefined => {
  if (options.isPrevious === true) return undefined
  return record?.ticket && Redacted.value(record.ticket)
}

const sendHello = (hello: Wire.Hello): Action => ({ _tag: "Send", text: Wire.encode(hello), operations: 0 })

/**
 * What we hold of the origins of which we have rows beyond our clock: as many of them as a greeting tells of, in `room`
 * bytes.
 */
const uncoveredOf = ({ vectorClock: clock, frontier, holdings }: Snapshot, room: number): Holdings => {
  let bytes = 0
  const fits = (node: NodeId) => (bytes += utf8Length(JSON.stringify(node)) + 40) <= room
  return HashMap.fromIterable(
    [...HashMap.keys(VectorClock.difference(frontier, clock))]
      .filter((node) => HashMap.has(holdings, node))
      .slice(0, Wire.limits.uncovered)
      .filter(fits)
      .map((node) => [node, holdingOf(holdings, node)] as const)
  )
}

/**
 * The clock of a greeting. After a restore, peers may know more of our own history than we do. So a peer that we meet
 * for the first time since the store was opened is asked for everything after that moment.
 */
export const clockToTell = (session: Session): VectorClock.VectorClock => {
  const { options, record } = session
  const clock = Coverage.greetingClock(session)
  const isMet = record === undefined ? options.isExpectedMet === true : record.isMet
  return isMet || !HashMap.has(clock, options.self)
    ? clock
    : VectorClock.withEntry(clock, options.self, options.ownTimestampAtOpen)
}

/** The input of a proof of `prover`, where `theirs` is the peer's node id. */
export const transcript = ({ options }: Session, prover: Handshake.Role, theirs: string): Handshake.Transcript => {
  const [dialler, server] = options.role === "dialler" ? [options.self, theirs] : [theirs, options.self]
  return {
    nonces: options.nonces,
    binding: Redacted.value(options.binding),
    dialler,
    server: prover === "dialler" ? "" : server
  }
}
