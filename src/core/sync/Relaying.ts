/**
 * Questions and answers about writes that a node waits for, inside a session (`core/replica/Relayed.ts`). They go with
 * acknowledgements. A session tells each word once.
 */
import { utf8Length } from "../replica/NodeId.ts"
import * as Relayed from "../replica/Relayed.ts"
import type { Action } from "./SessionEvents.ts"
import { times } from "./SessionLimits.ts"
import type { Session } from "./SessionState.ts"
import type * as Wire from "./Wire.ts"

/** A word over fewer nodes is told again: the one before may have come over too many for the peer. */
const keyOf = (hlc: string, { node, via }: Pick<Wire.Holder, "node" | "via">): string =>
  `${hlc}\0${via.length}\0${node}`

/** The part of a frame that questions may take, and the part of it that answers may take. */
const share = 8

/** As many items as fit into a part of a frame. */
const fitting = <A>(items: ReadonlyArray<A>, { takes }: Pick<Session, "takes">): ReadonlyArray<A> => {
  let bytes = 0
  return items.filter((item) => (bytes += utf8Length(JSON.stringify(item)) + 1) <= takes.frame / share)
}

/** What the peer was not told yet. */
const untold = ({ relaying: { answers, told }, now }: Session): ReadonlyArray<Wire.Holder> =>
  Array.from(answers).flatMap(([text, words]) =>
    [...words.values()].flatMap(({ node, at, via }): ReadonlyArray<Wire.Holder> =>
      told.has(keyOf(text, { node, via })) ? [] : [{ hlc: text, node, age: Math.max(0, Math.round(now - at)), via }]
    )
  )

const isAsked = ({ relaying: { questions, asked } }: Session): boolean =>
  questions.size === asked.size && Array.from(questions).every(([hlc, hops]) => asked.get(hlc) === hops)

/** Whether the peer is to be asked or told something. */
export const isDue = (session: Session): boolean => !isAsked(session) || untold(session).length > 0

/** The node has other questions or answers for the peer. They go with what else is told within a moment. */
export const onRelay = (
  session: Session,
  { questions, answers }: Pick<Relayed.Peer, "questions" | "answers">,
  now: number
): Session => {
  const { inbound } = session
  const next = { ...session, relaying: { ...session.relaying, questions, answers } }
  return isDue(next)
    ? { ...next, inbound: { ...inbound, announceAt: inbound.announceAt ?? now + times.announce } }
    : next
}

/** What the next acknowledgement says of it, and the session after that. */
export const announce = (session: Session): readonly [Session, Pick<Wire.Ack, "asks" | "holders">] => {
  if (!isDue(session)) return [session, {}]
  const { relaying, inbound, now } = session
  const all = untold(session)
  const holders = fitting(all.slice(0, Relayed.limits.words), session)
  const told = new Set([...relaying.told, ...holders.map((holder) => keyOf(holder.hlc, holder))])
  const announceAt = all.length > holders.length ? now + times.relayed : inbound.announceAt
  return [
    { ...session, relaying: { ...relaying, asked: relaying.questions, told }, inbound: { ...inbound, announceAt } },
    {
      ...(!isAsked(session) && { asks: new Map(fitting([...relaying.questions], session)) }),
      ...(holders.length > 0 && { holders })
    }
  ]
}

/** The peer asked or told something. A question that it asks again is answered again. */
export const onTold = (
  session: Session,
  { asks, holders = [] }: Pick<Wire.Ack, "asks" | "holders">
): readonly [Session, ReadonlyArray<Action>] => {
  const { peer, options, relaying, now } = session
  if (peer === undefined || (asks === undefined && holders.length === 0)) return [session, []]
  const told =
    asks === undefined
      ? relaying.told
      : new Set([...relaying.told].filter((key) => asks.has(key.slice(0, key.indexOf("\0")))))
  const words = holders.flatMap(({ hlc, node, age, via }) => {
    const word = Relayed.received(options.self, peer, { node, at: now - age, via })
    return word === undefined ? [] : [{ hlc, word }]
  })
  return [{ ...session, relaying: { ...relaying, told } }, [{ _tag: "Relayed", peer, questions: asks, words }]]
}
