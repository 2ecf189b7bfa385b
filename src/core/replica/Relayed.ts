/**
 * Acknowledgements by relay: whether a write is on nodes that this node does not meet.
 *
 * A node that waits for a write asks its peers which nodes have it. Each peer answers with the nodes that told it so
 * themselves, and asks its own peers. Nothing is sent while no node waits.
 *
 * Guarantees:
 * - A word names the nodes that it went through, first the one that heard it from the holder. Each receiver adds the
 *   peer that it got the word from, so a member that makes up holders is named with each of them.
 * - Words merge to the same in any order, and however often they come.
 * - A question ends: each node that passes it on takes one from its hops. An answer never comes back to a node that it
 *   went through.
 * - Words are for waiting and for showing. Which deletions are on all nodes follows from the own word of each
 *   (`Stability.ts`, `Cut.ts`).
 */
import { Option, Order } from "effect"
import * as Acknowledgement from "./Acknowledgement.ts"
import * as Hlc from "./Hlc.ts"
import { byCodePoint, type NodeId } from "./NodeId.ts"

/** A node has a write. */
export interface Word {
  readonly node: NodeId
  /** When it was last heard of, by the first of `via` (ms). */
  readonly at: number
  /** The nodes that passed it on, in that order; none where it comes from the node itself. */
  readonly via: ReadonlyArray<NodeId>
}

/** By node: the best word that it has a write. */
export type Words = ReadonlyMap<NodeId, Word>

/** A word about the write with an HLC, as text. */
export interface Told {
  readonly hlc: string
  readonly word: Word
}

/** The writes that a node waits for, by their HLC as text, and over how many nodes each question may still go. */
export type Questions = ReadonlyMap<string, number>
/** The nodes that have them. */
export type Answers = ReadonlyMap<string, Words>

/** What a session has brought from its peer. */
export interface Peer {
  readonly node: NodeId
  readonly questions: Questions
  readonly answers: Answers
}

/** What a node asks for itself, what its sessions have brought, and what other nodes told it themselves. */
export interface Known {
  readonly self: NodeId
  readonly own: Questions
  readonly peers: ReadonlyMap<number, Peer>
  readonly acknowledgements: ReadonlyArray<Acknowledgement.Acknowledgement>
}

/**
 * Nodes that a question goes over, questions that one node asks another at once, words of one message, and holders of
 * one write.
 */
export const limits = { hops: 4, questions: 16, words: 256, holders: 1_000 } as const

export const none: Questions & Answers = new Map<string, never>()

/** The word of fewer nodes is the better one, then the later one. */
const WordOrder: Order.Order<Word> = Order.combineAll([
  Order.mapInput(Order.Number, ({ via }: Word) => via.length),
  Order.mapInput(Order.flip(Order.Number), ({ at }: Word) => at),
  Order.mapInput(byCodePoint, ({ via }: Word) => via.join("\0"))
])

/** Of each node the better word. */
export const merge = (a: Words, b: Iterable<Word>): Words => {
  const merged = new Map(a)
  for (const word of b) {
    const before = merged.get(word.node)
    if (before === undefined || WordOrder(word, before) < 0) merged.set(word.node, word)
  }
  return merged
}

/**
 * A word as the node that got it from `peer` has it; none where it went through `self` already, or over too many nodes.
 */
export const received = (self: NodeId, peer: NodeId, { node, at, via }: Word): Word | undefined =>
  node === self || node === peer || via.includes(self) || via.includes(peer) || via.length >= limits.hops
    ? undefined
    : { node, at, via: [...via, peer] }

/**
 * What is asked over one session: the own questions, and those of the other sessions that may go on. Where there are
 * too many, each session gets its turn: one that asks much does not crowd out the others.
 */
export const questionsFor = ({ own, peers }: Known, link: number): Questions => {
  const asked = new Map(own)
  const others = Array.from(peers).flatMap(([other, { questions }]) =>
    other === link ? [] : Array.from(questions, ([hlc, hops], turn) => ({ hlc, hops: hops - 1, turn }))
  )
  for (const { hlc, hops } of others.sort((a, b) => a.turn - b.turn)) {
    if (hops > (asked.get(hlc) ?? 0)) asked.set(hlc, hops)
  }
  return new Map([...asked].slice(0, limits.questions))
}

/** The answers to the questions of one session. */
export const answersFor = ({ self, peers, acknowledgements }: Known, link: number): Answers => {
  const peer = peers.get(link)
  if (peer === undefined) return none
  const isNews = ({ node, via }: Word) => node !== peer.node && node !== self && !via.includes(peer.node)
  return new Map(
    Array.from(peer.questions.keys(), (text) => {
      const hlc = Option.getOrUndefined(Hlc.fromText(text))
      const holders = new Set(hlc && Acknowledgement.holdersOf(acknowledgements, hlc))
      const told = acknowledgements.flatMap(({ node, seenAt }): ReadonlyArray<Word> =>
        holders.has(node) ? [{ node, at: seenAt, via: [] }] : []
      )
      let words = merge(new Map(), told.filter(isNews))
      for (const [other, { answers }] of peers) {
        if (other !== link) words = merge(words, [...(answers.get(text)?.values() ?? [])].filter(isNews))
      }
      return [text, words] as const
    })
  )
}

/**
 * The words that a session has brought, with more of them. Only what was asked is taken, and of a write no more holders
 * than can be waited for.
 */
export const withAnswers = (before: Answers, asked: Questions, words: Iterable<Told>): Answers => {
  const after = new Map([...before].filter(([text]) => asked.has(text)))
  for (const { hlc, word } of words) {
    if (!asked.has(hlc)) continue
    const holders = after.get(hlc) ?? new Map<NodeId, Word>()
    if (holders.size < limits.holders || holders.has(word.node)) after.set(hlc, merge(holders, [word]))
  }
  return after
}

/** All words that sessions have brought of a write. */
export const wordsOf = (peers: Known["peers"], text: string): Words => {
  let words: Words = new Map()
  for (const { answers } of peers.values()) words = merge(words, answers.get(text)?.values() ?? [])
  return words
}
