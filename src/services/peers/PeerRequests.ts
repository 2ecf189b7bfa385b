/** What people ask about peers, and have done with them: how they are, a pause, a sync at once. */
import { Effect, Ref, Schema } from "effect"
import { formatAddress } from "../../core/peers/Address.ts"
import * as Roster from "../../core/peers/Roster.ts"
import { NodeId } from "../../core/replica/NodeId.ts"
import { Config } from "../node/Config.ts"
import { HlcClock } from "../node/HlcClock.ts"
import { PeerNotFound } from "../node/NodeFailure.ts"
import * as PeerName from "../node/PeerName.ts"
import type { PeerStatus, Synced } from "../node/Status.ts"
import { Store } from "../store/Store.ts"
import * as Comparison from "./Comparison.ts"
import * as Lacks from "./Lacks.ts"
import type { Kept } from "./NodeList.ts"
import type * as PeerTable from "./PeerTable.ts"
import * as PeerView from "./PeerView.ts"

/** What is asked and changed. */
export interface Over {
  readonly table: PeerTable.PeerTable
  readonly roster: () => Roster.Roster
  readonly pausing: Kept
  readonly removing: Kept
  isPaused(node: string): boolean
  isRemoved(node: string): boolean
  /** Has a candidate dialled at once. */
  hurry(key: string): Effect.Effect<unknown>
}

export const make = Effect.fnUntraced(function* ({
  table,
  roster,
  pausing,
  removing,
  isPaused,
  isRemoved,
  hurry
}: Over) {
  const settings = yield* Config
  const clock = yield* HlcClock
  const store = yield* Store

  /** How every peer is. A paused one stays listed, also when nothing is heard of it. */
  const listed = Effect.gen(function* () {
    const rows = PeerView.statuses(table, roster(), yield* clock.now, settings.maxClockDriftMs)
    const shown = new Set(rows.map(({ node_id }) => node_id))
    const seen = new Map((yield* store.acknowledgements).map(({ node, seenAt }) => [node, seenAt]))
    const silent = [...Ref.getUnsafe(pausing.current)]
      .filter((node) => !shown.has(node))
      .map((node) => PeerView.pausedRow(node, seen.get(node)))
    return [...rows, ...silent].flatMap((row): ReadonlyArray<PeerStatus> => {
      if (row.node_id === null) return [row]
      if (isRemoved(row.node_id)) return []
      return [isPaused(row.node_id) ? { ...row, state: "paused", last_error: null } : row]
    })
  })
  const status = Effect.flatMap(listed, (rows) => Lacks.withLacks(store, table, rows))
  const absentFrom = (peers: ReadonlyArray<PeerStatus>) =>
    Effect.flatMap(clock.now, (now) => Lacks.absent(store, { peers, removed: { has: isRemoved }, now }))
  const nodes = Effect.flatMap(status, (peers) => Effect.map(absentFrom(peers), (absent) => ({ peers, absent })))

  /** The node of this name, whether it is among the peers or not. */
  const named = Effect.fnUntraced(function* (name: string) {
    const peers = yield* listed
    return PeerName.find(peers, name) ?? PeerName.find((yield* absentFrom(peers)).map(PeerView.absentRow), name)
  })

  const pause = Effect.fnUntraced(function* (node: string, isNow: boolean) {
    const isKnown = isPaused(node) || (yield* named(node))?.node_id === node
    if (!isKnown || !Schema.is(NodeId)(node)) return yield* new PeerNotFound({ peer: node })
    yield* changed(pausing, node, isNow)
  })

  /** Removes a node, or readmits it. A misspelt id that removes no node would look like a success. */
  const remove = Effect.fnUntraced(function* (node: string, isNow: boolean) {
    const isKnown = isRemoved(node) || (yield* named(node))?.node_id === node
    if (!isKnown || !Schema.is(NodeId)(node)) return yield* new PeerNotFound({ peer: node })
    yield* changed(removing, node, isNow)
  })

  const compareWith = (entries: ReadonlyArray<PeerTable.Entry>) =>
    Comparison.all(entries).pipe(Effect.provideService(HlcClock, clock), Effect.provideService(Store, store))

  const sync = Effect.fnUntraced(function* (peer: string): Effect.fn.Return<Synced, PeerNotFound> {
    const row = yield* named(peer)
    if (row === undefined) return yield* new PeerNotFound({ peer })
    const { node_id } = row
    if (row.state === "paused") return { node_id, result: "paused" }
    const entries = [...table.entries.values()].filter(({ running }) => running.view().peer === node_id)
    const [compared] = node_id === null ? [] : yield* compareWith(entries)
    if (compared !== undefined) return { node_id, result: compared.result }
    const candidates = [...Roster.candidatesOf(roster())].filter(
      ({ node, addresses }) =>
        (node !== undefined && node === node_id) || addresses.some((address) => formatAddress(address) === peer)
    )
    if (candidates.length === 0) return { node_id, result: "waiting" }
    for (const { key } of candidates) yield* hurry(key)
    return { node_id, result: candidates.some(({ dialling }) => dialling) ? "connecting" : "dialling" }
  })

  return { status, nodes, pause, remove, sync, compare: Effect.suspend(() => compareWith([...table.entries.values()])) }
})

/** A list with one node more or less. */
const changed = Effect.fnUntraced(function* ({ current, set }: Kept, node: NodeId, isOn: boolean) {
  const nodes = new Set(yield* Ref.get(current))
  if (isOn) nodes.add(node)
  else nodes.delete(node)
  yield* set(nodes)
})
