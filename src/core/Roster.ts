/**
 * Whom to dial and when, as a state machine: `step(roster, event) -> [roster, actions]`.
 *
 * - Peers come from mDNS first. The static list is used when no peer was seen for `mdnsTimeout`, and at once when mDNS is off or
 *   unavailable. mDNS goes on meanwhile; what is discovered and what is configured is joined by node id.
 * - Of two nodes that see each other, the one with the lower id dials; the other waits `patience`, then dials too, for the
 *   network may let connections through in one direction only.
 * - One connection for each pair. Of two that are made at the same time, the one that the lower id dialled stays. Later on
 *   the newer stays: a peer dials again only when it has lost the older one.
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
  retry: { first: 250, cap: 30_000 },
  refused: { first: 5_000, cap: 60_000 }
} as const

export interface Options {
  readonly self: NodeId
  readonly mdns: boolean
  readonly mdnsTimeout: number
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

export type Event =
  | {
      readonly _tag: "Appeared"
      readonly now: number
      readonly node: NodeId
      readonly addresses: ReadonlyArray<Address>
    }
  | { readonly _tag: "Listed"; readonly now: number; readonly address: Address }
  | { readonly _tag: "Vanished"; readonly now: number; readonly node: NodeId }
  | { readonly _tag: "MdnsAvailable"; readonly now: number }
  | { readonly _tag: "MdnsUnavailable"; readonly now: number }
  /** A handshake is done. `key` is the candidate that was dialled; none for a connection that came in. */
  | {
      readonly _tag: "Established"
      readonly now: number
      readonly link: number
      readonly node: NodeId
      readonly key: string | undefined
    }
  /** A connection ended, or a dial failed. `random` is in [0, 1). */
  | {
      readonly _tag: "Ended"
      readonly now: number
      readonly link: number
      readonly key: string | undefined
      readonly ending: Ending
      readonly random: number
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
      return dialDue(
        event.node === roster.options.self ? roster : appear(roster, event.node, event.addresses, now),
        now
      )
    case "Listed":
      return dialDue(list(roster, event.address, now), now)
    case "Vanished":
      return dialDue(vanish(roster, event.node, now), now)
    case "MdnsAvailable":
      return dialDue({ ...roster, mdns: "on" }, now)
    case "MdnsUnavailable":
      return dialDue(useStatic({ ...roster, mdns: "unavailable" }, now), now)
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

const appear = (roster: Roster, node: NodeId, addresses: ReadonlyArray<Address>, now: number): Roster => {
  const key = mdnsKey(node)
  const known = roster.candidates.get(key)
  const isNew = known === undefined || addresses.some((address) => !includesAddress(known.addresses, address))
  const wait = byCodePoint(roster.options.self, node) < 0 ? 0 : times.patience
  const candidate: Candidate = isNew
    ? { key, source: "mdns", node, addresses, dialling: known?.dialling ?? false, dialAt: now + wait, failures: 0 }
    : { ...known, addresses }
  return withCandidate(roster, candidate)
}

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
    failures: 0
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

const establish = (roster: Roster, { link, node, key, now }: Extract<Event, { _tag: "Established" }>): Step => {
  const { self } = roster.options
  const dialledBy = key === undefined ? node : self
  const made: Link = { id: link, node, dialledBy, since: now }
  const candidate = key === undefined ? undefined : roster.candidates.get(key)
  const bound = candidate === undefined ? roster : withCandidate(roster, { ...candidate, node })
  const rival = [...roster.links.values()].find((other) => other.node === node)
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

const end = (roster: Roster, { link, key, ending, random, now }: Extract<Event, { _tag: "Ended" }>): Roster => {
  const lost = roster.links.get(link)
  const without = withoutLink(roster, link)
  // A peer that came in is dialled like one that was lost, when it is a candidate too.
  const dialled = [...without.candidates.values()].filter(
    (candidate) => candidate.key === key || (lost !== undefined && candidate.node === lost.node)
  )
  const wasGood = lost !== undefined && now - lost.since >= times.good
  return dialled.reduce((next, candidate) => {
    const failures = wasGood ? 0 : candidate.failures + 1
    const delays = ending === "refused" ? times.refused : times.retry
    const wait = ending === "self" ? Infinity : ending === "duplicate" ? 0 : backoff(delays, failures, random)
    return withCandidate(next, {
      ...candidate,
      dialling: candidate.key === key ? false : candidate.dialling,
      failures: ending === "duplicate" ? candidate.failures : failures,
      dialAt: Math.max(now + wait, ending === "duplicate" ? candidate.dialAt : 0)
    })
  }, without)
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
  const candidates = new Map(roster.candidates)
  const busy = new Set(
    [...candidates.values()].flatMap(({ dialling, node }) => (dialling && node !== undefined ? [node] : []))
  )
  for (const candidate of roster.candidates.values()) {
    const address = candidate.addresses[candidate.failures % candidate.addresses.length]
    if (address === undefined || candidate.dialAt > now || !isWanted(roster, candidate)) continue
    if (candidate.node !== undefined && busy.has(candidate.node)) continue
    if (candidate.node !== undefined) busy.add(candidate.node)
    candidates.set(candidate.key, { ...candidate, dialling: true })
    actions.push({ _tag: "Dial", key: candidate.key, address })
  }
  return actions.length === before.length ? [roster, actions] : [{ ...roster, candidates }, actions]
}

/** Whether a candidate should be dialled at all: it is not, and nothing connects us with its node. */
const isWanted = ({ links, options }: Roster, { dialling, node }: Candidate): boolean =>
  !dialling && node !== options.self && ![...links.values()].some((link) => link.node === node)

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
