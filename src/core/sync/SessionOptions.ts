/**
 * The options of a session.
 */
import type { Redacted } from "effect"
import type { Timestamp } from "../replica/Hlc.ts"
import type { NodeId } from "../replica/NodeId.ts"
import type { Role } from "./Handshake.ts"
import { type Credit, envelopeBytes } from "./SessionLimits.ts"
import { defaultTakes, type Takes } from "./Wire.ts"

/** What the options of both forms of the wire have. */
export interface CommonOptions {
  readonly role: Role
  readonly self: NodeId
  /** Whether the passphrase is the one before. */
  readonly isPrevious?: boolean
  /** How the peer is called before its id is known: its address. */
  readonly remote: string
  /** The peer that we expect to meet, where one is expected. */
  readonly expected: NodeId | undefined
  readonly maxFrameBytes: number
  readonly maxDriftMs: number
}

/** The options of a session. */
export interface Options extends CommonOptions {
  /** The key derived from the passphrase. */
  readonly key: Redacted.Redacted<Uint8Array>
  /** While the passphrase is being changed: the key of the one before, which a dialler may still prove. */
  readonly previousKey?: Redacted.Redacted<Uint8Array> | undefined
  readonly nonces: { readonly dialler: string; readonly server: string }
  readonly binding: Redacted.Redacted<Uint8Array>
  /** Ends when both sides have proved themselves: the server then never meets us. */
  readonly isProbe?: boolean
  /** Whether we have met that peer since the store was opened. */
  readonly isExpectedMet?: boolean
  /** How far our own history went when the store was opened. */
  readonly ownTimestampAtOpen: Timestamp
  /**
   * How both sides begin, as negotiated in the upgrade. 1 (the default): with their clocks, as in earlier versions. 2:
   * with their proofs, then the hash of the clock, and the clock itself only if the hashes differ.
   */
  readonly revision?: 1 | 2
  /** Bytes of a frame that we take. */
  readonly maxRecvBytes?: number
  /** Which run of our store this is, and how long it had lasted when the session began (ms). */
  readonly instance?: { readonly id: string; readonly age: number }
  /** How much of the credit is used; all of it by default. */
  readonly credit?: Credit
}

/** Our own limit. */
export const takesOf = ({ maxRecvBytes = defaultTakes.frame }: Options): Takes => ({
  frame: maxRecvBytes,
  operation: maxRecvBytes - envelopeBytes
})
