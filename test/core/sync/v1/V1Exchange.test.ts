import { assert, describe, it } from "@effect/vitest"
import { HashMap, Option, Schema } from "effect"
import type { SessionFailure } from "../../../../src/core/sync/SyncFailure.ts"
import * as Hlc from "../../../../src/core/replica/Hlc.ts"
import * as V1Exchange from "../../../../src/core/sync/v1/V1Exchange.ts"
import * as V1Memory from "../../../../src/core/sync/v1/V1Memory.ts"
import * as V1Wire from "../../../../src/core/sync/v1/V1Wire.ts"
import type { NodeId } from "../../../../src/core/replica/NodeId.ts"
import type { Operation } from "../../../../src/core/replica/Operation.ts"
import * as VectorClock from "../../../../src/core/replica/VectorClock.ts"
import { optionsOf } from "../../../support/Exchanges.ts"
import { NaiveReplica } from "../../../support/NaiveReplica.ts"
import { node, write } from "../../../support/Network.ts"
import { OldNode } from "../../../support/OldNode.ts"
import { runs } from "../../../support/Generators.ts"

const us = node("us")
const old = node("old")
const third = node("third")

/** One of our nodes, with what it remembers of old ones. */
class Ours {
  readonly replica: NaiveReplica
  readonly memories = new Map<NodeId, V1Exchange.Memory>()
  readonly scopes = new Map<string, string>()
  readonly late = new Map<NodeId, Map<string, Operation>>()
  now = 1_000_000

  constructor(id: NodeId) {
    this.replica = new NaiveReplica(id)
  }

  write(timestamp: Hlc.Timestamp, row: string, kind?: string, type?: Operation["op_type"]): void {
    this.replica.append([write(this.replica.id, timestamp, row, kind, type)])
  }

  start(role: "dialler" | "server", expected: NodeId | undefined, options: Partial<V1Exchange.Options> = {}): Talk {
    return new Talk(
      this,
      V1Exchange.initial(
        {
          ...optionsOf(this.replica.id, role),
          remote: "10.0.0.1:9090",
          expected,
          expectedMemory: expected && this.memories.get(expected),
          ...options
        },
        this.replica.snapshot(),
        this.now
      )
    )
  }
}

/** An exchange that is under way on our side. */
class Talk {
  readonly ours: Ours
  exchange: V1Exchange.Exchange
  readonly sent: Array<string> = []
  operations = 0
  failure: SessionFailure | undefined

  constructor(ours: Ours, exchange: V1Exchange.Exchange) {
    this.ours = ours
    this.exchange = exchange
    this.carry(V1Exchange.open(exchange))
  }

  get closed(): boolean {
    return this.exchange.phase === "closed"
  }

  receive(text: string): void {
    this.carry(V1Exchange.step(this.exchange, { _tag: "Received", now: this.ours.now, text }))
  }

  /** The frames sent since the last call. */
  take(): ReadonlyArray<string> {
    return this.sent.splice(0)
  }

  private carry([exchange, actions]: V1Exchange.Step): void {
    const { replica, now } = this.ours
    this.exchange = exchange
    for (const action of actions) {
      if (action._tag === "Send") {
        this.sent.push(action.text)
        this.operations += action.operations
      } else if (action._tag === "Identify") {
        const { memories, scopes, late } = this.ours
        const record = {
          memory: memories.get(action.peer),
          scopes: new Map(scopes),
          late: new Map(late.get(action.peer))
        }
        this.carry(V1Exchange.step(this.exchange, { _tag: "Identified", now, record }))
      } else if (action._tag === "Read") {
        const delta = replica.delta(action.request)
        this.carry(V1Exchange.step(this.exchange, { _tag: "Delta", now, request: action.request, delta }))
      } else if (action._tag === "Commit") {
        this.carry(
          V1Exchange.step(this.exchange, {
            _tag: "Committed",
            now,
            snapshot: replica.apply(action.batch),
            hasChanged: true
          })
        )
      } else if (action._tag === "Close") this.failure = action.failure
    }
    if (this.closed) {
      const met = Option.getOrUndefined(V1Exchange.remember(this.exchange, now))
      if (met === undefined || this.failure !== undefined) return
      this.ours.memories.set(met.peer, met.memory)
      for (const [row, { scope }] of met.labels) this.ours.scopes.set(row, scope)
    }
  }
}

/** We dial an old node, until nothing is left. Returns the operations sent and received in all. */
const dial = (ours: Ours, peer: OldNode, options: Partial<V1Exchange.Options> = {}): readonly [number, number] => {
  let sent = 0
  let received = 0
  for (let round = 0; round < 50; round++) {
    const talk = ours.start("dialler", peer.id, options)
    const [request] = talk.take()
    const greeting = V1Wire.decode(request ?? "")
    if (greeting._tag !== "Success" || greeting.success.type !== "sync_request") return assert.fail("no request")
    const theirs = peer.lackedBy(ours.replica.id, greeting.success.clock)
    talk.receive(peer.greeting("sync_response"))
    for (const frame of talk.take()) peer.take(frame)
    for (const frame of peer.data(theirs)) talk.receive(frame)
    assert.isTrue(talk.closed)
    assert.isUndefined(talk.failure)
    sent += talk.operations
    received += theirs.length
    if (!V1Exchange.isUnfinished(talk.exchange)) return [sent, received]
  }
  return assert.fail("never finished")
}

/** An old node dials us, once. */
const serve = (ours: Ours, peer: OldNode, options: Partial<V1Exchange.Options> = {}): readonly [number, number] => {
  const talk = ours.start("server", undefined, options)
  talk.receive(peer.greeting("sync_request", "secret"))
  const [response] = talk.take()
  const greeting = V1Wire.decode(response ?? "")
  if (greeting._tag !== "Success" || greeting.success.type !== "sync_response") return assert.fail("no response")
  const theirs = peer.lackedBy(ours.replica.id, greeting.success.clock)
  for (const frame of peer.data(theirs)) talk.receive(frame)
  for (const frame of talk.take()) peer.take(frame)
  assert.isTrue(talk.closed, "the server ends at once")
  return [talk.operations, theirs.length]
}

const rowsOf = (ours: Ours): ReadonlyArray<string> =>
  Array.from(ours.replica.state.values(), ({ row_id }) => row_id).sort()

for (const isNewest of [false, true]) {
  describe(`an exchange with ${isNewest ? "a newest" : "an early"} node`, () => {
    for (const [name, meet] of [
      ["dialled", dial],
      ["served", serve]
    ] as const) {
      it(`${name}: both sides get what they lack, and a second exchange carries nothing`, () => {
        const [ours, peer] = [new Ours(us), new OldNode(old, isNewest)]
        for (let n = 1; n <= 5; n++) ours.write({ wall: n, counter: 0 }, `ours-${n}`)
        for (let n = 1; n <= 5; n++) peer.write(write(old, { wall: n, counter: 0 }, `theirs-${n}`))
        meet(ours, peer)
        assert.strictEqual(rowsOf(ours).length, 10)
        assert.strictEqual(peer.size, 10)
        meet(ours, peer)
        assert.deepStrictEqual(meet(ours, peer), [0, 0])
        assert.deepStrictEqual(peer.complaints, [])
      })

      it(`${name}: what it relays late, with old timestamps, is not skipped`, () => {
        const [ours, peer] = [new Ours(us), new OldNode(old, isNewest)]
        peer.write(write(old, { wall: 100, counter: 0 }, "own"))
        meet(ours, peer)
        meet(ours, peer)
        peer.write(write(third, { wall: 5, counter: 0 }, "late"))
        meet(ours, peer)
        assert.include(rowsOf(ours), "late")
        peer.write(write(third, { wall: 3, counter: 0 }, "later"))
        peer.write(write(old, { wall: 200, counter: 0 }, "own 2"))
        // No clock shows the second one: it comes when everything is asked for again.
        ours.now += V1Memory.upkeep.least
        meet(ours, peer)
        assert.includeMembers([...rowsOf(ours)], ["late", "later", "own 2"])
        // Only the peer's own history is claimed on its word.
        assert.isFalse(VectorClock.covers(ours.replica.clock, { wall: 5, counter: 0, node: third }))
        assert.isTrue(VectorClock.covers(ours.replica.clock, { wall: 200, counter: 0, node: old }))
      })

      it(`${name}: after a restart it is asked for everything, and given everything, once`, () => {
        const [ours, peer] = [new Ours(us), new OldNode(old, isNewest)]
        ours.write({ wall: 1, counter: 0 }, "ours")
        peer.write(write(old, { wall: 1, counter: 0 }, "theirs"))
        meet(ours, peer)
        peer.restart()
        peer.log.set("x", write(old, { wall: 1, counter: 5 }, "held before the restart"))
        meet(ours, peer)
        assert.include(rowsOf(ours), "held before the restart")
        meet(ours, peer)
        assert.deepStrictEqual(meet(ours, peer), [0, 0])
      })

      it(`${name}: a quiet node that relays is asked for what is new, and for everything only now and then`, () => {
        const [ours, peer] = [new Ours(us), new OldNode(old, isNewest)]
        ours.write({ wall: 1, counter: 0 }, "ours")
        for (let n = 2; n <= 500; n++) peer.write(write(third, { wall: n, counter: 0 }, `theirs-${n}`))
        meet(ours, peer)
        meet(ours, peer)
        for (const isRestarted of [false, true]) {
          if (isRestarted) {
            peer.restart()
            meet(ours, peer)
            meet(ours, peer)
          }
          ours.now += V1Memory.upkeep.least
          assert.deepStrictEqual(meet(ours, peer), [0, 0], isRestarted ? "after a restart" : "")
        }
        // All of it once more, when that costs no more than the upkeep.
        ours.now += 3_600_000
        assert.strictEqual(meet(ours, peer)[1], 499)
        assert.deepStrictEqual(meet(ours, peer), [0, 0])
        peer.write(write(node("fourth"), { wall: 501, counter: 0 }, "new"))
        meet(ours, peer)
        assert.include(rowsOf(ours), "new")
      })
    }

    it("updates go out as inserts, deletes as deletes, and nothing else", () => {
      const [ours, peer] = [new Ours(us), new OldNode(old, isNewest)]
      ours.write({ wall: 1, counter: 0 }, "x")
      ours.write({ wall: 2, counter: 0 }, "x", "notes", "update")
      ours.write({ wall: 3, counter: 0 }, "y", "notes", "delete")
      dial(ours, peer)
      assert.deepStrictEqual(peer.complaints, [])
      assert.deepStrictEqual(
        [...peer.log.values()].map(({ row_id, op_type }) => [row_id, op_type]),
        [
          ["x", "insert"],
          ["y", "delete"]
        ]
      )
    })

    it("a delete of an episode is seen, and changes nothing", () => {
      const [ours, peer] = [new Ours(us), new OldNode(old, isNewest)]
      ours.write({ wall: 1, counter: 0 }, "e", "episodes")
      peer.write(write(old, { wall: 2, counter: 0 }, "e", "episodes", "delete"))
      dial(ours, peer)
      assert.deepStrictEqual(rowsOf(ours), ["e"])
      assert.isTrue(VectorClock.covers(ours.replica.clock, { wall: 2, counter: 0, node: old }))
    })
  })
}

describe("an exchange", () => {
  it("an early node gets a long history in frames that it takes, over successive exchanges", () => {
    const [ours, peer] = [new Ours(us), new OldNode(old)]
    for (let n = 1; n <= 4_000; n++) ours.write({ wall: n, counter: 0 }, `row-${n}-${"x".repeat(200)}`)
    const [sent] = dial(ours, peer)
    assert.strictEqual(sent, 4_000)
    assert.strictEqual(peer.size, 4_000)
    assert.isAtLeast(peer.frames, 2)
    assert.deepStrictEqual(peer.complaints, [])
  })

  it("a newest node gets numbered frames of at most 256 KiB, labelled with the scope", () => {
    const [ours, peer] = [new Ours(us), new OldNode(old, true)]
    peer.write(write(old, { wall: 1, counter: 0 }, "shows what it is"))
    dial(ours, peer)
    for (let n = 1; n <= 3_000; n++) ours.write({ wall: n, counter: 0 }, `row-${n}`)
    const talk = ours.start("dialler", old, { scope: "family" })
    talk.take()
    talk.receive(peer.greeting("sync_response"))
    const frames = talk.take().map((text) => ({
      text,
      ...(JSON.parse(text) as { seq: number; more: boolean; changes: ReadonlyArray<{ scope: string }> })
    }))
    assert.isAbove(frames.length, 2)
    assert.deepStrictEqual(
      frames.map(({ seq }) => seq),
      frames.map((_, index) => index)
    )
    assert.deepStrictEqual(
      frames.map(({ more }) => more),
      frames.map((_, index) => index < frames.length - 1)
    )
    assert.isTrue(frames.every(({ text }) => text.length <= 262_144))
    assert.isTrue(frames.every(({ changes }) => changes.every(({ scope }) => scope === "family")))
  })

  it("a newest node that grants no scope is offered one operation at a time, and everything once it grants one", () => {
    class Unwilling extends OldNode {
      willing = false
      override take(text: string): boolean {
        return this.willing ? super.take(text) : (JSON.parse(text) as { readonly more: boolean }).more
      }
    }
    const [ours, peer] = [new Ours(us), new Unwilling(old, true)]
    for (let n = 1; n <= 20; n++) ours.write({ wall: n, counter: 0 }, `row-${n}`)
    const scope = { scope: "family" }
    dial(ours, peer, scope)
    assert.deepStrictEqual(dial(ours, peer, scope), [20, 0], "labelled, now that we know")
    assert.deepStrictEqual(dial(ours, peer, scope), [1, 0])
    assert.isTrue(ours.memories.get(old)?.takesNothing)
    assert.deepStrictEqual(dial(ours, peer, scope), [1, 0])
    peer.willing = true
    dial(ours, peer, scope)
    dial(ours, peer, scope)
    assert.strictEqual(peer.size, 20)
    assert.isFalse(ours.memories.get(old)?.takesNothing)
  })

  it("a list of tags goes out as text", () => {
    const operation: Operation = {
      ...write(us, { wall: 1, counter: 0 }, "x"),
      data: '{"id":"x","tags":["a","b"]}' as Operation["data"]
    }
    const sent = JSON.parse(V1Wire.operationText(operation, undefined)) as { data: { tags: unknown } }
    assert.strictEqual(sent.data.tags, '["a","b"]')
  })

  it("a wrong passphrase and an empty one get the refusal that old nodes know, and nothing else", () => {
    for (const [passphrase, tag] of [
      ["wrong", "PassphraseMismatch"],
      ["", "PassphraseUnset"]
    ] as const) {
      const [ours, peer] = [new Ours(us), new OldNode(old)]
      ours.write({ wall: 1, counter: 0 }, "secret row")
      const talk = ours.start("server", undefined)
      talk.receive(peer.greeting("sync_request", passphrase))
      assert.strictEqual(talk.failure?._tag, tag)
      assert.deepStrictEqual(
        talk.take().map((text) => JSON.parse(text) as unknown),
        [{ type: "sync_error", message: "Invalid passphrase", reason: "invalid_passphrase" }]
      )
    }
  })

  it("a refusal in place of an answer is explained", () => {
    for (const [frame, tag] of [
      ['{"type":"sync_error","message":"Invalid passphrase"}', "PassphraseMismatch"],
      ['{"type":"sync_error","reason":"passphrase_unset"}', "PassphraseUnset"],
      [
        '{"type":"sync_error","message":"peer identity required","reason":"peer_identity_required"}',
        "PeerIdentityRequired"
      ],
      ['{"type":"sync_error","message":"Peer identity required"}', "PeerIdentityRequired"],
      ['{"type":"sync_error","message":"no","reason":"invalid_peer_grant"}', "PeerGrantInvalid"],
      ['{"type":"sync_error","message":"Duplicate node id"}', "DuplicateNodeId"],
      ['{"type":"sync_error","message":"Passphrase unset"}', "PassphraseUnset"],
      ['{"type":"sync_response","node_id":"us","vector_clock":{}}', "DuplicateNodeId"],
      ['{"type":"sync_error","message":"on holiday","reason":"closed"}', "PeerRefused"]
    ] as const) {
      const talk = new Ours(us).start("dialler", old)
      talk.receive(frame)
      assert.strictEqual(talk.failure?._tag, tag)
    }
  })

  it("a refusal of a client that has not shown the passphrase is not believed", () => {
    const talk = new Ours(us).start("server", undefined)
    talk.receive('{"type":"sync_error","message":"run this","reason":"duplicate_node_id"}')
    assert.strictEqual(talk.failure?._tag, "UnprovedRefusal")
    assert.notInclude(talk.failure?.message, "run this")
  })

  it("a malformed operation in the middle is set aside, and the others are taken", () => {
    const [ours, peer] = [new Ours(us), new OldNode(old)]
    const talk = ours.start("server", undefined)
    talk.receive(peer.greeting("sync_request", "secret"))
    const good = [1, 2].map((wall) => V1Wire.operationText(write(old, { wall, counter: 0 }, `row-${wall}`), undefined))
    talk.receive(V1Wire.onlyFrame([good[0] ?? "", '{"op_id":"x"}', good[1] ?? ""]))
    assert.deepStrictEqual(rowsOf(ours), ["row-1", "row-2"])
    assert.strictEqual(ours.replica.quarantined, 1)
    assert.isUndefined(talk.failure)
  })

  it("rows that were withheld come once they are granted, and are not claimed before", () => {
    class Scoped extends OldNode {
      readonly granted = new Set<string>()
      override lackedBy(peer: NodeId, reported: VectorClock.VectorClock) {
        return super.lackedBy(peer, reported).filter(({ table }) => this.granted.has(table))
      }
    }
    for (const meet of [dial, serve]) {
      const [ours, peer] = [new Ours(us), new Scoped(old, true)]
      for (let wall = 1; wall <= 5; wall++) peer.write(write(old, { wall, counter: 0 }, `early-${wall}`))
      meet(ours, peer)
      meet(ours, peer)
      assert.isTrue(VectorClock.compare(ours.replica.clock, VectorClock.empty) === "equal", "nothing came")
      peer.granted.add("notes")
      meet(ours, peer)
      assert.strictEqual(rowsOf(ours).length, 5)
      // Between others that came, in another scope: no clock shows them.
      peer.write(write(old, { wall: 6, counter: 0 }, "withheld", "knowledge"))
      peer.write(write(old, { wall: 7, counter: 0 }, "note"))
      meet(ours, peer)
      assert.notInclude(rowsOf(ours), "withheld")
      peer.granted.add("knowledge")
      ours.now += 30_000
      meet(ours, peer)
      assert.include(rowsOf(ours), "withheld")
    }
  })

  it("what a restarted node sends is not taken for what it was sent", () => {
    const [ours, peer] = [new Ours(us), new OldNode(old, true)]
    ours.write({ wall: 1, counter: 0 }, "ours")
    for (let wall = 1; wall <= 3; wall++) peer.write(write(old, { wall, counter: 0 }, `theirs-${wall}`))
    for (let wall = 4; wall <= 6; wall++) peer.write(write(third, { wall, counter: 0 }, `third-${wall}`))
    for (const meet of [dial, serve, dial, serve]) {
      meet(ours, peer, { scope: "family" })
      peer.restart()
      for (let round = 0; round < 3; round++) meet(ours, peer, { scope: "family" })
      assert.isFalse(ours.memories.get(old)?.takesNothing)
    }
  })

  for (const [generation, isNewest, size] of [
    ["an early", false, 1_100_000],
    ["a newest", true, 8_400_000]
  ] as const) {
    it(`a row that is too large for ${generation} node is passed over and named, until a smaller one is in its place`, () => {
      const [ours, peer] = [new Ours(us), new OldNode(old, isNewest)]
      peer.write(write(old, { wall: 1, counter: 0 }, "theirs"))
      dial(ours, peer)
      const large = (wall: number, row: string): void =>
        ours.replica.append([
          {
            ...write(us, { wall, counter: 0 }, row),
            data: JSON.stringify({ id: row, x: "x".repeat(size) }) as Operation["data"]
          }
        ])
      ours.write({ wall: 2, counter: 0 }, "first")
      large(3, "large")
      ours.write({ wall: 4, counter: 0 }, "between")
      large(5, "large, too")
      large(6, "large and last")
      dial(ours, peer)
      const sent = [...peer.log.values()].map(({ row_id }) => row_id)
      assert.sameMembers(sent, ["theirs", "first", "between"])
      const named = [...(ours.memories.get(old)?.tooLarge.values() ?? [])].map(({ row_id }) => row_id)
      assert.sameMembers(named, ["large", "large, too", "large and last"])
      assert.deepStrictEqual(peer.complaints, [])
      for (const row of ["large", "large, too", "large and last"]) ours.write({ wall: 7, counter: 0 }, row)
      dial(ours, peer)
      assert.strictEqual(ours.memories.get(old)?.tooLarge.size, 0)
    })
  }

  it("an early node that holds our older edit in place of its newer one gets that back, once", () => {
    class ByArrival extends OldNode {
      readonly rows = new Map<string, Operation>()
      override write(operation: Operation): void {
        super.write(operation)
        this.rows.set(operation.row_id, operation)
      }
    }
    const [ours, peer] = [new Ours(us), new ByArrival(old)]
    for (const row of ["theirs wins", "ours wins", "deleted"]) ours.write({ wall: 10, counter: 0 }, row)
    peer.write(write(old, { wall: 20, counter: 0 }, "theirs wins"))
    peer.write(write(old, { wall: 5, counter: 0 }, "ours wins"))
    peer.write(write(old, { wall: 20, counter: 1 }, "deleted", "notes", "delete"))
    dial(ours, peer)
    for (const held of ours.replica.state.values()) {
      const theirs = peer.rows.get(held.row_id)
      assert.deepStrictEqual(theirs?.hlc, held.hlc, held.row_id)
    }
    const { received } = peer
    dial(ours, peer)
    assert.strictEqual(peer.received, received, "nothing is sent back twice")
  })

  it("what was taken before is not ahead of a clock that went back, when a restarted node sends it again", () => {
    const [ours, peer] = [new Ours(us), new OldNode(old)]
    const early = ours.now + 600_000
    const taken = write(third, { wall: early, counter: 0 }, "taken")
    ours.replica.apply({ operations: [taken], coverage: VectorClock.empty, quarantined: [] })
    const deferredOf = () => {
      const talk = ours.start("server", undefined)
      talk.receive(peer.greeting("sync_request", "secret"))
      for (const frame of peer.data([...peer.log.values()])) talk.receive(frame)
      return [...HashMap.entries(talk.exchange.deferred)]
    }
    peer.write(taken)
    assert.deepStrictEqual(deferredOf(), [])
    peer.write(write(third, { wall: early, counter: 1 }, "new"))
    assert.deepStrictEqual(deferredOf(), [[third, { wall: early, counter: 1 }]])
    assert.deepStrictEqual(rowsOf(ours), ["taken"])
  })

  it("a row that came under another scope goes out under that one", () => {
    class Labelling extends OldNode {
      override data(operations: ReadonlyArray<Operation>): ReadonlyArray<string> {
        const texts = operations.map((one) => V1Wire.operationText(one, `of ${one.row_id}`))
        return [V1Wire.numberedFrame(texts, 0, false)]
      }
    }
    const [ours, peer] = [new Ours(us), new Labelling(old, true)]
    peer.write(write(old, { wall: 1, counter: 0 }, "work"))
    dial(ours, peer, { scope: "family" })
    ours.write({ wall: 2, counter: 0 }, "work", "notes", "update")
    ours.write({ wall: 3, counter: 0 }, "new")
    const talk = ours.start("dialler", old, { scope: "family" })
    talk.take()
    talk.receive(peer.greeting("sync_response"))
    const [frame] = talk.take()
    const { changes } = JSON.parse(frame ?? "") as {
      readonly changes: ReadonlyArray<{ readonly row_id: string; readonly scope: string }>
    }
    assert.deepStrictEqual(
      changes.map(({ row_id, scope }) => [row_id, scope]),
      [
        ["work", "of work"],
        ["new", "family"]
      ]
    )
  })

  for (const isNewest of [false, true]) {
    it(`what came here after the clock of ${isNewest ? "a newest" : "an early"} node had passed it is sent all the same`, () => {
      for (const meet of [dial, serve]) {
        const [ours, peer] = [new Ours(us), new OldNode(old, isNewest)]
        ours.replica.apply({
          operations: [write(third, { wall: 9, counter: 0 }, "later")],
          coverage: VectorClock.empty,
          quarantined: []
        })
        meet(ours, peer)
        meet(ours, peer)
        const late = write(third, { wall: 5, counter: 0 }, "late")
        ours.replica.apply({ operations: [late], coverage: VectorClock.empty, quarantined: [] })
        ours.late.set(old, new Map([["row", late]]))
        assert.strictEqual(meet(ours, peer)[0], 1)
        assert.include(
          [...peer.log.values()].map(({ row_id }) => String(row_id)),
          "late"
        )
        ours.late.clear()
        assert.strictEqual(meet(ours, peer)[0], 0)
      }
    })
  }

  it("what cannot be read is set aside once, however often it comes", () => {
    const [ours, peer] = [new Ours(us), new OldNode(old)]
    peer.broken.push('{"op_id":"x","data":NaN}')
    for (let round = 0; round < 4; round++) {
      peer.restart()
      ours.now += 60_000
      dial(ours, peer)
    }
    assert.strictEqual(ours.replica.quarantined, 1)
  })

  const script = Schema.Array(Schema.Tuple([Schema.Natural, Schema.Natural])).check(Schema.isMaxLength(60))
  it.prop(
    "whatever old nodes write, relay, restart and exchange, ours end with every operation that any of them accepted",
    [script],
    ([steps]) => {
      const ours = [new Ours(us), new Ours(node("we"))] as const
      const peers = [new OldNode(old), new OldNode(node("newest"), true)] as const
      const written: Array<Operation> = []
      let wall = 0
      for (const [what, which] of steps) {
        const mine = ours[which % 2] ?? ours[0]
        const peer = peers[(which >> 1) % 2] ?? peers[0]
        switch (what % 6) {
          case 0: {
            const operation = write(peer.id, { wall: ++wall, counter: 0 }, `row-${wall}`)
            written.push(operation)
            peer.write(operation)
            break
          }
          case 1:
            mine.write({ wall: ++wall, counter: 0 }, `row-${wall}`)
            written.push(...mine.replica.log.slice(-1).flatMap(({ operations }) => operations))
            break
          case 2:
            peer.restart()
            break
          case 3: {
            // Old nodes meet each other as well, and skip what their coarse mark makes them skip.
            const other = peers[0] === peer ? peers[1] : peers[0]
            const sent = peer.lackedBy(other.id, other.clock)
            for (const operation of other.lackedBy(peer.id, peer.clock)) peer.write(operation)
            for (const operation of sent) other.write(operation)
            break
          }
          case 4:
            dial(mine, peer)
            break
          default:
            serve(mine, peer)
        }
      }
      for (const mine of ours) {
        mine.now += 3_600_000
        for (const peer of peers) dial(mine, peer)
      }
      for (const mine of ours) for (const peer of peers) dial(mine, peer)
      for (const mine of ours) {
        for (const { row_id } of written) assert.include(rowsOf(mine), row_id)
      }
      for (const peer of peers) assert.deepStrictEqual(peer.complaints, [])
    },
    runs(1_000, 40)
  )
})
