/**
 * Whom to dial and when, as a state machine: `step(roster, event) -> [roster, actions]`.
 *
 * - Peers come from mDNS first. The static list is used when no peer was seen for `mdnsTimeout`, and at once when mDNS is off or
 *   unavailable. mDNS goes on meanwhile; what is discovered and what is configured is joined by node id.
 * - Of two nodes that see each other, the one with the lower id dials; the other waits `patience`, then dials too, for
 *   the network may let connections through in one direction only. A node that has just started does not wait: no node
 *   can have seen it.
 * - One connection for each pair. Of two that are made at the same time, the one that the lower id dialled stays. Later on
 *   the newer stays: a peer dials again only when it has lost the older one.
 * - With an existing FERAL node (form 1) a connection is one exchange. It is dialled every `interval`, at once when something was
 *   left over, and when there are local writes, but at most once per second. It is not waited for, and its connections are no
 *   rivals.
 * - A failed dial is tried again after a delay that doubles up to a cap, with jitter, and starts afresh after a
 *   connection that lasted a good minute. A refusal (passphrase, certificate) starts at a longer delay: the operator
 *   has to correct it. Whatever is said or seen at an address before anything is proved there binds that address alone,
 *   for a minute at most.
 * - How much is dialled is bounded (`roster/Budget.ts`), apart for static peers, for nodes at the address at which they have
 *   proved themselves, for nodes that announce themselves, and for those that others announce. So is how many nodes that have
 *   proved nothing are kept.
 *
 * An event costs O(log n) in the number of candidates: candidates that are due are found in heaps (`Agenda.ts`), those
 * in the way by node and by address.
 *
 * Time and randomness come in with the events. `deadline` says when the next `Tick` is wanted.
 */
import { HashMap, HashSet, Option } from "effect"
import { byCodePoint, type NodeId } from "../replica/NodeId.ts"
import { type Address, formatAddress } from "./Address.ts"
import * as Agenda from "./Agenda.ts"
import * as Budget from "./Budget.ts"
import { type Candidate, includesAddress, listed, mdnsKey, staticKey } from "./Candidate.ts"
import * as Newcomers from "./Newcomers.ts"
import { afterAttempt, afterEnd } from "./Redial.ts"
import { type Link, loserOf } from "./Rivals.ts"
import { dialDue, withCandidate } from "./Dialling.ts"
import {
  times,
  kept,
  type Options,
  type Roster,
  type Call,
  type Event,
  type Action,
  type Step,
  candidateOf,
  count,
  withoutLink,
  keysOf,
  linksTo,
  addTo,
  dropFrom,
  isSame
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
      return establish(roster, event)
    case "Ended":
      return ended(roster, event)
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

const appear = (roster: Roster, event: Extract<Event, { _tag: "Appeared" }>): Roster => {
  const { node, protocol, now, near = [] } = event
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

const establish = (roster: Roster, event: Extract<Event, { _tag: "Established" }>): Step => {
  const { link, node, key, form, now } = event
  const { self } = roster.options
  const made: Link = { id: link, node, dialledBy: key === undefined ? node : self, since: now }
  const call = key === undefined ? undefined : Option.getOrUndefined(HashMap.get(roster.calls, key))
  const candidate = key === undefined ? undefined : candidateOf(roster, key)
  const proven = prove(roster, node, call?.address.host ?? event.host)
  const bound = candidate === undefined ? proven : bind(proven, candidate, call?.address, node, now)
  const settled = key === undefined || call === undefined ? bound : connected(bound, key, call)
  const [rival] = form === 1 ? [] : linksTo(roster, node)
  const linked: Roster = {
    ...settled,
    links: HashMap.set(settled.links, link, made),
    linksByNode: addTo(settled.linksByNode, node, link)
  }
  const loser = rival === undefined ? undefined : loserOf(rival, made, self)
  return dialDue(
    loser === undefined ? linked : withoutLink(linked, loser.id),
    now,
    loser === undefined ? [] : [{ _tag: "Drop", link: loser.id }]
  )
}

/** Remembers that a node has proved itself, and where. */
const prove = (roster: Roster, node: NodeId, host: string | undefined): Roster => {
  const isNew = !roster.proven.has(node)
  if (!isNew && roster.proven.get(node) === host) return roster
  const proven = new Map(roster.proven)
  proven.delete(node)
  proven.set(node, host)
  const [oldest] = proven.keys()
  const isFull = proven.size > kept.proven && oldest !== undefined
  if (isFull) proven.delete(oldest)
  const shown = (of: NodeId) => keysOf(roster, of).filter((key) => candidateOf(roster, key)?.source === "mdns").length
  const by = (isNew ? shown(node) : 0) - (isFull ? shown(oldest) : 0)
  const counts = { proven: roster.counts.proven + by, unproven: roster.counts.unproven - by }
  return { ...roster, proven, counts }
}

/** A node is known by the candidate that was dialled, and by the static entry of the same address. */
const bind = (roster: Roster, dialled: Candidate, at: Address | undefined, node: NodeId, now: number): Roster => {
  const address = at ?? dialled.addresses[0]
  const listing = address === undefined ? undefined : candidateOf(roster, staticKey(address))
  const both = listing === undefined || listing.key === dialled.key ? [dialled] : [dialled, listing]
  return both.reduce((next, candidate) => withCandidate(next, { ...candidate, node }, now), roster)
}

/** A dial has led to a connection: it is under way no more. */
const connected = (roster: Roster, key: string, call: Call): Roster =>
  call.isEstablished
    ? roster
    : {
        ...roster,
        budget: Budget.clear(Budget.settle(roster.budget, call.lane, call.address), call.address),
        calls: HashMap.set(roster.calls, key, { ...call, isEstablished: true })
      }

/** The first failure of a node that announces itself raises the question whether it is still there. */
const ended = (roster: Roster, event: Extract<Event, { _tag: "Ended" }>): Step => {
  const [next, touched] = end(roster, event)
  const doubts = touched.flatMap((key): ReadonlyArray<Action> => {
    const { source, node, failures } = candidateOf(next, key) ?? { source: "static", node: undefined, failures: 0 }
    const isNew = failures === 1 && (candidateOf(roster, key)?.failures ?? 0) !== 1
    const isDoubt = source === "mdns" && node !== undefined && isNew && event.ending === "lost"
    return isDoubt ? [{ _tag: "Reconfirm", node }] : []
  })
  return dialDue(next, event.now, doubts)
}

/** After the end of a connection or a dial, and which candidates it concerned. */
const end = (roster: Roster, event: Extract<Event, { _tag: "Ended" }>): readonly [Roster, ReadonlyArray<string>] => {
  const { link, key, ending, random, now, retryAfter = 0 } = event
  const lost = Option.getOrUndefined(HashMap.get(roster.links, link))
  const call = key === undefined ? undefined : Option.getOrUndefined(HashMap.get(roster.calls, key))
  const without = withoutLink(key === undefined ? roster : hungUp(roster, key, now), link)
  const listed = key === undefined ? undefined : candidateOf(roster, key)?.addresses[0]
  const at = key === undefined ? undefined : (call?.address ?? event.address ?? listed)
  const isUnproved = lost === undefined && call?.isEstablished !== true && (ending === "lost" || ending === "refused")
  // Those who were told the same time do not all come back at the same moment.
  const asked = retryAfter === 0 ? 0 : retryAfter + random * times.spread
  const barred =
    isUnproved && at !== undefined
      ? {
          ...without,
          budget: Budget.bar(without.budget, at, now, (failures) => afterAttempt(ending, failures, asked, random))
        }
      : without
  // A peer that came in is dialled like one that was lost, when it is a candidate too.
  const touched = new Set([
    ...(key === undefined || candidateOf(barred, key) === undefined ? [] : [key]),
    ...(lost === undefined ? [] : keysOf(barred, lost.node))
  ])
  const wasGood = lost !== undefined && now - lost.since >= times.good
  const next = [...touched].reduce((before, touchedKey) => {
    const candidate = candidateOf(before, touchedKey)
    if (candidate === undefined) return before
    const idle = candidate.key === key ? { ...candidate, dialling: false } : candidate
    // A failure at one address before any proof does not delay the other addresses.
    const after = isUnproved
      ? { failures: idle.failures + 1 }
      : afterEnd(before.options.interval, idle, ending, wasGood, random, now)
    return withCandidate(before, { ...idle, ...after }, now)
  }, barred)
  return [next, [...touched]]
}

/** A dial is over: others may have its address. */
const hungUp = (roster: Roster, key: string, now: number): Roster => {
  const call = Option.getOrUndefined(HashMap.get(roster.calls, key))
  if (call === undefined) return roster
  const address = formatAddress(call.address)
  const node = candidateOf(roster, key)?.node ?? call.node
  const waiting = Option.getOrElse(HashMap.get(roster.waiting, address), () => [])
  const free: Roster = {
    ...roster,
    budget: call.isEstablished ? roster.budget : Budget.settle(roster.budget, call.lane, call.address),
    calls: HashMap.remove(roster.calls, key),
    callByAddress: HashMap.remove(roster.callByAddress, address),
    waiting: HashMap.remove(roster.waiting, address)
  }
  return [...waiting, ...(node === undefined ? [] : keysOf(roster, node))].reduce((next, other) => {
    const candidate = other === key ? undefined : candidateOf(next, other)
    return candidate === undefined ? next : withCandidate(next, candidate, now)
  }, free)
}
