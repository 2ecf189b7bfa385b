/**
 * What the roster learns from its connections: when one is made, and when one ends, or the dial that should have led to
 * it.
 */
import { HashMap, Option } from "effect"
import type { NodeId } from "../replica/NodeId.ts"
import { type Address, formatAddress } from "./Address.ts"
import * as Budget from "./Budget.ts"
import { type Candidate, mdnsKey, staticKey } from "./Candidate.ts"
import { dialDue, withCandidate } from "./Dialling.ts"
import { afterAttempt, afterEnd } from "./Redial.ts"
import { type Link, loserOf } from "./Rivals.ts"
import {
  type Action,
  addTo,
  type Call,
  candidateOf,
  type Event,
  kept,
  keysOf,
  linksTo,
  type Place,
  type Roster,
  type Step,
  times,
  withoutLink
} from "./RosterState.ts"

/** A connection has been made, and both sides have proved themselves. */
export const establish = (roster: Roster, event: Extract<Event, { _tag: "Established" }>): Step => {
  const { link, node, key, form, now } = event
  const { self } = roster.options
  const made: Link = { id: link, node, dialledBy: key === undefined ? node : self, since: now }
  const call = key === undefined ? undefined : Option.getOrUndefined(HashMap.get(roster.calls, key))
  const candidate = key === undefined ? undefined : candidateOf(roster, key)
  const proven = prove(roster, node, call?.address ?? cameFrom(roster, node, event.host))
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

/**
 * The place of a node that came by itself: its port there is the one that was known, or the one that is announced now.
 */
const cameFrom = (roster: Roster, node: NodeId, host: string | undefined): Place | undefined => {
  if (host === undefined) return undefined
  const before = roster.proven.get(node)
  if (before?.host === host && before.port !== undefined) return before
  return { host, port: candidateOf(roster, mdnsKey(node))?.addresses.find((address) => address.host === host)?.port }
}

/** Remembers that a node has proved itself, and where. */
const prove = (roster: Roster, node: NodeId, place: Place | undefined): Roster => {
  const isNew = !roster.proven.has(node)
  const before = roster.proven.get(node)
  if (!isNew && before?.host === place?.host && before?.port === place?.port) return roster
  const proven = new Map(roster.proven)
  proven.delete(node)
  proven.set(node, place)
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

/**
 * A connection or a dial is over. The first failure of a node that announces itself raises the question whether it is
 * still there.
 */
export const ended = (roster: Roster, event: Extract<Event, { _tag: "Ended" }>): Step => {
  const [next, changedKeys] = end(roster, event)
  const doubts = changedKeys.flatMap((key): ReadonlyArray<Action> => {
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
  const changedKeys = new Set([
    ...(key === undefined || candidateOf(barred, key) === undefined ? [] : [key]),
    ...(lost === undefined ? [] : keysOf(barred, lost.node))
  ])
  const wasGood = lost !== undefined && now - lost.since >= times.good
  const next = [...changedKeys].reduce((before, changedKey) => {
    const candidate = candidateOf(before, changedKey)
    if (candidate === undefined) return before
    const idle = candidate.key === key ? { ...candidate, dialling: false } : candidate
    // A failure at one address before any proof does not delay the other addresses.
    const after = isUnproved
      ? { failures: idle.failures + 1 }
      : afterEnd({ candidate: idle, ending, wasGood, interval: before.options.interval, random, now })
    return withCandidate(before, { ...idle, ...after }, now)
  }, barred)
  return [next, [...changedKeys]]
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
