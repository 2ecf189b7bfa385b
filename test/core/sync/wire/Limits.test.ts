/**
 * Every limit on what a peer may say, in both forms of the wire: what is just within is taken, what is just over is refused
 * or set aside, and nothing of it reaches the state.
 */
import { assert, describe, it } from "@effect/vitest"
import type { SessionFailure } from "../../../../src/core/sync/SyncFailure.ts"
import { maxDataDepth } from "../../../../src/core/replica/Operation.ts"
import * as Relayed from "../../../../src/core/replica/Relayed.ts"
import * as V1Exchange from "../../../../src/core/sync/v1/V1Exchange.ts"
import * as Session from "../../../../src/core/sync/Session.ts"
import { emptyFrames } from "../../../../src/core/sync/SessionLimits.ts"
import * as Wire from "../../../../src/core/sync/Wire.ts"
import { optionsOf } from "../../../support/Exchanges.ts"
import { NaiveReplica } from "../../../support/NaiveReplica.ts"
import { Link, node } from "../../../support/Network.ts"

const now = 1_700_000_000_000

/** A server of ours that a peer talks to. */
interface Server {
  readonly replica: NaiveReplica
  readonly happen: (event: Session.Event<never>) => void
  readonly receive: (text: string) => void
  readonly failure: () => SessionFailure | undefined
}

/** A form of the wire: how a server meets a stranger, how it meets a peer, and what frames look like. */
interface Form {
  readonly stranger: () => Server
  readonly peer: () => Server
  readonly greeting: (fields?: object) => string
  readonly data: (changes: ReadonlyArray<unknown>, seq?: number, fields?: object) => string
}

const json = (value: object): string => JSON.stringify(value)

const ours: Form = {
  stranger: () => {
    const link = new Link(new NaiveReplica(node("them")), new NaiveReplica(node("us")), () => now, { revision: 1 })
    return serverOf(link)
  },
  peer: () => {
    const link = new Link(new NaiveReplica(node("them")), new NaiveReplica(node("us")), () => now, { revision: 1 })
    link.deliver(1)
    assert.isTrue(link.ends[1].established)
    return serverOf(link)
  },
  greeting: (fields) => json({ type: "sync_request", node_id: "them", vector_clock: {}, proof: "p", ...fields }),
  data: (changes, seq = 0, fields = {}) => json({ type: "sync_data", seq, more: true, changes, ...fields })
}

const serverOf = (link: Link): Server => ({
  replica: link.ends[1].replica,
  happen: (event) => link.event(1, event),
  receive: (text) => {
    // In place of what the other end has sent.
    link.ends[1].inbox.splice(0, Infinity, text)
    link.deliver(1)
  },
  failure: () => link.ends[1].failure
})

const exchange = (): Server => {
  const replica = new NaiveReplica(node("us"))
  let state = V1Exchange.initial(optionsOf(replica.id, "server"), replica.snapshot(), now)
  let failure: SessionFailure | undefined
  const carry = ([next, actions]: V1Exchange.Step): void => {
    state = next
    for (const action of actions) {
      if (action._tag === "Close") failure = action.failure
      if (action._tag === "Identify")
        carry(V1Exchange.step(state, { _tag: "Identified", now, record: V1Exchange.noRecord }))
      if (action._tag !== "Commit") continue
      carry(V1Exchange.step(state, { _tag: "Committed", now, snapshot: replica.apply(action.batch), hasChanged: true }))
    }
  }
  return {
    replica,
    happen: (event) => carry(V1Exchange.step(state, event)),
    receive: (text) => carry(V1Exchange.step(state, { _tag: "Received", now, text })),
    failure: () => failure
  }
}

const old: Form = {
  stranger: exchange,
  peer: () => {
    const server = exchange()
    server.receive(old.greeting())
    return server
  },
  greeting: (fields) =>
    json({ type: "sync_request", node_id: "them", vector_clock: {}, passphrase: "secret", ...fields }),
  data: (changes, seq = 0, fields = {}) => json({ type: "sync_data", seq, more: true, changes, ...fields })
}

const operation = (fields: object = {}) => ({
  op_id: "o",
  table: "notes",
  op_type: "insert",
  row_id: "r",
  data: {},
  hlc: "1:0:them",
  origin_node: "them",
  timestamp: 1,
  ...fields
})

const nested = (depth: number): unknown => {
  let value: unknown = 0
  for (let level = 0; level < depth; level++) value = level === 0 ? {} : { x: value }
  return value
}

const origins = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`n${index}`, `1:0:n${index}`]))

const padded = (text: string, length: number): string => `${text}${" ".repeat(length - text.length)}`

/** What a frame comes to: taken, set aside in part, or the end. */
type Verdict = "taken" | "quarantined" | RegExp

const judge = (server: Server, text: string, verdict: Verdict): void => {
  server.receive(text)
  const failure = server.failure()
  if (verdict === "taken" || verdict === "quarantined") {
    assert.notStrictEqual(failure?._tag, "ProtocolViolation", failure?.message)
    assert.strictEqual(server.replica.quarantined > 0, verdict === "quarantined")
  } else {
    assert.strictEqual(failure?._tag, "ProtocolViolation")
    assert.match(failure?.message ?? "", verdict)
  }
  if (verdict !== "taken") assert.strictEqual(server.replica.state.size, 0)
}

interface Limit {
  readonly name: string
  readonly frame: (form: Form, over: 0 | 1) => string
  readonly over: Verdict
  /** Where the older form is more lenient. */
  readonly overOld?: Verdict
}

const { limits } = Wire

/** What a stranger may say. */
const greetings: ReadonlyArray<Limit> = [
  {
    name: "size",
    frame: ({ greeting }, over) => padded(greeting(), limits.greetingBytes + over),
    over: /a hello of 65537 characters/
  },
  {
    name: "depth of JSON",
    frame: ({ greeting }, over) => greeting({ x: nested(limits.depth - 1 + over) }),
    over: /nested more than 36 deep/,
    // In a key that means nothing.
    overOld: "taken"
  },
  {
    name: "length of a node id",
    frame: ({ greeting }, over) => greeting({ node_id: "x".repeat(128 + over) }),
    over: /1 to 128 bytes/
  },
  {
    name: "bytes of a node id",
    frame: ({ greeting }, over) => greeting({ node_id: `${"é".repeat(64)}${"x".repeat(over)}` }),
    over: /1 to 128 bytes/
  },
  {
    name: "characters of a node id",
    frame: ({ greeting }, over) => greeting({ node_id: over === 1 ? "a\nb" : "a b" }),
    over: /printable/
  },
  {
    name: "length of a node id in a clock",
    frame: ({ greeting }, over) => {
      const name = "x".repeat(128 + over)
      return greeting({ vector_clock: { [name]: `1:0:${name}` } })
    },
    over: /a clock entry is not valid/,
    overOld: "taken"
  },
  {
    name: "HLC text",
    frame: ({ greeting }, over) => greeting({ vector_clock: { a: `900719925474099${1 + over}:0:a` } }),
    over: /a clock entry is not valid/,
    overOld: "taken"
  },
  {
    name: "length of a proof or passphrase",
    frame: ({ greeting }, over) => {
      const secret = "x".repeat(limits.text + over)
      return greeting({ proof: secret, passphrase: secret })
    },
    over: /at most 1000/
  }
]

/** What a peer may say. */
const frames: ReadonlyArray<Limit> = [
  {
    name: "depth of JSON",
    frame: ({ data }, over) => data([], 0, { x: nested(limits.depth - 1 + over) }),
    over: /nested more than 36 deep/,
    overOld: "taken"
  },
  {
    name: "operations of a frame",
    frame: ({ data }, over) => data(Array.from({ length: limits.operationsPerFrame + over }, () => operation())),
    over: /at most 20000/,
    // They are read piece by piece.
    overOld: "taken"
  },
  {
    name: "depth of data",
    frame: ({ data }, over) => data([operation({ data: nested(maxDataDepth + over) })]),
    over: "quarantined"
  },
  ...(
    [
      ["op_id", 256],
      ["row_id", 256],
      ["table", 64]
    ] as const
  ).map(([field, length]): Limit => ({
    name: `length of ${field}`,
    frame: ({ data }, over) => data([operation({ [field]: "x".repeat(length + over) })]),
    over: "quarantined"
  })),
  {
    name: "length of origin_node",
    frame: ({ data }, over) => {
      const name = "x".repeat(128 + over)
      return data([operation({ origin_node: name, hlc: `1:0:${name}` })])
    },
    over: "quarantined"
  },
  {
    name: "HLC text of an operation",
    frame: ({ data }, over) => data([operation({ hlc: `1:900719925474099${1 + over}:them` })]),
    over: "quarantined"
  }
]

describe("limits on what a stranger says", () => {
  for (const { name, frame, over, overOld } of greetings) {
    for (const [label, form, verdict] of [
      ["form 2", ours, over],
      ["form 1", old, overOld ?? over]
    ] as const) {
      it(`${label}: ${name}`, () => {
        judge(form.stranger(), frame(form, 0), "taken")
        judge(form.stranger(), frame(form, 1), verdict)
      })
    }
  }

  it("form 2: features", () => {
    const features = (count: number) => ours.greeting({ features: Array.from({ length: count }, () => "f") })
    judge(ours.stranger(), features(limits.features), "taken")
    judge(ours.stranger(), features(limits.features + 1), /at most 32/)
  })

  it("form 2: origins of the clock of a member", () => {
    const request = (count: number) => ours.greeting({ vector_clock: origins(count) })
    judge(ours.peer(), request(limits.origins), "taken")
    judge(ours.peer(), request(limits.origins + 1), /a clock of more than 10000 origins/)
  })

  for (const [label, form] of [
    ["form 2", ours],
    ["form 1", old]
  ] as const) {
    it(`${label}: nothing but a greeting is taken, and it changes nothing`, () => {
      for (const text of [
        form.data([operation()]),
        json({ type: "sync_ack", vector_clock: {} }),
        "",
        "{}",
        "[]",
        "0"
      ]) {
        judge(form.stranger(), text, /before the handshake|out of turn|not a message|not JSON/)
      }
    })

    it(`${label}: 8 MiB of brackets are no work`, () => {
      for (const open of ["[", '{"a":', '[{"a":']) {
        judge(form.peer(), open.repeat(8_388_608 / open.length), /nested more than 36 deep|not JSON/)
        judge(form.stranger(), open.repeat(8_388_608 / open.length), /a hello of/)
      }
    })
  }
})

describe("limits on how long a stranger takes", () => {
  it("form 2: pings do not prolong the ten seconds of a greeting", () => {
    const clock = { now }
    const link = new Link(new NaiveReplica(node("them")), new NaiveReplica(node("us")), () => clock.now)
    const server = serverOf(link)
    for (; clock.now < now + 10_000; clock.now += 500) {
      server.happen({ _tag: "Alive", now: clock.now, isAnswer: true })
      server.happen({ _tag: "Tick", now: clock.now })
      assert.strictEqual(Session.deadline(link.ends[1].session), now + 10_000)
    }
    assert.isUndefined(server.failure())
    server.happen({ _tag: "Tick", now: clock.now })
    assert.strictEqual(server.failure()?._tag, "PeerTimeout")
  })

  it("form 1: pings do not prolong the ten seconds of a greeting", () => {
    const server = exchange()
    for (let at = now; at < now + 10_000; at += 500) {
      server.happen({ _tag: "Alive", now: at, isAnswer: true })
      server.happen({ _tag: "Tick", now: at })
    }
    assert.isUndefined(server.failure())
    server.happen({ _tag: "Tick", now: now + 10_000 })
    assert.strictEqual(server.failure()?._tag, "PeerTimeout")
  })
})

describe("limits on what a peer says", () => {
  for (const { name, frame, over, overOld } of frames) {
    for (const [label, form, verdict] of [
      ["form 2", ours, over],
      ["form 1", old, overOld ?? over]
    ] as const) {
      it(`${label}: ${name}`, () => {
        const within = form.peer()
        within.receive(frame(form, 0))
        assert.isUndefined(within.failure())
        judge(form.peer(), frame(form, 1), verdict)
      })
    }
  }

  it("form 2: origins of the clocks in data and acknowledgements", () => {
    const clocks = {
      through: (count: number) => ours.data([], 0, { through: origins(count) }),
      vector_clock: (count: number) => json({ type: "sync_ack", vector_clock: origins(count) }),
      held: (count: number) => json({ type: "sync_ack", vector_clock: {}, held: origins(count) })
    }
    for (const [name, frame] of Object.entries(clocks)) {
      // A claim of ours and one for each of the others are as many as there may be in all.
      judge(ours.peer(), frame(limits.origins - (name === "through" ? 1 : 0)), "taken")
      judge(ours.peer(), frame(limits.origins + 1), /a clock of more than 10000 origins/)
    }
  })

  it("form 2: questions about writes, and their answers", () => {
    const ack = (more: object) => json({ type: "sync_ack", vector_clock: {}, ...more })
    const asks = (count: number, hops = 1) =>
      ack({ asks: Object.fromEntries(Array.from({ length: count }, (_, index) => [`${index}:0:a`, hops])) })
    const holder = { hlc: "5:0:a", node: "b", age: 1 }
    const holders = (count: number) => ack({ holders: Array.from({ length: count }, () => holder) })
    const via = (count: number) => ack({ holders: [{ ...holder, via: Array.from({ length: count }, () => "c") }] })
    for (const [frame, most] of [
      [asks, Relayed.limits.questions],
      [holders, Relayed.limits.words],
      [via, Relayed.limits.hops]
    ] as const) {
      judge(ours.peer(), frame(most), "taken")
      judge(ours.peer(), frame(most + 1), /not a message/)
    }
    judge(ours.peer(), asks(1, Relayed.limits.hops), "taken")
    for (const hops of [0, 0.5, Relayed.limits.hops + 1]) judge(ours.peer(), asks(1, hops), /not a message/)
    for (const bad of [{ age: -1 }, { node: "" }, { hlc: 5 }, { via: "c" }])
      judge(ours.peer(), ack({ holders: [{ ...holder, ...bad }] }), /not a message/)
    judge(ours.peer(), ack({ asks: { nonsense: 1 }, holders: [{ ...holder, hlc: "nonsense" }] }), "taken")
  })

  for (const [label, form] of [
    ["form 2", ours],
    ["form 1", old]
  ] as const) {
    it(`${label}: empty frames in a row`, () => {
      const server = form.peer()
      let seq = 0
      const empty = (count: number) => {
        for (let index = 0; index < count; index++) server.receive(form.data([], seq++))
      }
      empty(emptyFrames)
      assert.isUndefined(server.failure())
      server.receive(form.data([0], seq++))
      empty(emptyFrames)
      assert.isUndefined(server.failure())
      judge(server, form.data([], seq), /17 empty frames in a row/)
    })

    it(`${label}: a malformed operation is kept cut`, () => {
      const server = form.peer()
      const kept: Array<{ readonly text: string; readonly reason: string }> = []
      const apply = server.replica.apply.bind(server.replica)
      server.replica.apply = (batch) => {
        kept.push(...batch.quarantined)
        return apply(batch)
      }
      server.receive(
        form.data([operation({ op_id: "x".repeat(1_000_000) }), operation({ data: "x".repeat(1_000_000) })])
      )
      assert.isUndefined(server.failure())
      assert.deepStrictEqual(
        kept.map(({ text }) => text.length),
        [limits.quarantinedText, limits.quarantinedText]
      )
      for (const { reason } of kept) assert.isAtMost(reason.length, limits.text)
    })
  }
})
