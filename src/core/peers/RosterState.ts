/**
 * The state of a roster (`Roster.ts`): its candidates, their connections, and how they are found.
 */
import { HashMap, HashSet, Option } from "effect"
import type { NodeId } from "../replica/NodeId.ts"
import type { Address } from "./Address.ts"
import * as Agenda from "./Agenda.ts"
import type * as Budget from "./Budget.ts"
import { type Candidate, mdnsKey } from "./Candidate.ts"
import type * as Newcomers from "./Newcomers.ts"
import type { Ending } from "./Redial.ts"
import type { Link } from "./Rivals.ts"

/** Times in milliseconds. */
export const times = {
  /** How long the higher id waits for the lower one to dial. */
  patience: 5_000,
  /**
   * A node that starts is not announced before: it makes sure that its names are its own (`discovery/NameProbe.ts`).
   */
  unannounced: 750,
  /** A connection that lasted this long was good. */
  good: 60_000,
  /** The least time between two exchanges with an existing FERAL node, when local writes wait. */
  exchange: 1_000,
  /** The time over which candidates that were asked to wait come back. */
  spread: 1_000
} as const

/** Nodes of mDNS that are kept before they have proved anything, and nodes of which the proof is remembered. */
export const kept = { unproven: 1_024, proven: 4_096 } as const

export interface Options {
  readonly self: NodeId
  readonly mdns: boolean
  readonly mdnsTimeout: number
  /** How often an existing FERAL node is synced. */
  readonly interval: number
  /** The static list. */
  readonly peers: ReadonlyArray<Address>
  /** The nodes that are paused from the beginning. */
  readonly paused?: ReadonlySet<NodeId>
}

export interface Roster {
  readonly options: Options
  readonly mdns: "on" | "off" | "unavailable"
  readonly static: "waiting" | "active" | "none"
  /** When it began (ms). */
  readonly since: number
  /** Since when no peer is known by mDNS (ms). */
  readonly aloneSince: number
  readonly candidates: HashMap.HashMap<string, Candidate>
  readonly links: HashMap.HashMap<number, Link>
  readonly agenda: Agenda.Agenda
  readonly budget: Budget.Budget
  readonly newcomers: Readonly<Record<"near" | "far", Newcomers.Newcomers>>
  /** Whether the newest of a lane is next, or the one that has waited longest. */
  readonly isTurnOfNewest: boolean
  /** Candidates of a node, and connections to it. */
  readonly keysByNode: HashMap.HashMap<NodeId, ReadonlyArray<string>>
  readonly linksByNode: HashMap.HashMap<NodeId, ReadonlyArray<number>>
  /** The candidate of each dial, until it ends. */
  readonly calls: HashMap.HashMap<string, Call>
  readonly callByAddress: HashMap.HashMap<string, string>
  /** The candidates that wait for an address that another one has dialled. */
  readonly waiting: HashMap.HashMap<string, ReadonlyArray<string>>
  /** Existing FERAL nodes among the candidates: those that local writes hurry. */
  readonly exchanging: HashSet.HashSet<string>
  /** Nodes that have proved themselves, and where they did last; in the order of it. */
  readonly proven: ReadonlyMap<NodeId, Place | undefined>
  /** Nodes that are not dialled until they are resumed. */
  readonly paused: ReadonlySet<NodeId>
  /** Candidates of mDNS whose node has proved itself, and others. */
  readonly counts: { readonly proven: number; readonly unproven: number }
}

/** Where a node has proved itself. */
export interface Place {
  readonly host: string
  /** Where it was dialled; of a node that came by itself, the first port that it is announced with. */
  readonly port: number | undefined
}

/** A dial, from its begin to the end of the connection that comes of it. */
export interface Call {
  readonly address: Address
  /** The node that was expected there. */
  readonly node: NodeId | undefined
  readonly lane: Agenda.Lane
  /** It has led to a connection. */
  readonly isEstablished: boolean
}

export type Event =
  | {
      readonly _tag: "Appeared"
      readonly now: number
      readonly node: NodeId
      readonly addresses: ReadonlyArray<Address>
      /** The hosts among them from which it announces itself; none where others announce it. */
      readonly near?: ReadonlyArray<string>
      /** The wire form that it announces. */
      readonly protocol: 1 | 2
    }
  | { readonly _tag: "Listed"; readonly now: number; readonly address: Address }
  | { readonly _tag: "Vanished"; readonly now: number; readonly node: NodeId }
  | { readonly _tag: "MdnsAvailable"; readonly now: number }
  | { readonly _tag: "MdnsUnavailable"; readonly now: number }
  /** Something was written here. */
  | { readonly _tag: "Written"; readonly now: number }
  /** A handshake is done. `key` is the candidate that was dialled; none for a connection that came in. */
  | {
      readonly _tag: "Established"
      readonly now: number
      readonly link: number
      readonly node: NodeId
      readonly key: string | undefined
      /** From where it came in. */
      readonly host?: string
      readonly form: 1 | 2
    }
  /** A connection ended, or a dial failed. `random` is in [0, 1). */
  | {
      readonly _tag: "Ended"
      readonly now: number
      readonly link: number
      readonly key: string | undefined
      /** Where it was, for a dial that is not known any more. */
      readonly address?: Address
      readonly ending: Ending
      readonly random: number
      /** How long the other side asked us to stay away (ms). */
      readonly retryAfter?: number
    }
  /**
   * These nodes are paused now, and no others: they are not dialled. Their connections are the business of the caller.
   */
  | { readonly _tag: "Paused"; readonly now: number; readonly nodes: ReadonlySet<NodeId> }
  /** A candidate is to be dialled at once, whatever it waits for. */
  | { readonly _tag: "Hurried"; readonly now: number; readonly key: string }
  | { readonly _tag: "Tick"; readonly now: number }

export type Action =
  | { readonly _tag: "Dial"; readonly key: string; readonly address: Address }
  /** End this connection: there is another one to the same node. */
  | { readonly _tag: "Drop"; readonly link: number }
  /** The node was not found where it announces itself: is it still there? */
  | { readonly _tag: "Reconfirm"; readonly node: NodeId }

export type Step = readonly [Roster, ReadonlyArray<Action>]

/** A candidate by its key. */
export const candidateOf = ({ candidates }: Roster, key: string): Candidate | undefined =>
  Option.getOrUndefined(HashMap.get(candidates, key))

/** All candidates. */
export const candidatesOf = ({ candidates }: Roster): Iterable<Candidate> => HashMap.values(candidates)

/**
 * Whether an announced name has led to another node, which is known by its own name as well. That is an existing FERAL
 * node that was restarted under a new id, and never withdrew the old one.
 */
export const isAlias = (roster: Roster, { key, source, node }: Candidate): boolean =>
  source === "mdns" &&
  node !== undefined &&
  key !== mdnsKey(node) &&
  keysOf(roster, node).some((other) => other === mdnsKey(node) || candidateOf(roster, other)?.source === "static")

/** The node at the other end of a connection. */
export const nodeOf = ({ links }: Roster, link: number): NodeId | undefined =>
  Option.getOrUndefined(HashMap.get(links, link))?.node

/** Whether mDNS shows a real peer: a node without a proof may be made up. */
export const count = (
  { proven }: Roster,
  counts: Roster["counts"],
  { source, node }: Candidate,
  by: 1 | -1
): Roster["counts"] => {
  if (source === "static" || node === undefined) return counts
  return proven.has(node) ? { ...counts, proven: counts.proven + by } : { ...counts, unproven: counts.unproven + by }
}

export const withoutLink = (roster: Roster, id: number): Roster => {
  const link = Option.getOrUndefined(HashMap.get(roster.links, id))
  if (link === undefined) return roster
  return {
    ...roster,
    links: HashMap.remove(roster.links, id),
    linksByNode: dropFrom(roster.linksByNode, link.node, id)
  }
}

export const keysOf = ({ keysByNode }: Roster, node: NodeId): ReadonlyArray<string> =>
  Option.getOrElse(HashMap.get(keysByNode, node), () => [])

export const linksTo = ({ links, linksByNode }: Roster, node: NodeId): ReadonlyArray<Link> =>
  Option.getOrElse(HashMap.get(linksByNode, node), () => []).flatMap((id) => Option.toArray(HashMap.get(links, id)))

export const addTo = <K, A>(map: HashMap.HashMap<K, ReadonlyArray<A>>, key: K, value: A) => {
  const before = Option.getOrElse(HashMap.get(map, key), (): ReadonlyArray<A> => [])
  return before.includes(value) ? map : HashMap.set(map, key, [...before, value])
}

export const dropFrom = <K, A>(map: HashMap.HashMap<K, ReadonlyArray<A>>, key: K, value: A) => {
  const rest = Option.getOrElse(HashMap.get(map, key), (): ReadonlyArray<A> => []).filter((other) => other !== value)
  return rest.length === 0 ? HashMap.remove(map, key) : HashMap.set(map, key, rest)
}

export const isSame = (a: Address, b: Address): boolean => a.host === b.host && a.port === b.port
