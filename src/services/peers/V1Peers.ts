/**
 * What is noted of existing FERAL nodes in the table of peers: they keep no connection, and an exchange starts from what the one before
 * has left.
 */
import { formatAddress } from "../../core/peers/Address.ts"
import { type Slot, slotOf } from "../../core/replica/Merge.ts"
import type { Operation } from "../../core/replica/Operation.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import type { Remembered } from "../../core/sync/v1/V1Exchange.ts"
import type { TooLarge } from "../../core/sync/v1/V1Memory.ts"
import { drop, type Met, type PeerTable } from "./PeerTable.ts"

/** Old nodes that are remembered: they often take a new id when they restart. The one that was met longest ago goes first. */
const oldNodesKept = 256

/** Rows whose scope is remembered. The one that came longest ago goes first. */
const scopesKept = 100_000

/** Operations that came late and are kept for one node. Those that came first go first. */
const lateKept = 10_000

/** Notes the result of an exchange with an existing FERAL node. Returns the rows that are now known to be too large for it. */
export const noteExchange = (
  table: PeerTable,
  { peer, memory, labels, late: taken }: Remembered,
  met: Met,
  scope: string | undefined
): ReadonlyArray<TooLarge> => {
  const { memories, exchanged, late } = table
  const known = memories.get(peer)?.tooLarge
  const news = [...memory.tooLarge].flatMap(([row, one]) => (known?.has(row) === true ? [] : [one]))
  for (const map of [memories, exchanged]) map.delete(peer)
  // Another node answers at this address: the one that did so before was restarted, and took a new id.
  for (const [node, { connection, isDialled }] of exchanged) {
    const isSame = formatAddress(connection.remote) === formatAddress(met.connection.remote)
    if (isDialled && met.isDialled && isSame) exchanged.delete(node)
  }
  memories.set(peer, memory)
  exchanged.set(peer, met)
  table.scopes = withScopes(table.scopes, labels, scope)
  const waiting = late.get(peer)
  for (const [row, operation] of taken) if (waiting?.get(row) === operation) waiting.delete(row)
  for (const map of [memories, exchanged, late]) drop(map, oldNodesKept)
  return news
}

/** The scopes of rows after an exchange that labelled some of them. An exchange that is under way goes on with those of before. */
const withScopes = (
  before: PeerTable["scopes"],
  labels: Remembered["labels"],
  scope: string | undefined
): PeerTable["scopes"] => {
  const isNews = ([row, label]: readonly [Slot, { readonly scope: string }]) =>
    before.get(row) !== (label.scope === scope ? undefined : label.scope)
  const news = [...labels].filter(isNews)
  if (news.length === 0) return before
  const scopes = new Map(before)
  for (const [row, label] of news) {
    scopes.delete(row)
    if (label.scope !== scope) scopes.set(row, label.scope)
  }
  drop(scopes, scopesKept)
  return scopes
}

/** Notes written operations: some came after the clocks of existing FERAL nodes had passed them. */
export const noteChange = ({ memories, late }: PeerTable, operations: ReadonlyArray<Operation>): void => {
  for (const [peer, { shown }] of memories) {
    const waiting = late.get(peer) ?? new Map<Slot, Operation>()
    for (const operation of operations) {
      const row = slotOf(operation)
      waiting.delete(row)
      if (operation.hlc.node !== peer && VectorClock.covers(shown, operation.hlc)) waiting.set(row, operation)
    }
    drop(waiting, lateKept)
    late.set(peer, waiting)
  }
}
