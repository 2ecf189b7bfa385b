/** Acknowledgements by relay, in networks of any shape. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import * as Hlc from "../../../src/core/replica/Hlc.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import * as Relayed from "../../../src/core/replica/Relayed.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import { arrange, fewNodes, integer, order, runs } from "../../support/Generators.ts"

const word: Arbitrary.Arbitrary<Relayed.Word> = Arbitrary.all({
  node: fewNodes,
  at: integer(0, 3),
  via: Arbitrary.array(fewNodes, { maxLength: 3 })
})
const words = Arbitrary.array(word, { maxLength: 12 })
const nothing: Relayed.Words = new Map()
const byNode = (merged: Relayed.Words) => [...merged].sort(([a], [b]) => (a < b ? -1 : 1))

const write: Hlc.Hlc = { wall: 5, counter: 0, node: NodeId.make("n0") }
const text = Hlc.toText(write)
const nodes = Array.from({ length: 7 }, (_, index) => NodeId.make(`n${index}`))

/** A network: which nodes are connected, and which of them have the write. Answers and questions go to and fro until nothing changes. */
class Network {
  readonly peers = nodes.map(() => new Map<number, Relayed.Peer>())
  readonly waiting = new Set<number>()
  readonly links: ReadonlyArray<readonly [number, number]>
  readonly holders: ReadonlySet<number>

  constructor(links: ReadonlyArray<readonly [number, number]>, holders: ReadonlySet<number>) {
    this.links = links.flatMap(([a, b]) => (a === b ? [] : [[a, b] as const, [b, a] as const]))
    this.holders = holders
    for (const [a, b] of this.links)
      this.peers[a]?.set(b, { node: this.id(b), questions: Relayed.none, answers: Relayed.none })
  }
  id(index: number): NodeId {
    return nodes[index] ?? NodeId.make("none")
  }
  known(index: number): Relayed.Known {
    return {
      self: this.id(index),
      own: this.waiting.has(index) ? new Map([[text, Relayed.limits.hops]]) : Relayed.none,
      peers: this.peers[index] ?? new Map(),
      acknowledgements: [...(this.peers[index]?.keys() ?? [])].map((other) => ({
        node: this.id(other),
        clock: this.holders.has(other)
          ? VectorClock.fromEntries([[write.node, { wall: write.wall, counter: write.counter }]])
          : VectorClock.empty,
        seenAt: other,
        agreed: VectorClock.empty,
        agreedAt: undefined
      }))
    }
  }
  /** One message from each node to each of its peers. Whether something was new. */
  turn(): boolean {
    let isNews = false
    for (const [from, to] of this.links) {
      const before = this.peers[to]?.get(from)
      if (before === undefined) continue
      const told = [...Relayed.answersFor(this.known(from), to)].flatMap(([hlc, words]) =>
        [...words.values()].flatMap((one) => {
          const word = Relayed.received(this.id(to), this.id(from), one)
          return word === undefined ? [] : [{ hlc, word }]
        })
      )
      const after: Relayed.Peer = {
        node: before.node,
        questions: Relayed.questionsFor(this.known(from), to),
        answers: Relayed.withAnswers(before.answers, Relayed.questionsFor(this.known(to), from), told)
      }
      const show = ({ questions, answers }: Relayed.Peer) =>
        JSON.stringify([[...questions], [...answers].map(([hlc, words]) => [hlc, byNode(words)])])
      isNews ||= show(before) !== show(after)
      this.peers[to]?.set(from, after)
    }
    return isNews
  }
  rest(): void {
    let turns = 0
    while (this.turn()) assert.isBelow(++turns, 50, "it goes on for ever")
  }
  /** How many links away each node is. */
  distances(from: number): ReadonlyMap<number, number> {
    const found = new Map([[from, 0]])
    for (const [at, distance] of found)
      for (const [a, b] of this.links) if (a === at && !found.has(b)) found.set(b, distance + 1)
    return found
  }
  isPath(path: ReadonlyArray<NodeId>): boolean {
    const isLink = (a: NodeId, b: NodeId) => this.links.some(([x, y]) => this.id(x) === a && this.id(y) === b)
    return path.slice(1).every((node, index) => isLink(path[index] ?? node, node))
  }
}

const link = Arbitrary.all([integer(0, nodes.length - 1), integer(0, nodes.length - 1)])
const links = Arbitrary.array(link, { maxLength: 12 })
const some = Arbitrary.array(integer(0, nodes.length - 1), { maxLength: nodes.length })

describe("Relayed", () => {
  it.prop(
    "words merge to the same in any order, and however often they come",
    [words, order, words],
    ([all, keys, again]) => {
      const merged = Relayed.merge(nothing, all)
      assert.deepStrictEqual(byNode(Relayed.merge(nothing, arrange(all, keys))), byNode(merged))
      assert.deepStrictEqual(byNode(Relayed.merge(merged, all)), byNode(merged))
      const [left, right] = [Relayed.merge(nothing, again), merged]
      assert.deepStrictEqual(byNode(Relayed.merge(left, right.values())), byNode(Relayed.merge(right, left.values())))
    },
    runs(5_000)
  )

  it.prop(
    "a node that waits learns of every holder within its reach, over the nodes that it is named with, and of no other",
    [links, some],
    ([links, some]) => {
      const network = new Network(links, new Set([...some, 0]))
      network.waiting.add(0)
      network.rest()
      const distances = network.distances(0)
      const found = Relayed.wordsOf(network.known(0).peers, text)
      const expected = [...network.holders].filter((index) => {
        const distance = distances.get(index) ?? Infinity
        return distance > 1 && distance <= Relayed.limits.hops + 1
      })
      const direct = new Set([...network.holders].filter((index) => distances.get(index) === 1))
      assert.sameMembers(
        [...found.keys()].filter((node) => !direct.has(nodes.indexOf(node))),
        expected.map((index) => network.id(index))
      )
      for (const { node, via } of found.values()) {
        assert.isTrue(network.isPath([node, ...via, network.id(0)]), `${node} over ${via.join(", ")}`)
        assert.strictEqual(new Set([...via, network.id(0)]).size, via.length + 1)
      }
    },
    runs(5_000)
  )

  it.prop(
    "when no node waits any more, no question is left",
    [links, some, some],
    ([links, holders, waiting]) => {
      const network = new Network(links, new Set(holders))
      for (const index of waiting) network.waiting.add(index)
      network.rest()
      network.waiting.clear()
      network.rest()
      for (const peers of network.peers)
        for (const { questions, answers } of peers.values())
          assert.deepStrictEqual([questions.size, answers.size], [0, 0])
    },
    runs(2_000)
  )

  it("a peer that asks much does not crowd out the others", () => {
    const asking = (name: string, count: number): Relayed.Peer => ({
      node: NodeId.make(name),
      questions: new Map(Array.from({ length: count }, (_, index) => [`${index}:0:${name}`, 3])),
      answers: Relayed.none
    })
    const known: Relayed.Known = {
      self: NodeId.make("self"),
      own: new Map([["9:9:self", 4]]),
      peers: new Map([
        [1, asking("loud", 16)],
        [2, asking("quiet", 2)]
      ]),
      acknowledgements: []
    }
    const asked = Relayed.questionsFor(known, 3)
    assert.strictEqual(asked.size, Relayed.limits.questions)
    assert.containsAllKeys(asked, ["9:9:self", "0:0:quiet", "1:0:quiet"])
    assert.deepStrictEqual([...Relayed.questionsFor(known, 1).keys()], ["9:9:self", "0:0:quiet", "1:0:quiet"])
  })

  it("takes no more holders than can be waited for, and only what was asked", () => {
    const told = Array.from({ length: 2_000 }, (_, index) => ({
      hlc: text,
      word: { node: NodeId.make(`made up ${index}`), at: 0, via: [NodeId.make("liar")] }
    }))
    const asked: Relayed.Questions = new Map([[text, 4]])
    assert.strictEqual(Relayed.withAnswers(Relayed.none, asked, told).get(text)?.size, Relayed.limits.holders)
    assert.strictEqual(Relayed.withAnswers(Relayed.none, Relayed.none, told).size, 0)
  })

  it.prop(
    "the peer that a word came from is named last, whatever the word says",
    [word, fewNodes, fewNodes],
    ([word, self, peer]) => {
      const taken = Relayed.received(self, peer, word)
      if (taken === undefined || self === peer) return
      assert.strictEqual(taken.via.at(-1), peer)
      assert.isFalse([taken.node, ...taken.via].includes(self))
    },
    runs(5_000)
  )
})
