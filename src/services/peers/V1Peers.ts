/**
 * What is noted of existing FERAL nodes: they keep no connection, and an exchange starts from what the one before has
 * left.
 */
import { type Address, formatAddress } from "../../core/peers/Address.ts"
import * as Oldest from "../../core/peers/Oldest.ts"
import { type Slot, slotOf } from "../../core/replica/Merge.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import type { Operation } from "../../core/replica/Operation.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import { nextSteps, PeerTimeout } from "../../core/sync/SyncFailure.ts"
import type { Memory, PeerRecord, Remembered } from "../../core/sync/v1/V1Exchange.ts"
import type { TooLarge } from "../../core/sync/v1/V1Memory.ts"
import { type PeerStatus, report } from "../node/Status.ts"
import type { Connection } from "../transport/Transport.ts"

/**
 * Old nodes that are remembered: they often take a new id when they restart. The one that was met longest ago goes
 * first.
 */
const oldNodesKept = 256

/** Rows whose scope is remembered. The one that came longest ago goes first. */
const scopesKept = 100_000

/** Operations that came late and are kept for one node. Those that came first go first. */
const lateKept = 10_000

/**
 * One is missed after this many intervals without an exchange, and after this time (ms). It is then shown for a while
 * (ms).
 */
const missedAfter = { intervals: 3, least: 90_000, shownFor: 300_000 } as const

export interface V1Peers {
  /** The memory of exchanges with them, and how they were last met. */
  readonly memories: Map<NodeId, Memory>
  readonly exchanged: Map<NodeId, Met>
  /** The scopes under which rows came from them, where they are not the configured one. */
  scopes: ReadonlyMap<Slot, string>
  /** What they lack although their clocks say otherwise: it came here late. */
  readonly late: Map<NodeId, Map<Slot, Operation>>
}

/** An exchange, at a time (ms). */
export interface Met {
  readonly connection: Pick<Connection, "remote" | "tls">
  readonly isDialled: boolean
  readonly at: number
}

export const make = (): V1Peers => ({ memories: new Map(), exchanged: new Map(), scopes: new Map(), late: new Map() })

/** What an exchange starts from. */
export const recordOf = ({ memories, scopes, late }: V1Peers, peer: NodeId): PeerRecord => ({
  memory: memories.get(peer),
  scopes,
  late: new Map(late.get(peer))
})

/** Notes the result of an exchange. Returns the rows that are now known to be too large for the node. */
export const noteExchange = (
  peers: V1Peers,
  { peer, memory, labels, late: taken }: Remembered,
  met: Met,
  scope: string | undefined
): ReadonlyArray<TooLarge> => {
  const { memories, exchanged, late } = peers
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
  peers.scopes = withScopes(peers.scopes, labels, scope)
  const waiting = late.get(peer)
  for (const [row, operation] of taken) if (waiting?.get(row) === operation) waiting.delete(row)
  for (const map of [memories, exchanged, late]) Oldest.drop(map, oldNodesKept)
  return news
}

/**
 * The scopes of rows after an exchange that labelled some of them. An exchange that is under way goes on with those of
 * before.
 */
const withScopes = (
  before: V1Peers["scopes"],
  labels: Remembered["labels"],
  scope: string | undefined
): V1Peers["scopes"] => {
  const isNews = ([row, label]: readonly [Slot, { readonly scope: string }]) =>
    before.get(row) !== (label.scope === scope ? undefined : label.scope)
  const news = [...labels].filter(isNews)
  if (news.length === 0) return before
  const scopes = new Map(before)
  for (const [row, label] of news) {
    scopes.delete(row)
    if (label.scope !== scope) scopes.set(row, label.scope)
  }
  Oldest.drop(scopes, scopesKept)
  return scopes
}

/** Notes written operations: some came after the clocks of existing FERAL nodes had passed them. */
export const noteChange = ({ memories, late }: V1Peers, operations: ReadonlyArray<Operation>): void => {
  for (const [peer, { shown }] of memories) {
    const waiting = late.get(peer) ?? new Map<Slot, Operation>()
    for (const operation of operations) {
      const row = slotOf(operation)
      waiting.delete(row)
      if (operation.hlc.node !== peer && VectorClock.covers(shown, operation.hlc)) waiting.set(row, operation)
    }
    Oldest.drop(waiting, lateKept)
    late.set(peer, waiting)
  }
}

const missedFrom = (interval: number): number => Math.max(missedAfter.least, missedAfter.intervals * interval)

/** How a node is between two exchanges, and where it was met. */
export interface Between {
  readonly status: Partial<PeerStatus>
  readonly address: Address
  /** Whether it was met lately. */
  readonly isShown: boolean
}

/** How each of them is between two exchanges, which are `interval` apart (ms). */
export const between = (peers: V1Peers, interval: number, now: number): ReadonlyMap<NodeId, Between> =>
  new Map(
    [...peers.exchanged].map(([node, { connection, at }]) => {
      const passed = now - at
      const isMissed = passed > missedFrom(interval)
      const missed = () => new PeerTimeout({ waitedFor: "exchange", seconds: Math.round(passed / 1000) })
      return [
        node,
        {
          status: {
            node_id: node,
            state: isMissed ? "backoff" : "live",
            protocol: 1,
            tls: connection.tls,
            last_sync_at: at / 1000,
            last_error: isMissed ? report(missed()) : noticeOf(peers, node)
          },
          address: connection.remote,
          isShown: passed <= missedFrom(interval) + missedAfter.shownFor
        }
      ]
    })
  )

/** The rows that a node does not accept. */
export const noticeOf = ({ memories }: V1Peers, peer: NodeId): PeerStatus["last_error"] => {
  const memory = memories.get(peer)
  if (memory?.takesNothing === true) {
    return report({
      _tag: "NoScopeGranted",
      problem: "it does not accept rows from this node",
      nextStep: nextSteps.NoScopeGranted
    })
  }
  const [first] = memory?.tooLarge.values() ?? []
  if (memory === undefined || first === undefined) return null
  const { table, row_id, bytes, limit } = first
  const count = memory.tooLarge.size
  const many = count === 1 ? "1 row is" : `${count} rows are`
  const which = `${table} ${row_id}, ${megabytes(bytes)}${count === 1 ? "" : ", and others"}`
  return report({
    _tag: "RowsTooLarge",
    problem: `${many} larger than the ${megabytes(limit)} that this existing FERAL node accepts (${which})`,
    nextStep: nextSteps.RowsTooLarge
  })
}

const megabytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`
