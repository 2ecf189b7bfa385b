import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as SyncFailure from "../../../src/core/sync/SyncFailure.ts"
import * as V1Policy from "../../../src/core/sync/v1/V1Policy.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import * as NodeFailure from "../../../src/services/node/NodeFailure.ts"

describe("Failure", () => {
  const failures = [
    new SyncFailure.PassphraseMismatch({ by: "10.0.0.5:9090" }),
    new SyncFailure.PassphraseUnset({ by: "10.0.0.5:9090" }),
    new SyncFailure.ClockDrift({ remote: 900_000, local: 0, limit: 300_000 }),
    new SyncFailure.ProtocolViolation({ detail: "frame 7; came: late" }),
    new SyncFailure.DuplicateNodeId({ nodeId: "a; b: c" }),
    new SyncFailure.UnprovedRefusal({ by: "10.0.0.5:9090", reason: "too_long_away" }),
    new SyncFailure.DuplicateAnnounced({ nodeId: "a", by: "10.0.0.5:9090" }),
    new SyncFailure.PeerTimeout({ waitedFor: "answer", seconds: 6 }),
    new SyncFailure.PeerClosed({ code: 1006, reason: "" }),
    new SyncFailure.PeerClosed({ code: 1009, reason: "too much", byUs: true }),
    new SyncFailure.PeerPaused({ nodeId: "a" }),
    new SyncFailure.PeerPaused({ nodeId: "a", by: "b" }),
    new SyncFailure.PeerTimeout({ waitedFor: "reading", seconds: 40 }),
    new SyncFailure.PeerTimeout({ waitedFor: "message", seconds: 40, by: "ada" }),
    new NodeFailure.MdnsUnavailable({ detail: "eth0: not permitted" }),
    new NodeFailure.PeersNotDiscovered(),
    new NodeFailure.NotYetOnNodes({ hlc: "1:0:a", wanted: 2, reached: [], missing: [] }),
    new NodeFailure.NotYetOnNodes({
      hlc: "1:0:a",
      wanted: 1,
      reached: [],
      missing: [{ node: NodeId.make("b"), at: 1 }]
    }),
    new NodeFailure.PeerUnreachable({ address: "10.0.0.5:9090", detail: "no answer" }),
    new NodeFailure.ListenFailed({ address: "*:9090", detail: "another program uses the port" }),
    ...NodeFailure.TlsReason.literals.map(
      (reason) => new NodeFailure.TlsHandshakeFailed({ address: "10.0.0.5:9090", reason, detail: "CN=a; b: c" })
    ),
    ...NodeFailure.StoreReason.literals.map(
      (reason) => new NodeFailure.StoreUnavailable({ reason, detail: "x; y: z" })
    ),
    ...(
      [
        ["off", "server"],
        ["tls", "server"],
        ["on", "dialler"]
      ] as const
    ).map(([legacy, role]) => {
      const policy = V1Policy.make({ legacy, mode: "auto", requireClientCert: false })
      return policy.refusal(role, "none", { host: "10.0.0.5", port: 9090 })
    })
  ]

  it("each message is the problem, followed by the next step", () => {
    for (const failure of failures) {
      if (failure === undefined) return assert.fail("no refusal")
      const { problem, nextStep, message } = failure
      assert.isAtLeast(nextStep.length, 10, message)
      assert.isAtLeast(problem.length, 10)
      assert.strictEqual(message, `${problem}; ${nextStep}`)
    }
  })

  it("a timeout says who missed what", () => {
    const problem = (fields: { readonly waitedFor: string; readonly by?: string }) =>
      new SyncFailure.PeerTimeout({ seconds: 40, ...fields }).problem
    assert.strictEqual(problem({ waitedFor: "message" }), "no message from the peer for 40 s")
    assert.strictEqual(problem({ waitedFor: "reading" }), "the peer has not read any data for 40 s")
    assert.strictEqual(
      problem({ waitedFor: "message", by: "ada" }),
      "ada timed out: it received nothing from this node for 40 s"
    )
  })

  it("a failure is the same after it travelled", () => {
    const failure = new SyncFailure.DuplicateNodeId({ nodeId: "a" })
    const schema = SyncFailure.DuplicateNodeId
    const copy = Schema.decodeUnknownSync(schema)(JSON.parse(JSON.stringify(Schema.encodeSync(schema)(failure))))
    assert.strictEqual(copy.message, failure.message)
    assert.strictEqual(copy.nextStep, failure.nextStep)
  })
})
