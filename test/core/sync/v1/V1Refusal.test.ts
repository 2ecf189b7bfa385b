/** What an existing FERAL node means when it refuses: by the reason that it names, or by its words where it names none. */
import { assert, describe, it } from "@effect/vitest"
import { failureOf } from "../../../../src/core/sync/v1/V1Refusal.ts"
import { node } from "../../../support/Network.ts"

const of = (reason: string, message: string) =>
  failureOf({ type: "sync_error", reason, message }, "10.0.0.1:9090", node("us"))

describe("a refusal of an existing node", () => {
  const byReason = {
    passphrase_unset: "PassphraseUnset",
    invalid_passphrase: "PassphraseMismatch",
    peer_identity_required: "PeerIdentityRequired",
    invalid_peer_grant: "PeerGrantInvalid",
    duplicate_node_id: "DuplicateNodeId",
    duplicate_id: "DuplicateNodeId",
    rate_limited: "RateLimited"
  }
  for (const [reason, tag] of Object.entries(byReason)) {
    it(`${reason} is ${tag}, whatever it says besides`, () => {
      assert.strictEqual(of(reason, "")._tag, tag)
      assert.strictEqual(of(reason, "Sync refused")._tag, tag)
    })
  }

  const byWords = [
    ["Passphrase is not set on this node", "PassphraseUnset"],
    ["no passphrase configured", "PassphraseUnset"],
    ["Wrong passphrase", "PassphraseMismatch"],
    ["a registered peer identity is required", "PeerIdentityRequired"],
    ["peer-grant is not valid", "PeerGrantInvalid"],
    ["duplicate node", "DuplicateNodeId"],
    ["you have the same node id", "DuplicateNodeId"]
  ] as const
  for (const [message, tag] of byWords) {
    it(`"${message}" is ${tag}`, () => assert.strictEqual(of("", message)._tag, tag))
  }

  it("any other is shown in its own words", () => {
    const shown = (reason: string, message: string) => {
      const failure = of(reason, message)
      return failure._tag === "PeerRefused" ? failure.reason : failure._tag
    }
    assert.strictEqual(shown("busy", "come back later"), "busy: come back later")
    assert.strictEqual(shown("busy", ""), "busy")
    assert.strictEqual(shown("", "come back later"), "come back later")
  })
})
