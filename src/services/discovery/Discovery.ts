/**
 * Finds peers: a stream of sightings, and our own announcement.
 *
 * A sighting is a hint: an address to dial. It proves no identity: the handshake does.
 */
import { Context, type Effect, type Scope, type Stream } from "effect"
import type { Address } from "../../core/peers/Address.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { MdnsUnavailable } from "../node/NodeFailure.ts"

/** A sighting. */
export type Sighting =
  /** A peer announces itself; later sightings of the same id replace earlier ones. */
  | {
      readonly _tag: "Appeared"
      readonly nodeId: NodeId
      /** Best first. */
      readonly addresses: ReadonlyArray<Address>
      /** The hosts among them from which it announces itself; the others may belong to other nodes. */
      readonly near?: ReadonlyArray<string>
      /** The wire forms that it says it speaks: 2 for ours, 1 for existing FERAL nodes. */
      readonly protocol: 1 | 2
    }
  /** A peer of the fixed list; its id is unknown before the handshake. */
  | { readonly _tag: "Listed"; readonly address: Address }
  /** A peer took its leave, or its records expired. */
  | { readonly _tag: "Vanished"; readonly nodeId: NodeId; readonly isGoodbye: boolean }
  /** Another node announces itself under our id, or tries to; where that one is. */
  | { readonly _tag: "Duplicated"; readonly address: Address }
  /** Discovery cannot work, now or any more. It goes on trying, and says `Available` when it can. */
  | { readonly _tag: "Unavailable"; readonly error: MdnsUnavailable }
  /** Discovery works. */
  | { readonly _tag: "Available" }

/** What we tell the network about ourselves. */
export interface Announcement {
  readonly nodeId: NodeId
  readonly port: number
}

export class Discovery extends Context.Service<
  Discovery,
  {
    /** Whether peers are looked for by mDNS. */
    readonly mdns: boolean
    /**
     * Announces this node until the scope closes, which withdraws it (a goodbye), and streams what is seen. It never
     * fails: a network without multicast shows as `Unavailable`.
     */
    sightings(announcement: Announcement): Effect.Effect<Stream.Stream<Sighting>, never, Scope.Scope>
    /** A node was not found where it was seen: asks whether it is still there, and shows it as `Vanished` if not. */
    reconfirm(nodeId: NodeId): Effect.Effect<void>
    /** The addresses of a host whose name ends in `.local`, best first; none when it does not answer. */
    resolve?(host: string): Effect.Effect<ReadonlyArray<string>>
  }
>()("feral-sync/services/discovery/Discovery") {}
