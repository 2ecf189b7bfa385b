/**
 * Which candidates of a roster are dialled now, and what keeps the others from it.
 */
import { HashMap, HashSet, Option } from "effect"
import { type Address, formatAddress } from "./Address.ts"
import * as Agenda from "./Agenda.ts"
import * as Budget from "./Budget.ts"
import type { Candidate } from "./Candidate.ts"
import * as Newcomers from "./Newcomers.ts"
import {
  type Roster,
  type Action,
  type Step,
  candidateOf,
  isAlias,
  keysOf,
  linksTo,
  addTo,
  count,
  dropFrom
} from "./RosterState.ts"

/** Dials the candidates that are due, as far as the budget goes. */
export const dialDue = (roster: Roster, now: number, before: ReadonlyArray<Action> = []): Step => {
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
export const dial = (
  roster: Roster,
  key: string,
  lane: Agenda.Lane,
  now: number
): readonly [Roster, Action | undefined] => {
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
 * Which address of a candidate is next, in which lane, and when. An address that others announce may belong to another
 * node. So an address where the node was met comes first, then those that it announces itself, then the one that may be
 * tried soonest.
 */
const choose = (roster: Roster, { source, node, addresses, near }: Candidate, now: number) => {
  const proved = node === undefined ? undefined : roster.proven.get(node)
  const freeAt = (address: Address) => Budget.barredUntil(roster.budget, address)
  const soonest = (among: ReadonlyArray<Address>) =>
    among.reduce<Address | undefined>(
      (best, address) => (best === undefined || freeAt(address) < freeAt(best) ? address : best),
      undefined
    )
  // Not its host alone: any machine can announce another port there, and all of them.
  const isProved = ({ host, port }: Address) => host === proved?.host && port === proved.port
  const free = addresses.filter((address) => freeAt(address) <= now)
  const address =
    soonest(free.filter(isProved)) ??
    soonest(free.filter(({ host }) => near.includes(host))) ??
    soonest(addresses) ??
    nowhere
  const lane: Agenda.Lane =
    source === "static" ? "static" : isProved(address) ? "known" : near.includes(address.host) ? "near" : "far"
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
  if (dialling || addresses.length === 0 || isAlias(roster, candidate)) return { address: undefined }
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

/**
 * Takes a candidate off the agenda until what is in its way is gone: every end puts those down again that it concerns.
 */
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
export const withCandidate = (roster: Roster, candidate: Candidate, now: number): Roster => {
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
