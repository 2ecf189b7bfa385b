/**
 * Whom to dial and when, as a state machine: `step(roster, event) -> [roster, actions]`.
 *
 * - Peers come from mDNS first. The static list is used when no peer was seen for `mdnsTimeout`, and at once when mDNS
 *   is off or unavailable. mDNS goes on meanwhile; what is discovered and what is configured is joined by node id.
 * - Of two nodes that see each other, the one with the lower id dials. The other waits `patience`, then dials too,
 *   because the network may let connections through in one direction only. A node that has just started does not wait:
 *   no node can have seen it.
 * - One connection for each pair. Of two that are made at the same time, the one that the lower id dialled stays. Later
 *   on the newer stays: a peer dials again only when it has lost the older one.
 * - With an existing FERAL node (form 1) a connection is one exchange. It is dialled every `interval`, at once when
 *   something was left over, and when there are local writes, but at most once per second. It is not waited for, and
 *   its connections are no rivals.
 * - A failed dial is tried again after a delay that doubles up to a cap, with jitter, and starts afresh after a
 *   connection that lasted a good minute. A refusal (passphrase, certificate) starts at a longer delay: the operator
 *   has to correct it. Whatever is said or seen at an address before anything is proved there binds that address alone,
 *   for a minute at most.
 * - Dials are limited (`Budget.ts`). There are separate limits for static peers, for nodes at an address where they
 *   have proved themselves, for nodes that announce themselves, and for those that others announce. So is how many
 *   nodes that have proved nothing are kept.
 *
 * An event costs O(log n) in the number of candidates: candidates that are due are found in heaps (`Agenda.ts`), those
 * in the way by node and by address.
 *
 * Time and randomness come in with the events. `deadline` says when the next `Tick` is wanted.
 */
import { HashMap, HashSet } from "effect"
import { byCodePoint, type NodeId } from "../replica/NodeId.ts"
import type { Address } from "./Address.ts"
import * as Agenda from "./Agenda.ts"
import * as Budget from "./Budget.ts"
import { includesAddress, listed, mdnsKey, staticKey } from "./Candidate.ts"
import { dialDue, withCandidate } from "./Dialling.ts"
import * as Newcomers from "./Newcomers.ts"
import * as RosterLinks from "./RosterLinks.ts"
import {
  candidateOf,
  count,
  dropFrom,
  type Event,
  isSame,
  kept,
  keysOf,
  type Options,
  type Roster,
  type Step,
  times
} from "./RosterState.ts"

export type { Ending } from "./Redial.ts"
export {
  times,
  kept,
  candidateOf,
  candidatesOf,
  isAlias,
  nodeOf,
  type Action,
  type Event,
  type Options,
  type Roster,
  type Step
} from "./RosterState.ts"

/** A roster without candidates. */
export const initial = (options: Options, now: number): Step =>
  dialDue(
    useStatic(
      {
        options,
        mdns: options.mdns ? "on" : "off",
        static: options.peers.length === 0 ? "none" : "waiting",
        since: now,
        aloneSince: now,
        candidates: HashMap.empty(),
        links: HashMap.empty(),
        agenda: Agenda.empty,
        budget: Budget.full,
        newcomers: { near: undefined, far: undefined },
        isTurnOfNewest: false,
        keysByNode: HashMap.empty(),
        linksByNode: HashMap.empty(),
        calls: HashMap.empty(),
        callByAddress: HashMap.empty(),
        waiting: HashMap.empty(),
        exchanging: HashSet.empty(),
        proven: new Map(),
        paused: options.paused ?? new Set(),
        counts: { proven: 0, unproven: 0 }
      },
      now
    ),
    now
  )

/** What happens next. */
export const step = (roster: Roster, event: Event): Step => {
  const { now } = event
  switch (event._tag) {
    case "Appeared":
      return dialDue(event.node === roster.options.self ? roster : appear(roster, event), now)
    case "Listed":
      return dialDue(list(roster, event.address, now), now)
    case "Vanished":
      return dialDue(vanish(roster, event.node, now), now)
    case "MdnsAvailable":
      return dialDue({ ...roster, mdns: "on" }, now)
    case "MdnsUnavailable":
      return dialDue(useStatic({ ...roster, mdns: "unavailable" }, now), now)
    case "Written":
      return dialDue(hurry(roster, now), now)
    case "Paused":
      return dialDue(pause(roster, event.nodes, now), now)
    case "Hurried":
      return dialDue(atOnce(roster, event.key, now), now)
    case "Established":
      return RosterLinks.establish(roster, event)
    case "Ended":
      return RosterLinks.ended(roster, event)
    case "Tick":
      return dialDue(useStatic(roster, now), now)
  }
}

/** When the roster wants a `Tick` (ms). */
export const deadline = (roster: Roster): number => {
  const { agenda, budget } = roster
  const fallback =
    roster.static === "waiting" && !hasMdnsPeer(roster) ? roster.aloneSince + roster.options.mdnsTimeout : Infinity
  return Agenda.lanes.reduce((at, lane) => {
    const entry = Agenda.earliest(agenda, lane)[1]
    return entry === undefined ? at : Math.min(at, Math.max(entry.at, Budget.laneReadyAt(budget, lane)))
  }, fallback)
}

const hasMdnsPeer = ({ counts }: Roster): boolean => counts.proven > 0

const appear = (before: Roster, event: Extract<Event, { _tag: "Appeared" }>): Roster => {
  const { node, protocol, now, near = [] } = event
  const roster = placed(before, node, event.addresses)
  const key = mdnsKey(node)
  const known = candidateOf(roster, key)
  if (known === undefined && !roster.proven.has(node) && roster.counts.unproven >= kept.unproven) return roster
  // The settings of an address hold for it wherever it is seen.
  const addresses = event.addresses.map(
    (address) => roster.options.peers.find((peer) => peer.plain === true && isSame(peer, address)) ?? address
  )
  if (known !== undefined && addresses.every((address) => includesAddress(known.addresses, address))) {
    return withCandidate(roster, { ...known, addresses, near }, now)
  }
  const isOurs = protocol === 1 || byCodePoint(roster.options.self, node) < 0 || now - roster.since < times.unannounced
  const wait = isOurs ? 0 : times.patience
  const next = withCandidate(
    roster,
    {
      key,
      source: "mdns",
      node,
      addresses,
      near,
      cameAt: now,
      isTried: false,
      dialling: HashMap.has(roster.calls, key),
      dialAt: now + wait,
      failures: 0,
      exchangedAt: known?.exchangedAt
    },
    now
  )
  const lane = near.length > 0 ? "near" : "far"
  return { ...next, newcomers: { ...next.newcomers, [lane]: Newcomers.add(next.newcomers[lane], key, now) } }
}

/**
 * The first port that is announced for a node that came by itself counts as the one where it is. Any other has to be
 * proved.
 */
const placed = (roster: Roster, node: NodeId, addresses: ReadonlyArray<Address>): Roster => {
  const place = roster.proven.get(node)
  if (place === undefined || place.port !== undefined) return roster
  const port = addresses.find(({ host }) => host === place.host)?.port
  return port === undefined ? roster : { ...roster, proven: new Map(roster.proven).set(node, { ...place, port }) }
}

/** Local writes do not wait for the interval. */
const hurry = (roster: Roster, now: number): Roster =>
  [...roster.exchanging].reduce((next, key) => {
    const candidate = candidateOf(next, key)
    if (candidate?.exchangedAt === undefined || candidate.failures > 0) return next
    const dialAt = Math.min(candidate.dialAt, Math.max(now, candidate.exchangedAt + times.exchange))
    return withCandidate(next, { ...candidate, dialAt }, now)
  }, roster)

/** Resumed nodes are dialled at once. */
const pause = (roster: Roster, nodes: ReadonlySet<NodeId>, now: number): Roster =>
  [...roster.paused]
    .filter((node) => !nodes.has(node))
    .flatMap((node) => keysOf(roster, node))
    .reduce((next, key) => atOnce(next, key, now), { ...roster, paused: nodes })

/** Forgets the failures of a candidate, so that it is due now. */
const atOnce = (roster: Roster, key: string, now: number): Roster => {
  const candidate = candidateOf(roster, key)
  if (candidate === undefined) return roster
  const budget = candidate.addresses.reduce((before, address) => Budget.clear(before, address), roster.budget)
  return withCandidate({ ...roster, budget }, { ...candidate, failures: 0, dialAt: now }, now)
}

const list = (roster: Roster, address: Address, now: number): Roster =>
  HashMap.has(roster.candidates, staticKey(address)) ? roster : withCandidate(roster, listed(address, now), now)

const vanish = (roster: Roster, node: NodeId, now: number): Roster => {
  const key = mdnsKey(node)
  const gone = candidateOf(roster, key)
  if (gone === undefined) return roster
  const without: Roster = {
    ...roster,
    candidates: HashMap.remove(roster.candidates, key),
    agenda: Agenda.remove(roster.agenda, key),
    keysByNode: gone.node === undefined ? roster.keysByNode : dropFrom(roster.keysByNode, gone.node, key),
    exchanging: HashSet.remove(roster.exchanging, key),
    counts: count(roster, roster.counts, gone, -1)
  }
  const alone = hasMdnsPeer(roster) && !hasMdnsPeer(without) ? { ...without, aloneSince: now } : without
  // Other names of it stood back.
  return keysOf(alone, node).reduce((next, other) => {
    const candidate = candidateOf(next, other)
    return candidate === undefined ? next : withCandidate(next, candidate, now)
  }, alone)
}

/** Turns to the static list when it is time. It stays in use from then on. */
const useStatic = (roster: Roster, now: number): Roster => {
  const isDue = roster.mdns !== "on" || (!hasMdnsPeer(roster) && now >= roster.aloneSince + roster.options.mdnsTimeout)
  if (roster.static !== "waiting" || !isDue) return roster
  return roster.options.peers.reduce<Roster>((next, address) => list(next, address, now), {
    ...roster,
    static: "active"
  })
}
