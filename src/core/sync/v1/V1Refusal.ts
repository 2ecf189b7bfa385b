/**
 * The refusals of an existing FERAL node, and the next step for each. The newest name a reason; earlier ones say it in
 * words alone.
 */
import {
  DuplicateNodeId,
  PassphraseMismatch,
  PassphraseUnset,
  PeerGrantInvalid,
  PeerIdentityRequired,
  PeerRefused,
  RateLimited,
  type SessionFailure
} from "../SyncFailure.ts"
import type { NodeId } from "../../replica/NodeId.ts"
import type { Refusal } from "./V1Wire.ts"

/** The failure that a refusal stands for. `by` is who refuses, `self` whom. */
export const failureOf = ({ message, reason }: Refusal, by: string, self: NodeId): SessionFailure => {
  switch (reason) {
    case "passphrase_unset":
      return new PassphraseUnset({ by })
    case "invalid_passphrase":
      return new PassphraseMismatch({ by })
    case "peer_identity_required":
      return new PeerIdentityRequired({ by })
    case "invalid_peer_grant":
      return new PeerGrantInvalid({ by })
    case "duplicate_node_id":
    case "duplicate_id":
      return new DuplicateNodeId({ nodeId: self })
    case "rate_limited":
      return new RateLimited({ retryAfterSeconds: 60 })
  }
  if (/peer.?identity/i.test(message)) return new PeerIdentityRequired({ by })
  if (/peer.?grant/i.test(message)) return new PeerGrantInvalid({ by })
  if (/duplicate|same node.?id|own node.?id/i.test(message)) return new DuplicateNodeId({ nodeId: self })
  if (/passphrase/i.test(message)) {
    return /unset|not set|missing|no passphrase/i.test(message)
      ? new PassphraseUnset({ by })
      : new PassphraseMismatch({ by })
  }
  return new PeerRefused({ by, reason: [reason, message].filter((text) => text !== "").join(": ") })
}
