/**
 * Whom to dial and when, as a state machine: `step(roster, event) -> [roster, actions]`.
 *
 * - Peers come from mDNS first. The static list is used when no peer was seen for `mdnsTimeout`, and at once when mDNS is off or
 *   unavailable. mDNS goes on meanwhile; what is discovered and what is configured is joined by node id.
 * - Of two nodes that see each other, the one with the lower id dials; the other waits `patience`, then dials too, for the
 *   network may let connections through in one direction only.
 * - One connection for each pair. Of two that are made at the same time, the one that the lower id dialled stays. Later on
 *   the newer stays: a peer dials again only when it has lost the older one.
 * - With an existing FERAL node (form 1) a connection is one exchange. It is dialled every `interval`, at once when something was
 *   left over, and when there are local writes, but at most once per second. It is not waited for, and its connections are no
 *   rivals.
 * - A failed dial is tried again after a delay that doubles up to a cap, with jitter, and starts afresh after a connection
 *   that lasted a good minute. A refusal (passphrase, certificate) starts at a longer delay: someone has to mend it.
 *
 * Time and randomness come in with the events. `deadline` says when the next `Tick` is wanted.
 */
import { formatAddress, type Address } from "./Address.ts"
import type { NodeId } from "./NodeId.ts"
import { byCodePoint } from "./NodeId.ts"

/** Times in milliseconds. */
export const times = {
  /** How long the higher id waits for the lower one to dial. */
  patience: 5_000,
  /** Two connections made within this time were made at the same time. */
  simultaneous: 10_000,
  /** A connection that lasted this long was good. */
  good: 60_000,
  /** The least time between two exchanges with an existing FERAL node, when local writes wait. */
  exchange: 1_000,
  /** Over how much time those come back who were asked to wait. */
  spread: 1_000,
  retry: { first: 250, cap: 30_000 },
  // More than twice the longest wait of a rate limit, so that who is refused for its passphrase leaves room for others of its
  // address.
  refused: { first: 5_000, cap: 150_000 }
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

/** Where a candidate comes from. */
export type Source = "mdns" | "static"

/** Somebody who could be dialled. */
export interface Candidate {
  readonly key: string
  readonly source: Source
  /** Announced by mDNS; for a static entry known once it has answered. */
  readonly node: NodeId | undefined
  /** Best first; each dial takes the next one. */
  readonly addresses: ReadonlyArray<Address>
  readonly dialling: boolean
  /** When to dial next (ms); never for an address that is our own. */
  readonly dialAt: number
  /** Dials in a row that failed. */
  readonly failures: number
  /** When the last exchange with an existing FERAL node was over (ms); none with a node that speaks form 2. */
  readonly exchangedAt: number | undefined
}

/** An established connection. */
export interface Link {
  readonly id: number
  readonly node: NodeId
  readonly dialledBy: NodeId
  readonly since: number
}

export interface Roster {
  readonly options: Options
  readonly mdns: "on" | "off" | "unavailable"
  readonly static: "waiting" | "active" | "none"
  /** Since when no peer is known by mDNS (ms). */
  readonly aloneSince: number
  readonly candidates: ReadonlyMap<string, Candidate>
  readonly links: ReadonlyMap<number, Link>
}

/** How a dial or a connection ended. */
export type Ending =
  /** It was lost, or never came about. */
  | "lost"
  /** One side does not let the other in. */
  | "refused"
  /** The address is our own. */
  | "self"
  /** It was given up for another connection to the same node. */
  | "duplicate"
  /** An exchange with an existing FERAL node is over. */
  | "exchanged"
  /** It is over, and something was left. */
  | "unfinished"

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

export type Step = readonly [Roster, ReadonlyArray<Action>]

/** A roster that knows nobody. */
export const initial = (options: Options, now: number): Step =>
  dialDue(
    useStatic(
      {
        options,
        mdns: options.mdns ? "on" : "off",
        static: options.peers.length === 0 ? "none" : "waiting",
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
      return dialDue(end(roster, event), now)
    case "Tick":
      return dialDue(useStatic(roster, now), now)
  }
}

/** When the roster wants a `Tick` (ms). */
export const deadline = (roster: Roster): number => {
  let at =
    roster.static === "waiting" && !hasMdnsPeer(roster) ? roster.aloneSince + roster.options.mdnsTimeout : Infinity
  for (const candidate of roster.candidates.values()) {
    if (isWanted(roster, candidate)) at = Math.min(at, candidate.dialAt)
  }
  return at
}

const mdnsKey = (node: NodeId): string => `mdns ${node}`
const staticKey = (address: Address): string => `static ${formatAddress(address)}`

const hasMdnsPeer = ({ candidates }: Roster): boolean =>
  [...candidates.values()].some(({ source }) => source === "mdns")

const appear = (roster: Roster, { node, addresses, protocol, now }: Extract<Event, { _tag: "Appeared" }>): Roster => {
  const key = mdnsKey(node)
  const known = roster.candidates.get(key)
  if (known !== undefined && addresses.every((address) => includesAddress(known.addresses, address))) {
    return withCandidate(roster, { ...known, addresses })
  }
  const wait = protocol === 1 || byCodePoint(roster.options.self, node) < 0 ? 0 : times.patience
  return withCandidate(roster, {
    key,
    source: "mdns",
    node,
    addresses,
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
  const key = staticKey(address)
  if (roster.candidates.has(key)) return roster
  return withCandidate(roster, {
    key,
    source: "static",
    node: undefined,
    addresses: [address],
    dialling: false,
    dialAt: now,
    failures: 0,
    exchangedAt: undefined
  })
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
  const bound = candidate === undefined ? roster : withCandidate(roster, { ...candidate, node })
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

/** Which of two connections to one node goes; none while the other side has to decide. */
const loserOf = (older: Link, newer: Link, self: NodeId): Link | undefined => {
  if (newer.since - older.since > times.simultaneous) return older
  if (older.dialledBy === newer.dialledBy) return newer.dialledBy === self ? newer : undefined
  return byCodePoint(older.dialledBy, newer.dialledBy) < 0 ? newer : older
}

const end = (roster: Roster, event: Extract<Event, { _tag: "Ended" }>): Roster => {
  const { link, key, ending, random, now, retryAfter = 0 } = event
  // Those who were told the same time do not all come back at the same moment.
  const asked = retryAfter === 0 ? now : now + retryAfter + random * times.spread
  const lost = roster.links.get(link)
  const without = withoutLink(roster, link)
  // A peer that came in is dialled like one that was lost, when it is a candidate too.
  const dialled = [...without.candidates.values()].filter(
    (candidate) => candidate.key === key || (lost !== undefined && candidate.node === lost.node)
  )
  const wasGood = lost !== undefined && now - lost.since >= times.good
  return dialled.reduce((next, candidate) => {
    const idle = candidate.key === key ? { ...candidate, dialling: false } : candidate
    const after = afterEnd(roster.options, idle, ending, wasGood, random, now)
    return withCandidate(next, { ...idle, ...after, dialAt: Math.max(after.dialAt, asked) })
  }, without)
}

/** When to dial again, and what counts as a failure. */
const afterEnd = (
  { interval }: Options,
  candidate: Candidate,
  ending: Ending,
  wasGood: boolean,
  random: number,
  now: number
): Pick<Candidate, "failures" | "dialAt" | "exchangedAt"> => {
  const { exchangedAt } = candidate
  const failures = wasGood ? 0 : candidate.failures + 1
  switch (ending) {
    case "exchanged":
      return { failures: 0, dialAt: now + interval, exchangedAt: now }
    case "unfinished":
      return { failures: 0, dialAt: now, exchangedAt: now }
    case "duplicate":
      return { failures: candidate.failures, dialAt: Math.max(now, candidate.dialAt), exchangedAt }
    case "self":
      return { failures, dialAt: Infinity, exchangedAt }
    case "refused":
      return { failures, dialAt: now + backoff(times.refused, failures, random), exchangedAt }
    case "lost":
      return { failures, dialAt: now + backoff(times.retry, failures, random), exchangedAt }
  }
}

/** The delay before try `failures + 1`: doubling, capped, and spread over its upper half. */
export const backoff = (
  { first, cap }: { readonly first: number; readonly cap: number },
  failures: number,
  random: number
): number => Math.min(cap, first * 2 ** Math.max(0, failures - 1)) * (0.5 + random / 2)

/** Dials whoever is due. */
const dialDue = (roster: Roster, now: number, before: ReadonlyArray<Action> = []): Step => {
  const actions = [...before]
  let next = roster
  for (const candidate of roster.candidates.values()) {
    const address = candidate.addresses[candidate.failures % candidate.addresses.length]
    if (address === undefined || candidate.dialAt > now || !isWanted(next, candidate)) continue
    next = withCandidate(next, { ...candidate, dialling: true })
    actions.push({ _tag: "Dial", key: candidate.key, address })
  }
  return [next, actions]
}

/** Whether a candidate should be dialled at all: its node is neither connected nor being dialled. */
const isWanted = ({ links, candidates, options }: Roster, { dialling, node }: Candidate): boolean => {
  if (dialling || node === options.self) return false
  if (node === undefined) return true
  const isSame = (other: { readonly node: NodeId | undefined }) => other.node === node
  return ![...links.values()].some(isSame) && ![...candidates.values()].some((other) => other.dialling && isSame(other))
}

const includesAddress = (addresses: ReadonlyArray<Address>, address: Address): boolean =>
  addresses.some(({ host, port }) => host === address.host && port === address.port)

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
