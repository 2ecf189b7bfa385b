/** What somebody without the passphrase can try against the handshake, message by message. */
import { assert, describe, it } from "@effect/vitest"
import { HashMap, Option, Redacted } from "effect"
import * as Handshake from "../../../src/core/sync/Handshake.ts"
import * as Session from "../../../src/core/sync/Session.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import * as Wire from "../../../src/core/sync/Wire.ts"
import { NaiveReplica } from "../../support/NaiveReplica.ts"
import { key, node, write } from "../../support/Network.ts"

const [victim, other, attacker] = [node("v"), node("o"), node("x")]
const now = 1_000_000

/** What makes one connection differ from another. */
interface Channel {
  readonly nonces: Handshake.Transcript["nonces"]
  readonly binding: Uint8Array
}
const channel: Channel = { nonces: { dialler: "d", server: "s" }, binding: new Uint8Array(32) }

/** One end of a connection, and everything that it asked for. */
const end = (role: Handshake.Role, { nonces, binding }: Channel, self = victim) => {
  const replica = new NaiveReplica(self)
  replica.append([write(self, { wall: 5, counter: 0 }, `secret of ${self}`)])
  const [first, actions] = Session.open(
    Session.initial(
      {
        role,
        self,
        key: Redacted.make(key),
        nonces,
        binding: Redacted.make(binding),
        remote: "peer",
        expected: undefined,
        ownTimestampAtOpen: VectorClock.get(replica.clock, self),
        maxFrameBytes: 4_096,
        maxDriftMs: 300_000
      },
      replica.snapshot(),
      now
    )
  )
  let session = first
  const asked = [...actions]
  const event = (event: Session.Event) => {
    const [next, more] = Session.step(session, event)
    session = next
    asked.push(...more)
    if (more.some(({ _tag }) => _tag === "Identify")) identify()
  }
  const identify = () => event({ _tag: "Identified", now, record: Session.noRecord })
  return {
    asked,
    event,
    receive: (text: string) => event({ _tag: "Received", now, text }),
    hello: () => asked.flatMap((action) => (action._tag === "Send" ? [action.text] : []))[0] ?? ""
  }
}
type End = ReturnType<typeof end>

/** Nobody was let in, nothing was read or taken, and nothing was said but why. */
const assertRefused = ({ asked }: End, tag: string, said: number): void => {
  const close = asked.find((action) => action._tag === "Close")
  assert.strictEqual(close?.failure?._tag, tag)
  const sends = asked.filter((action) => action._tag === "Send")
  assert.strictEqual(sends.length, said)
  for (const { text } of sends) assert.isFalse(text.includes("secret"))
  for (const forbidden of ["Established", "Read", "Commit"]) {
    assert.isFalse(
      asked.some(({ _tag }) => _tag === forbidden),
      forbidden
    )
  }
}

const hello = (type: Wire.Hello["type"], nodeId = attacker, proof = ""): string =>
  Wire.encode({
    type,
    nodeId,
    clock: VectorClock.empty,
    proof,
    digest: Option.none(),
    rows: Option.none(),
    uncovered: HashMap.empty(),
    features: [],
    time: now
  })
const proofIn = (text: string): string => String((JSON.parse(text) as { proof?: unknown }).proof)

const data = Wire.encode({
  type: "sync_data",
  seq: 0,
  more: false,
  fresh: true,
  through: VectorClock.empty,
  operations: [write(attacker, { wall: 9, counter: 0 }, "planted")],
  malformed: []
})

describe("the handshake under attack", () => {
  it("lets in who has the passphrase: the attacks below do not fail for another reason", () => {
    const [dialler, server] = [end("dialler", channel, other), end("server", channel)]
    server.receive(dialler.hello())
    dialler.receive(server.hello())
    for (const { asked } of [dialler, server]) assert.isTrue(asked.some(({ _tag }) => _tag === "Established"))
  })

  it("a refusal is believed with the proof of the server, on this connection alone", () => {
    const refusalOf = (server: End) => server.asked.flatMap((action) => (action._tag === "Send" ? [action.text] : []))
    const tagOf = ({ asked }: End) => asked.find((action) => action._tag === "Close")?.failure?._tag
    const [server, dialler] = [end("server", channel), end("dialler", channel)]
    server.receive(dialler.hello())
    const [text = ""] = refusalOf(server)
    assert.match(proofIn(text), /^[\w-]{43}$/)
    dialler.receive(text)
    assert.strictEqual(tagOf(dialler), "DuplicateNodeId")
    const unproved = [
      text.replace(/"proof":"[^"]*"/, '"x":0'),
      text.replace(proofIn(text), proofIn(dialler.hello())),
      text.replace(proofIn(text), "A".repeat(43))
    ]
    for (const other of unproved) {
      const target = end("dialler", channel)
      target.receive(other)
      assert.strictEqual(tagOf(target), "UnprovedRefusal")
    }
    const elsewhere = end("dialler", { ...channel, binding: new Uint8Array(32).fill(1) })
    elsewhere.receive(text)
    assert.strictEqual(tagOf(elsewhere), "UnprovedRefusal")
    // It is no proof with which a session could begin.
    const target = end("dialler", channel, other)
    target.receive(hello("sync_response", victim, proofIn(text)))
    assert.strictEqual(tagOf(target), "PassphraseMismatch")
  })

  it("a server gives no proof to a dialler without one", () => {
    const server = end("server", channel)
    server.receive(hello("sync_request"))
    for (const action of server.asked) if (action._tag === "Send") assert.strictEqual(proofIn(action.text), "undefined")
    const client = end("server", channel)
    client.receive(Wire.encode({ type: "sync_error", reason: "duplicate_node_id", message: "" }))
    assert.strictEqual(client.asked.find((action) => action._tag === "Close")?.failure?._tag, "UnprovedRefusal")
  })

  it("a recorded proof is worth nothing on another connection", () => {
    const recorded = end("dialler", channel, other).hello()
    for (const again of [
      { ...channel, nonces: { dialler: "d", server: "another" } },
      { ...channel, nonces: { dialler: "another", server: "s" } },
      // The man in the middle forwards the nonces, but each side has a channel of its own.
      { ...channel, binding: new Uint8Array(32).fill(1) }
    ]) {
      const server = end("server", again)
      server.receive(recorded)
      assertRefused(server, "PassphraseMismatch", 1)
    }
  })

  it("a server's proof is worth nothing on another connection", () => {
    const [dialler, server] = [end("dialler", channel, other), end("server", channel)]
    server.receive(dialler.hello())
    for (const again of [
      { ...channel, nonces: { dialler: "another", server: "s" } },
      { ...channel, binding: new Uint8Array(32).fill(1) }
    ]) {
      const target = end("dialler", again, other)
      target.receive(server.hello())
      assertRefused(target, "PassphraseMismatch", 2)
    }
  })

  it("a proof that comes back to the one that made it is refused", () => {
    for (const name of [attacker, other]) {
      const dialler = end("dialler", channel, other)
      dialler.receive(hello("sync_response", name, proofIn(dialler.hello())))
      assertRefused(dialler, "PassphraseMismatch", 2)
    }
  })

  it("a proof made in the other role is refused", () => {
    // What the victim said as a server, offered to it by a dialler, and the reverse.
    const [dialler, server] = [end("dialler", channel, other), end("server", channel)]
    server.receive(dialler.hello())
    const asServer = end("server", channel)
    asServer.receive(hello("sync_request", victim, proofIn(server.hello())))
    assertRefused(asServer, "PassphraseMismatch", 1)
    const asDialler = end("dialler", channel, other)
    asDialler.receive(hello("sync_response", other, proofIn(dialler.hello())))
    assertRefused(asDialler, "PassphraseMismatch", 2)
    // The role alone makes the difference, everything else being equal.
    const transcript: Handshake.Transcript = { ...channel, dialler: other, server: "" }
    assert.isFalse(Handshake.verify(key, "server", transcript, Handshake.prove(key, "dialler", transcript)))
  })

  it("a proof is good for the node id that it was made for", () => {
    const server = end("server", channel)
    server.receive(hello("sync_request", attacker, proofIn(end("dialler", channel, other).hello())))
    assertRefused(server, "PassphraseMismatch", 1)
  })

  it("a server that skips its proof gets no operation", () => {
    const attempts: ReadonlyArray<readonly [string, string]> = [
      [hello("sync_response"), "PassphraseMismatch"],
      [hello("sync_response", attacker, "A".repeat(43)), "PassphraseMismatch"],
      [data, "ProtocolViolation"],
      [hello("sync_request"), "ProtocolViolation"],
      [
        Wire.encode({
          type: "sync_ack",
          seq: Option.some(0),
          clock: VectorClock.empty,
          digest: Option.none(),
          rows: Option.none(),
          held: VectorClock.empty
        }),
        "ProtocolViolation"
      ]
    ]
    for (const [text, tag] of attempts) {
      const dialler = end("dialler", channel, other)
      dialler.receive(text)
      assertRefused(dialler, tag, 2)
    }
  })

  it("a dialler that skips its proof is told nothing and has nothing taken", () => {
    for (const text of [data, hello("sync_response"), hello("sync_request")]) {
      const server = end("server", channel)
      server.receive(text)
      assertRefused(server, text.includes("sync_request") ? "PassphraseMismatch" : "ProtocolViolation", 1)
    }
  })

  it("a dialler that talks on after a refusal is ignored, even with the right proof", () => {
    const server = end("server", channel)
    server.receive(hello("sync_request", attacker, "wrong"))
    const said = server.asked.length
    for (const text of [data, end("dialler", channel, other).hello(), data]) server.receive(text)
    server.event({ _tag: "Tick", now: now + 1 })
    assert.strictEqual(server.asked.length, said)
    assertRefused(server, "PassphraseMismatch", 1)
  })

  it("a client that has to wait is told for how long, whatever it offers: the proof is not checked", () => {
    const server = end("server", channel)
    server.event({ _tag: "Limited", now, wait: 7_001 })
    assertRefused(server, "RateLimited", 1)
    const dialler = end("dialler", channel, other)
    dialler.receive(server.hello())
    const close = dialler.asked.find((action) => action._tag === "Close")
    assert.isTrue(close?.failure?._tag === "RateLimited" && close.failure.retryAfterSeconds === 8)
  })

  it("no peer can make us wait for longer than a minute, or touch a session that is open", () => {
    const dialler = end("dialler", channel, other)
    dialler.receive(
      Wire.encode({ type: "sync_error", reason: "rate_limited", message: "", retryAfter: Number.MAX_SAFE_INTEGER })
    )
    const close = dialler.asked.find((action) => action._tag === "Close")
    assert.isTrue(close?.failure?._tag === "RateLimited" && close.failure.retryAfterSeconds === 60)
    const server = end("server", channel)
    server.receive(end("dialler", channel, other).hello())
    server.event({ _tag: "Limited", now, wait: 60_000 })
    assert.isFalse(server.asked.some(({ _tag }) => _tag === "Close"))
  })
})
