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
import { type Address, formatAddress } from "./Address.ts"
import { byCodePoint, type NodeId } from "../replica/NodeId.ts"
import * as Agenda from "./Agenda.ts"
import * as Budget from "./Budget.ts"
import { type Candidate, includesAddress, listed, mdnsKey, staticKey } from "./Candidate.ts"
import * as Newcomers from "./Newcomers.ts"
import { afterAttempt, afterEnd, type Ending } from "./Redial.ts"
import { type Link, loserOf } from "./Rivals.ts"

/** Times in milliseconds. */
export const times = {
  /** How long the higher id waits for the lower one to dial. */
  patience: 5_000,
  /** A node that starts is not announced before: it makes sure that its names are its own (`dnssd/Probe.ts`). */
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
  readonly proven: ReadonlyMap<NodeId, string | undefined>
  /** Nodes that are not dialled until they are resumed. */
  readonly paused: ReadonlySet<NodeId>
  /** Candidates of mDNS whose node has proved itself, and others. */
  readonly counts: { readonly proven: number; readonly unproven: number }
}

/** A dial, from its begin to the end of the connection that comes of it. */
interface Call {
  readonly address: Address
  /** The node that was expected there. */
  readonly node: NodeId | undefined
  readonly lane: Agenda.Lane
  /** It has led to a connection. */
  readonly isEstablished: boolean
}

export type { Ending } from "./Redial.ts"

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
  /** These nodes are paused now, and no others: they are not dialled. Their connections are the business of the caller. */
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

/** A candidate by its key. */
export const candidateOf = ({ candidates }: Roster, key: string): Candidate | undefined =>
  Option.getOrUndefined(HashMap.get(candidates, key))

/** All candidates. */
export const candidatesOf = ({ candidates }: Roster): Iterable<Candidate> => HashMap.values(candidates)

/**
 * Whether an announced name has led to another node, which is known by its own name as well: an existing FERAL node that was
 * restarted under a new id, and never withdrew the old one.
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

/** Dials the candidates that are due, as far as the budget goes. */
const dialDue = (roster: Roster, now: number, before: ReadonlyArray<Action> = []): Step => {
  const actions = [...before]
  let next = roster
  let isDone = false
  while (!isDone) {
    isDone = true
    for (const lane of Agenda.lanes) {
      while (Budget.laneReadyAt(next.budget, lane) <= now) {
        const [pruned, key] = pick(next, lane, now)
        next = pruned
        if (key === undefined) break
        const [after, action] = dial(next, key, lane, now)
        next = after
        if (action !== undefined) actions.push(action)
        // It may be due in a lane that had its turn.
        else isDone = false
      }
    }
  }
  return [withoutBlocked(next, now), actions]
}

/** The next candidate of a lane: in turns the newest, and the one that has waited longest. */
const pick = (roster: Roster, lane: Agenda.Lane, now: number): readonly [Roster, string | undefined] => {
  const [agenda, first] = Agenda.earliest(roster.agenda, lane)
  const next: Roster = { ...roster, agenda, isTurnOfNewest: !roster.isTurnOfNewest }
  if (first === undefined || first.at > now) return [next, undefined]
  if (!roster.isTurnOfNewest || (lane !== "near" && lane !== "far")) return [next, first.key]
  const top = Newcomers.from(roster.newcomers[lane], (key, cameAt) => {
    const candidate = candidateOf(roster, key)
    return candidate !== undefined && candidate.cameAt === cameAt && !candidate.isTried
  })
  const newest = top === undefined ? undefined : candidateOf(roster, top.key)
  const isReady =
    newest !== undefined &&
    newest.dialAt <= now &&
    blockerOf(roster, newest, now) === undefined &&
    choose(roster, newest, now).lane === lane &&
    Budget.isHostReady(roster.budget, lane, choose(roster, newest, now).address, now)
  return [
    { ...next, newcomers: { ...next.newcomers, [lane]: top } },
    newest !== undefined && isReady ? newest.key : first.key
  ]
}

/** Dials a candidate, or puts it down for later. */
const dial = (roster: Roster, key: string, lane: Agenda.Lane, now: number): readonly [Roster, Action | undefined] => {
  const candidate = candidateOf(roster, key)
  if (candidate === undefined) return [roster, undefined]
  const blocker = blockerOf(roster, candidate, now)
  if (blocker !== undefined) return [park(roster, key, blocker), undefined]
  const { address, lane: own, at } = choose(roster, candidate, now)
  const later = (next: Roster, time: number): readonly [Roster, undefined] => [
    { ...next, agenda: Agenda.schedule(next.agenda, { key, lane: own, at: time }) },
    undefined
  ]
  if (own !== lane || at > now) return later(roster, Math.max(at, now))
  if (!Budget.isHostReady(roster.budget, lane, address, now)) {
    const [budget, time] = Budget.book(roster.budget, address, now)
    return later({ ...roster, budget }, time)
  }
  const dialled: Roster = {
    ...roster,
    candidates: HashMap.set(roster.candidates, key, { ...candidate, dialling: true, isTried: true }),
    agenda: Agenda.remove(roster.agenda, key),
    budget: Budget.spend(roster.budget, lane, address, now),
    calls: HashMap.set(roster.calls, key, { address, node: candidate.node, lane, isEstablished: false }),
    callByAddress: HashMap.set(roster.callByAddress, formatAddress(address), key)
  }
  return [dialled, { _tag: "Dial", key, address }]
}

/**
 * Which address of a candidate is next, in which lane, and when. One that others announce may belong to another node:
 * first comes where the node was met, then where it announces itself, then the one that may be tried soonest; of
 * several the best.
 */
const choose = (roster: Roster, { source, node, addresses, near }: Candidate, now: number) => {
  const proved = node === undefined ? undefined : roster.proven.get(node)
  const freeAt = (address: Address) => Budget.barredUntil(roster.budget, address)
  const soonest = (among: ReadonlyArray<Address>) =>
    among.reduce<Address | undefined>(
      (best, address) => (best === undefined || freeAt(address) < freeAt(best) ? address : best),
      undefined
    )
  const free = addresses.filter((address) => freeAt(address) <= now)
  const address =
    soonest(free.filter(({ host }) => host === proved)) ??
    soonest(free.filter(({ host }) => near.includes(host))) ??
    soonest(addresses) ??
    nowhere
  const lane: Agenda.Lane =
    source === "static"
      ? "static"
      : proved !== undefined && address.host === proved
        ? "known"
        : near.includes(address.host)
          ? "near"
          : "far"
  return { address, lane, at: freeAt(address) }
}

const nowhere: Address = { host: "", port: 0 }

/** The reason that a candidate cannot be dialled now; the address, if that is in use. */
interface Blocker {
  readonly address: string | undefined
}

/** What keeps a candidate from being dialled: its node or its address is connected or being dialled. */
const blockerOf = (roster: Roster, candidate: Candidate, now: number): Blocker | undefined => {
  const { key, dialling, node, addresses } = candidate
  if (dialling || addresses.length === 0 || node === roster.options.self || isAlias(roster, candidate))
    return { address: undefined }
  if (node !== undefined) {
    if (roster.paused.has(node)) return { address: undefined }
    if (linksTo(roster, node).length > 0) return { address: undefined }
    const isDialled = (other: string) => other !== key && candidateOf(roster, other)?.dialling === true
    if (keysOf(roster, node).some(isDialled)) return { address: undefined }
  }
  const address = formatAddress(choose(roster, candidate, now).address)
  const holder = Option.getOrUndefined(HashMap.get(roster.callByAddress, address))
  return holder !== undefined && holder !== key ? { address } : undefined
}

/** Takes a candidate off the agenda until what is in its way is gone: every end puts those down again that it concerns. */
const park = (roster: Roster, key: string, { address }: Blocker): Roster => ({
  ...roster,
  agenda: Agenda.remove(roster.agenda, key),
  waiting: address === undefined ? roster.waiting : addTo(roster.waiting, address, key)
})

/** The agenda begins with those who can be dialled. */
const withoutBlocked = (roster: Roster, now: number): Roster => {
  let next = roster
  for (const lane of Agenda.lanes) {
    for (;;) {
      const [agenda, first] = Agenda.earliest(next.agenda, lane)
      next = { ...next, agenda }
      const candidate = first === undefined ? undefined : candidateOf(next, first.key)
      const blocker = candidate === undefined ? undefined : blockerOf(next, candidate, now)
      if (candidate === undefined || blocker === undefined) break
      next = park(next, candidate.key, blocker)
    }
  }
  return next
}

/** Takes in a candidate, new or changed, and puts it down for its time. */
const withCandidate = (roster: Roster, candidate: Candidate, now: number): Roster => {
  const { key, node, exchangedAt } = candidate
  const before = candidateOf(roster, key)
  const keysByNode =
    before?.node === node || before?.node === undefined
      ? roster.keysByNode
      : dropFrom(roster.keysByNode, before.node, key)
  const next: Roster = {
    ...roster,
    candidates: HashMap.set(roster.candidates, key, candidate),
    keysByNode: node === undefined || before?.node === node ? keysByNode : addTo(keysByNode, node, key),
    exchanging:
      exchangedAt === undefined ? HashSet.remove(roster.exchanging, key) : HashSet.add(roster.exchanging, key),
    counts: count(roster, before === undefined ? roster.counts : count(roster, roster.counts, before, -1), candidate, 1)
  }
  if (candidate.dialling) return next
  const { lane, at } = choose(next, candidate, now)
  return { ...next, agenda: Agenda.schedule(next.agenda, { key, lane, at: Math.max(candidate.dialAt, at) }) }
}

const count = (
  { proven }: Roster,
  counts: Roster["counts"],
  { source, node }: Candidate,
  by: 1 | -1
): Roster["counts"] => {
  if (source === "static" || node === undefined) return counts
  return proven.has(node) ? { ...counts, proven: counts.proven + by } : { ...counts, unproven: counts.unproven + by }
}

const withoutLink = (roster: Roster, id: number): Roster => {
  const link = Option.getOrUndefined(HashMap.get(roster.links, id))
  if (link === undefined) return roster
  return {
    ...roster,
    links: HashMap.remove(roster.links, id),
    linksByNode: dropFrom(roster.linksByNode, link.node, id)
  }
}

const keysOf = ({ keysByNode }: Roster, node: NodeId): ReadonlyArray<string> =>
  Option.getOrElse(HashMap.get(keysByNode, node), () => [])

const linksTo = ({ links, linksByNode }: Roster, node: NodeId): ReadonlyArray<Link> =>
  Option.getOrElse(HashMap.get(linksByNode, node), () => []).flatMap((id) => Option.toArray(HashMap.get(links, id)))

const addTo = <K, A>(map: HashMap.HashMap<K, ReadonlyArray<A>>, key: K, value: A) => {
  const before = Option.getOrElse(HashMap.get(map, key), (): ReadonlyArray<A> => [])
  return before.includes(value) ? map : HashMap.set(map, key, [...before, value])
}

const dropFrom = <K, A>(map: HashMap.HashMap<K, ReadonlyArray<A>>, key: K, value: A) => {
  const rest = Option.getOrElse(HashMap.get(map, key), (): ReadonlyArray<A> => []).filter((other) => other !== value)
  return rest.length === 0 ? HashMap.remove(map, key) : HashMap.set(map, key, rest)
}

const isSame = (a: Address, b: Address): boolean => a.host === b.host && a.port === b.port
