/** Exchanges with existing FERAL nodes, as tests begin them. */
import { Redacted } from "effect"
import type { NodeId } from "../../src/core/replica/NodeId.ts"
import type * as V1Exchange from "../../src/core/sync/v1/V1Exchange.ts"

/** The options of one with a node that was never met. */
export const optionsOf = (self: NodeId, role: V1Exchange.Options["role"]): V1Exchange.Options => ({
  role,
  self,
  passphrase: Redacted.make("secret"),
  remote: "old",
  expected: undefined,
  scope: undefined,
  maxFrameBytes: 262_144,
  maxDriftMs: 300_000
})
