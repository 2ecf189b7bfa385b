/**
 * The packets that a node sends on one link, and when: probes, announcements, answers (RFC 6762 sections 6 and 8).
 *
 * It claims its names first (`NameProbe.ts`), announces itself three times, after 0, 1 and 3 seconds, and from then on
 * only answers. A record leaves at most once per second: an answer that is due sooner leaves when the second is over.
 */
import * as Answer from "./Answer.ts"
import type { Link } from "./Link.ts"
import * as NameProbe from "./NameProbe.ts"
import type { Packet } from "./DnsRecord.ts"
import { addressOf, announcedSets, type RecordSet, type Self } from "./ServiceRecords.ts"

/** Times in milliseconds. */
export const times = {
  /** Between one announcement and the next. */
  announce: [1000, 2000],
  /** A record leaves once in this time; sooner in answer to a probe. */
  perRecord: 1000,
  perDefence: 250,
  /** How long an answer that others may give as well waits: this, and as much again by chance. */
  shared: { least: 20, spread: 100 },
  /** How long to wait for the rest of the known answers of a querier. */
  truncated: { least: 400, spread: 100 },
  /** Between answers to one querier alone. */
  perUnicast: 100
} as const

/** The questions of a querier that has not sent all its known answers yet. */
export interface Unfinished {
  readonly sets: ReadonlySet<RecordSet>
  readonly until: number
}

export interface InterfaceResponder {
  readonly link: Link
  readonly claim: NameProbe.NameClaim
  /** Announcements made, and when the next one is due. */
  readonly announced: number
  readonly announceAt: number
  /** Addresses that we do not have any more, which the announcements take back. */
  readonly retired: ReadonlyArray<string>
  readonly sentAt: ReadonlyMap<RecordSet, number>
  readonly dueAt: ReadonlyMap<RecordSet, number>
  readonly unfinished: ReadonlyMap<string, Unfinished>
  readonly unicastAt: number
}

/** Starts from the beginning. */
export const fresh = (link: Link, now: number, random: number): InterfaceResponder => ({
  link,
  claim: NameProbe.begin(now, random),
  announced: 0,
  announceAt: now,
  retired: [],
  sentAt: new Map(),
  dueAt: new Map(),
  unfinished: new Map(),
  unicastAt: -Infinity
})

/** Sends the due packets. */
export const tick = (
  self: Self,
  iface: InterfaceResponder,
  now: number
): readonly [InterfaceResponder, Packet | undefined] =>
  iface.claim._tag === "Owned" ? speak(self, iface, now) : claim(self, iface, now)

/** When there is something to do. */
export const deadline = (iface: InterfaceResponder): number =>
  iface.claim._tag === "Owned"
    ? Math.min(
        announceTime(iface),
        ...iface.dueAt.values(),
        ...Array.from(iface.unfinished.values(), ({ until }) => until)
      )
    : NameProbe.dueAt(iface.claim)

/** Probes, or holds the names and announces itself. */
const claim = (
  self: Self,
  iface: InterfaceResponder,
  now: number
): readonly [InterfaceResponder, Packet | undefined] => {
  const next = NameProbe.advance(iface.claim, now)
  if (next === iface.claim) return [iface, undefined]
  if (NameProbe.insists(iface.claim, now)) return speak(self, { ...iface, claim: next, announceAt: now }, now)
  if (next._tag !== "Owned") return [{ ...iface, claim: next }, NameProbe.probe(self, iface.link)]
  return speak(self, { ...iface, claim: next, announceAt: now }, now)
}

/** Announces, or answers. */
const speak = (
  self: Self,
  iface: InterfaceResponder,
  now: number
): readonly [InterfaceResponder, Packet | undefined] => {
  const isAnnouncing = announceTime(iface) <= now
  const finished = [...iface.unfinished].filter(([, { until }]) => until <= now)
  const asked = [...iface.dueAt].flatMap(([set, at]) => (at <= now ? [set] : []))
  const sets = new Set<RecordSet>(isAnnouncing ? announcedSets : asked)
  const isFree = (set: RecordSet) => now >= (iface.sentAt.get(set) ?? -Infinity) + times.perRecord
  const later = new Map<RecordSet, number>()
  for (const set of finished.flatMap(([, { sets }]) => [...sets])) {
    if (isFree(set)) sets.add(set)
    else later.set(set, (iface.sentAt.get(set) ?? now) + times.perRecord)
  }
  if (sets.size === 0 && finished.length === 0) return [iface, undefined]
  const unfinished = new Map([...iface.unfinished].filter(([, { until }]) => until > now))
  const { packet, said } = Answer.answer(self, iface.link, sets, isFree)
  const next: InterfaceResponder = {
    ...iface,
    unfinished,
    announced: iface.announced + (isAnnouncing ? 1 : 0),
    announceAt: isAnnouncing ? now + (times.announce[iface.announced] ?? Infinity) : iface.announceAt,
    sentAt: new Map([...iface.sentAt, ...[...said].map((set) => [set, now] as const)]),
    dueAt: new Map([...later, ...iface.dueAt].filter(([set]) => !said.has(set)))
  }
  if (sets.size === 0) return [next, undefined]
  const retired = isAnnouncing ? iface.retired.map((address) => ({ ...addressOf(self, address), ttl: 0 })) : []
  return [next, { ...packet, answers: [...packet.answers, ...retired] }]
}

/** An announcement repeats everything, so it waits until everything may leave again. */
const announceTime = ({ announceAt, sentAt }: InterfaceResponder): number =>
  announceAt === Infinity ? Infinity : Math.max(announceAt, Math.max(...sentAt.values(), -Infinity) + times.perRecord)
