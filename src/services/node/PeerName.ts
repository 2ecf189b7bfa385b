/** What a peer is called: by its id, or by its address while its id is not known. */
import { formatAddress } from "../../core/peers/Address.ts"
import type { PeerStatus } from "./Status.ts"

type Named = Pick<PeerStatus, "node_id" | "address" | "port">

export const addressOf = ({ address: host, port }: Pick<Named, "address" | "port">): string =>
  formatAddress({ host, port })

export const of = (peer: Named): string => peer.node_id ?? addressOf(peer)

/** The peer with this id or address. */
export const find = <Peer extends Named>(peers: ReadonlyArray<Peer>, name: string): Peer | undefined =>
  peers.find((peer) => peer.node_id === name || addressOf(peer) === name)
