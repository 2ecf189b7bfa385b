/**
 * Whom to dial and when, as a state machine: `step(roster, event) -> [roster, actions]`.
 *
 * - Peers come from mDNS first. The static list is used when no peer was seen for `mdnsTimeout`, and at once when mDNS is off or
 *   unavailable. mDNS goes on meanwhile; what is discovered and what is configured is joined by node id.
 * - Of two nodes that see each other, the one with the lower id dials; the other waits `patience`, then dials too, for the
 *   network may let connections through in one direction only. Who has just started does not wait: nobody can have heard of it.
 * - One connection for each pair. Of two that are made at the same time, the one that the lower id dialled stays. Later on
 *   the newer stays: a peer dials again only when it has lost the older one.
 * - With an existing FERAL node (form 1) a connection is one exchange. It is dialled every `interval`, at once when something was
 *   left over, and when there are local writes, but at most once per second. It is not waited for, and its connections are no
 *   rivals.
 * - A failed dial is tried again after a delay that doubles up to a cap, with jitter, and starts afresh after a connection
 *   that lasted a good minute. A refusal (passphrase, certificate) starts at a longer delay: someone has to mend it. What a
 *   side does before it has proved itself delays its own address alone, by at most a minute; the other addresses are tried.
 *
 * Time and randomness come in with the events. `deadline` says when the next `Tick` is wanted.
 */
import { type Address, formatAddress } from "./Address.ts"
import { byCodePoint, type NodeId } from "./NodeId.ts"
import {
  addressOf,
  type Candidate,
  dueAt,
  includesAddress,
  isWanted,
  listed,
  mdnsKey,
  staticKey
} from "./roster/Candidate.ts"
import { afterAttempt, afterEnd, type Ending } from "./roster/Redial.ts"
import { type Link, loserOf } from "./roster/Rivals.ts"

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
  /** Over how much time those come back who were asked to wait. */
  spread: 1_000
} as const

export interface Options {
  readonly self: NodeId
  readonly mdns: boolean
  readonly mdnsTimeout: number
  /** How often an existing FERAL node is synced. */
  readonly interval: number
  /** The static list. */
  readonly peers: ReadonlyArray<Address>
}

export interface Roster {
  readonly options: Options
  readonly mdns: "on" | "off" | "unavailable"
  readonly static: "waiting" | "active" | "none"
  /** When it began (ms). */
  readonly since: number
  /** Since when no peer is known by mDNS (ms). */
  readonly aloneSince: number
  readonly candidates: ReadonlyMap<string, Candidate>
  readonly links: ReadonlyMap<number, Link>
}

export type { Ending } from "./roster/Redial.ts"

export type Event =
  | {
      readonly _tag: "Appeared"
      readonly now: number
      readonly node: NodeId
      readonly addresses: ReadonlyArray<Address>
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
      readonly form: 1 | 2
    }
  /** A connection ended, or a dial failed. `random` is in [0, 1). */
  | {
      readonly _tag: "Ended"
      readonly now: number
      readonly link: number
      readonly key: string | undefined
      /** The address that was dialled. */
      readonly address?: Address
      readonly ending: Ending
      readonly random: number
      /** How long the other side asked us to stay away (ms). */
      readonly retryAfter?: number
    }
  | { readonly _tag: "Tick"; readonly now: number }

export type Action =
  | { readonly _tag: "Dial"; readonly key: string; readonly address: Address }
  /** End this connection: there is another one to the same node. */
  | { readonly _tag: "Drop"; readonly link: number }
  /** The node was not found where it announces itself: is it still there? */
  | { readonly _tag: "Reconfirm"; readonly node: NodeId }

export type Step = readonly [Roster, ReadonlyArray<Action>]

/** A roster that knows nobody. */
export const initial = (options: Options, now: number): Step =>
  dialDue(
    useStatic(
      {
        options,
        mdns: options.mdns ? "on" : "off",
        static: options.peers.length === 0 ? "none" : "waiting",
        since: now,
        aloneSince: now,
        candidates: new Map(),
        links: new Map()
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
  let at =
    roster.static === "waiting" && !hasMdnsPeer(roster) ? roster.aloneSince + roster.options.mdnsTimeout : Infinity
  const candidates = [...roster.candidates.values()]
  for (const candidate of candidates) {
    if (isWanted(candidate, roster.options.self, candidates, roster.links.values()))
      at = Math.min(at, dueAt(candidate))
  }
  return at
}

const hasMdnsPeer = ({ candidates }: Roster): boolean =>
  [...candidates.values()].some(({ source }) => source === "mdns")

const appear = (roster: Roster, { node, addresses, protocol, now }: Extract<Event, { _tag: "Appeared" }>): Roster => {
  const key = mdnsKey(node)
  const known = roster.candidates.get(key)
  if (known !== undefined && addresses.every((address) => includesAddress(known.addresses, address))) {
    return withCandidate(roster, { ...known, addresses })
  }
  const isOurs = protocol === 1 || byCodePoint(roster.options.self, node) < 0 || now - roster.since < times.unannounced
  const wait = isOurs ? 0 : times.patience
  return withCandidate(roster, {
    key,
    source: "mdns",
    node,
    addresses,
    attempts: new Map(
      [...(known?.attempts ?? [])].filter(([text]) => addresses.some((a) => formatAddress(a) === text))
    ),
    dialling: known?.dialling ?? false,
    dialAt: now + wait,
    failures: 0,
    exchangedAt: known?.exchangedAt
  })
}

/** Local writes do not wait for the interval. */
const hurry = (roster: Roster, now: number): Roster =>
  [...roster.candidates.values()].reduce(
    (next, candidate) =>
      candidate.exchangedAt === undefined || candidate.failures > 0
        ? next
        : withCandidate(next, {
            ...candidate,
            dialAt: Math.min(candidate.dialAt, Math.max(now, candidate.exchangedAt + times.exchange))
          }),
    roster
  )

const list = (roster: Roster, address: Address, now: number): Roster => {
  return roster.candidates.has(staticKey(address)) ? roster : withCandidate(roster, listed(address, now))
}

const vanish = (roster: Roster, node: NodeId, now: number): Roster => {
  if (!roster.candidates.has(mdnsKey(node))) return roster
  const candidates = new Map(roster.candidates)
  candidates.delete(mdnsKey(node))
  const without = { ...roster, candidates }
  return hasMdnsPeer(without) ? without : { ...without, aloneSince: now }
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

const establish = (roster: Roster, { link, node, key, form, now }: Extract<Event, { _tag: "Established" }>): Step => {
  const { self } = roster.options
  const dialledBy = key === undefined ? node : self
  const made: Link = { id: link, node, dialledBy, since: now }
  const candidate = key === undefined ? undefined : roster.candidates.get(key)
  const bound = candidate === undefined ? roster : bind(roster, candidate, node)
  const isExchange = form === 1
  const rival = isExchange ? undefined : [...roster.links.values()].find((other) => other.node === node)
  const linked = { ...bound, links: new Map(bound.links).set(link, made) }
  const loser = rival === undefined ? undefined : loserOf(rival, made, self)
  return dialDue(
    loser === undefined ? linked : withoutLink(linked, loser.id),
    now,
    loser === undefined ? [] : [{ _tag: "Drop", link: loser.id }]
  )
}

/** A node is known by the candidate that was dialled, and by every static entry of the same address. */
const bind = (roster: Roster, dialled: Candidate, node: NodeId): Roster => {
  const address = addressOf(dialled)
  const isListed = ({ source, addresses }: Candidate) =>
    source === "static" && address !== undefined && includesAddress(addresses, address)
  return [...roster.candidates.values()]
    .filter((candidate) => candidate.key === dialled.key || isListed(candidate))
    .reduce((next, candidate) => withCandidate(next, { ...candidate, node }), roster)
}

/** The first failure of a node that announces itself raises the question whether it is still there. */
const ended = (roster: Roster, event: Extract<Event, { _tag: "Ended" }>): Step => {
  const next = end(roster, event)
  const doubts = [...next.candidates.values()].flatMap(({ key, source, node, failures }): ReadonlyArray<Action> => {
    const isNew = failures === 1 && (roster.candidates.get(key)?.failures ?? 0) !== 1
    const isDoubt = source === "mdns" && node !== undefined && isNew && event.ending === "lost"
    return isDoubt ? [{ _tag: "Reconfirm", node }] : []
  })
  return dialDue(next, event.now, doubts)
}

const end = (roster: Roster, event: Extract<Event, { _tag: "Ended" }>): Roster => {
  const { link, key, address, ending, random, now, retryAfter = 0 } = event
  const lost = roster.links.get(link)
  const without = withoutLink(roster, link)
  // A peer that came in is dialled like one that was lost, when it is a candidate too.
  const dialled = [...without.candidates.values()].filter(
    (candidate) => candidate.key === key || (lost !== undefined && candidate.node === lost.node)
  )
  const wasGood = lost !== undefined && now - lost.since >= times.good
  // Those who were told the same time do not all come back at the same moment.
  const asked = retryAfter === 0 ? 0 : retryAfter + random * times.spread
  return dialled.reduce((next, candidate) => {
    const idle = candidate.key === key ? { ...candidate, dialling: false } : candidate
    const at = address ?? addressOf(candidate)
    if (lost === undefined && at !== undefined && (ending === "lost" || ending === "refused")) {
      const attempts = afterAttempt(candidate, at, ending, asked, random, now)
      return withCandidate(next, { ...idle, attempts, failures: candidate.failures + 1 })
    }
    const after = afterEnd(roster.options.interval, idle, ending, wasGood, random, now)
    return withCandidate(next, { ...idle, ...after, attempts: new Map() })
  }, without)
}

/** Dials whoever is due. */
const dialDue = (roster: Roster, now: number, before: ReadonlyArray<Action> = []): Step => {
  const actions = [...before]
  let next = roster
  for (const candidate of roster.candidates.values()) {
    const address = addressOf(candidate)
    if (
      address === undefined ||
      dueAt(candidate) > now ||
      !isWanted(candidate, next.options.self, [...next.candidates.values()], next.links.values())
    )
      continue
    next = withCandidate(next, { ...candidate, dialling: true })
    actions.push({ _tag: "Dial", key: candidate.key, address })
  }
  return [next, actions]
}

const withCandidate = (roster: Roster, candidate: Candidate): Roster => ({
  ...roster,
  candidates: new Map(roster.candidates).set(candidate.key, candidate)
})

const withoutLink = (roster: Roster, link: number): Roster => {
  if (!roster.links.has(link)) return roster
  const links = new Map(roster.links)
  links.delete(link)
  return { ...roster, links }
}
