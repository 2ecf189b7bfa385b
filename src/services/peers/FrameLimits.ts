/**
 * What peers take that did not tell, and closed because of a frame of ours: the next session sends smaller ones. The
 * one that was learned first is forgotten first.
 */
import * as Oldest from "../../core/peers/Oldest.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import * as Session from "../../core/sync/Session.ts"
import { envelopeBytes } from "../../core/sync/SessionLimits.ts"
import { FrameTooLarge, type PeerClosed } from "../../core/sync/SyncFailure.ts"
import { closeCodes, type Takes } from "../../core/sync/Wire.ts"

/** The code with which a WebSocket is closed because of a message that is too large. */
const messageTooBig = 1009

/** The smallest frame that a peer can be set to accept. */
const leastFrame = 4_096

/** Peers that are remembered. */
const remembered = 10_000

export const make = () => {
  const assumed = new Map<NodeId, Takes>()

  /** What the end of a session shows; none where no frame of ours was the reason. */
  const onClosed = ({ code, byUs }: PeerClosed, state: Session.Session): FrameTooLarge | undefined => {
    const { peer, takes } = state
    const { bytes, operations } = Session.largestFrame(state)
    if (peer === undefined || bytes === 0 || byUs === true || (code !== messageTooBig && code !== closeCodes.too_large))
      return undefined
    // One operation alone shows how much is too much; of a frame of many, a half is tried next.
    const frame = Math.max(leastFrame, Math.min(takes.frame, operations === 1 ? bytes - 1 : Math.floor(bytes / 2)))
    const operation = operations === 1 ? frame : Math.max(1, frame - envelopeBytes)
    Oldest.set(assumed, peer, { frame, operation }, remembered)
    return new FrameTooLarge({ peer, bytes })
  }

  return { of: (peer: NodeId): Takes | undefined => assumed.get(peer), onClosed }
}
