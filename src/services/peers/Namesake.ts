/**
 * Another machine that announces itself with the id of this node. An announcement proves nothing: it is a warning, and
 * where it comes from is dialled, once in a while. What the two say there, they say with proofs.
 */
import { Effect } from "effect"
import { type Address, formatAddress } from "../../core/peers/Address.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import { DuplicateAnnounced } from "../../core/sync/SyncFailure.ts"
import * as Throttle from "../transport/Throttle.ts"
import * as PeerTable from "./PeerTable.ts"

/** How often such a machine is dialled, whichever it is (ms). */
const dialledEvery = 60_000

/**
 * Ports below this are those of other services: they are not dialled, except where this node has one of them itself.
 */
const leastPort = 1_024

interface Options {
  readonly self: NodeId
  readonly port: number
  readonly table: PeerTable.PeerTable
  report(name: string, address: Address, failure: DuplicateAnnounced): Effect.Effect<void>
  dial(key: string, address: Address): Effect.Effect<unknown>
}

/** What is done about such an announcement from an address. */
export const make = ({ self, port, table, report, dial }: Options) => {
  const dials = Throttle.make(dialledEvery)
  return Effect.fnUntraced(function* (address: Address) {
    const key = PeerTable.incomingKey(address.host)
    const warning = PeerTable.incomingKey(`${address.host} by mDNS`)
    // Where it is proved that there are two, that is what is to be seen.
    if (table.failures.get(key)?.error._tag === "DuplicateNodeId") table.failures.delete(warning)
    else {
      yield* report(warning, address, new DuplicateAnnounced({ nodeId: self, by: formatAddress(address) }))
    }
    if (address.port >= leastPort || address.port === port) yield* dials.pass("dial", dial(key, address))
  })
}
