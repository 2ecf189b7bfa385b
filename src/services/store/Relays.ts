/**
 * The writes that this node and its peers wait for, and which nodes have them: where those who wait and the sessions
 * meet. It is never on the disk: a question that is still open is asked again after a restart.
 */
import { Effect, PubSub, type Scope, Stream } from "effect"
import type { Acknowledgement } from "../../core/replica/Acknowledgement.ts"
import * as Hlc from "../../core/replica/Hlc.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import * as Relayed from "../../core/replica/Relayed.ts"

export interface Relays {
  /** Asks all peers, for the length of the scope, which nodes have a write. */
  ask(hlc: Hlc.Hlc): Effect.Effect<void, never, Scope.Scope>
  /** The nodes that have it, as peers tell. */
  holders(hlc: Hlc.Hlc): Effect.Effect<Relayed.Words>
  /** A session with a peer begins: until its scope ends, it asks and answers. `link` names the session. */
  join(link: number, peer: NodeId): Effect.Effect<void>
  leave(link: number): Effect.Effect<void>
  /** The peer asked or told something. Without `questions` it asks as before. */
  receive(
    link: number,
    questions: Relayed.Questions | undefined,
    words: ReadonlyArray<Relayed.Told>
  ): Effect.Effect<void>
  /** What the peer of a session is to be asked and told. */
  due(link: number): Effect.Effect<Pick<Relayed.Peer, "questions" | "answers">>
  /** Comes when that may have changed. */
  readonly changes: Stream.Stream<void>
}

/** `told` is done when other nodes are known to have something. */
export const make = Effect.fnUntraced(function* (
  self: NodeId,
  acknowledgements: Effect.Effect<ReadonlyArray<Acknowledgement>>,
  told: Effect.Effect<void>
) {
  const waits = new Map<string, number>()
  const peers = new Map<number, Relayed.Peer>()
  const news = yield* Effect.acquireRelease(PubSub.sliding<void>(1), PubSub.shutdown)
  const publish = Effect.sync(() => void PubSub.publishUnsafe(news, undefined))
  const isAsked = (): boolean => waits.size > 0 || [...peers.values()].some(({ questions }) => questions.size > 0)

  const known = (acknowledgements: ReadonlyArray<Acknowledgement> = []): Relayed.Known => ({
    self,
    own: new Map([...waits.keys()].map((text) => [text, Relayed.limits.hops])),
    peers,
    acknowledgements
  })
  const count = (text: string, by: 1 | -1) =>
    Effect.suspend(() => {
      const sum = (waits.get(text) ?? 0) + by
      if (sum === 0) waits.delete(text)
      else waits.set(text, sum)
      return publish
    })

  const relays: Relays = {
    ask: (hlc) => {
      const text = Hlc.toText(hlc)
      return Effect.acquireRelease(count(text, 1), () => count(text, -1))
    },
    holders: (hlc) => Effect.sync(() => Relayed.wordsOf(peers, Hlc.toText(hlc))),
    join: (link, node) =>
      Effect.suspend(() => {
        peers.set(link, { node, questions: Relayed.none, answers: Relayed.none })
        return isAsked() ? publish : Effect.void
      }),
    leave: (link) =>
      Effect.suspend(() => {
        const peer = peers.get(link)
        peers.delete(link)
        return peer !== undefined && (peer.questions.size > 0 || peer.answers.size > 0) ? publish : Effect.void
      }),
    receive: (link, questions, words) =>
      Effect.suspend(() => {
        const peer = peers.get(link)
        if (peer === undefined) return Effect.void
        const answers = Relayed.withAnswers(peer.answers, Relayed.questionsFor(known(), link), words)
        peers.set(link, { ...peer, questions: questions ?? peer.questions, answers })
        return words.length > 0 ? Effect.andThen(told, publish) : publish
      }),
    due: (link) =>
      Effect.map(acknowledgements, (all) => ({
        questions: Relayed.questionsFor(known(), link),
        answers: Relayed.answersFor(known(all), link)
      })),
    changes: Stream.fromPubSub(news)
  }
  /** Another node has acknowledged something. */
  const heard = Effect.suspend(() =>
    [...peers.values()].some(({ questions }) => questions.size > 0) ? publish : Effect.void
  )
  return { relays, heard }
})
