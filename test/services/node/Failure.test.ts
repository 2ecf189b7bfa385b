import { assert, describe, it } from "@effect/vitest"
import * as Session from "../../../src/core/sync/SyncFailure.ts"
import { refusalOfComer, refusalOfDialled } from "../../../src/core/sync/v1/V1Policy.ts"
import * as Failure from "../../../src/services/node/NodeFailure.ts"

describe("Failure", () => {
  const failures = [
    new Session.PassphraseMismatch({ by: "10.0.0.5:9090" }),
    new Session.PassphraseUnset({ by: "10.0.0.5:9090" }),
    new Session.ClockDrift({ remote: 900_000, local: 0, limit: 300_000 }),
    new Session.ProtocolViolation({ detail: "frame 7; came: late" }),
    new Session.DuplicateNodeId({ nodeId: "a; b: c" }),
    new Session.PeerTimeout({ waitedFor: "answer", seconds: 6 }),
    new Failure.MdnsUnavailable({ detail: "eth0: not permitted" }),
    new Failure.PeersNotDiscovered(),
    new Failure.PeerUnreachable({ address: "10.0.0.5:9090", detail: "no answer" }),
    new Failure.ListenFailed({ address: "*:9090", detail: "another program uses the port" }),
    ...Failure.TlsReason.literals.map(
      (reason) => new Failure.TlsHandshakeFailed({ address: "10.0.0.5:9090", reason, detail: "CN=a; b: c" })
    ),
    ...Failure.StoreReason.literals.map((reason) => new Failure.StoreUnavailable({ reason, detail: "x; y: z" })),
    ...(["off", "tls"] as const).map((legacy) =>
      refusalOfComer({ legacy, mode: "auto", requireClientCert: false }, "none", "10.0.0.5:9090")
    ),
    refusalOfDialled({ legacy: "on", mode: "auto", requireClientCert: false }, "none", { host: "10.0.0.5", port: 9090 })
  ]

  it("each message is what is wrong, followed by the next step", () => {
    for (const failure of failures) {
      if (failure === undefined) return assert.fail("no refusal")
      const { problem, nextStep } = Failure.inTwo(failure.message)
      assert.isAtLeast(nextStep?.length ?? 0, 10, failure.message)
      assert.isAtLeast(problem.length, 10)
      assert.match(failure.message, /[:;] /)
      assert.isTrue([`${problem}: ${nextStep}`, `${problem}; ${nextStep}`].includes(failure.message), failure.message)
    }
  })

  it("a message without a next step is left whole", () => {
    const message = new Session.PeerClosed({ code: 1006, reason: "" }).message
    assert.deepStrictEqual(Failure.inTwo(message), { problem: message, nextStep: undefined })
  })
})
