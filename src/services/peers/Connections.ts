/**
 * The last connections with each peer since this node started: when each began and ended, which side dialled, and why
 * it ended. For people who ask why a peer comes and goes.
 */
import * as Oldest from "../../core/peers/Oldest.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { PeerConnection } from "../node/Status.ts"

/**
 * Connections that are kept of a peer, and peers of which some are. Those of the peer that was met longest ago go
 * first.
 */
export const kept = { connections: 20, peers: 256 } as const

export interface Connections {
  /** Those that last, by their link. */
  readonly open: Map<number, PeerConnection>
  /** All that are kept, the newest first. */
  readonly byPeer: Map<NodeId, ReadonlyArray<PeerConnection>>
  /** Why this node closes those that it closes, by their link. */
  readonly closing: Map<number, string>
}

export const make = (): Connections => ({ open: new Map(), byPeer: new Map(), closing: new Map() })

/** How one began; times are in ms. */
interface Begun {
  readonly peer: NodeId
  readonly host: string
  readonly isDialled: boolean
  readonly at: number
}

export const began = ({ open, byPeer }: Connections, link: number, { peer, host, isDialled, at }: Begun): void => {
  const one: PeerConnection = { began_at: at / 1000, ended_at: null, dialled_by: isDialled ? "us" : "peer", host }
  open.set(link, one)
  const before = byPeer.get(peer) ?? []
  Oldest.set(byPeer, peer, [one, ...before].slice(0, kept.connections), kept.peers)
}

/** The end of one, with its name and, where it was a failure, what the problem was. */
export const ended = (
  { open, byPeer, closing }: Connections,
  link: number,
  at: number,
  end: string,
  problem: string | undefined
): void => {
  const one = open.get(link)
  const reason = closing.get(link)
  open.delete(link)
  closing.delete(link)
  if (one === undefined) return
  const over: PeerConnection = {
    ...one,
    ended_at: at / 1000,
    end: reason ?? end,
    ...(problem === undefined ? {} : { problem })
  }
  for (const [peer, all] of byPeer) {
    if (all.includes(one))
      byPeer.set(
        peer,
        all.map((other) => (other === one ? over : other))
      )
  }
}
