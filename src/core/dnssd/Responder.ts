/**
 * Says who we are: announcements, answers and the goodbye (RFC 6762 sections 6, 8.3 and 10.1).
 *
 * On each link we announce ourselves three times, after 0, 1 and 3 seconds, and from then on only answer. A record leaves
 * at most once per second and link: what is asked for sooner leaves when the second is over. What the asker knows is not
 * said again. The goodbye takes back what is ours alone.
 */
import type { Link } from "./Link.ts"
import { isSameRecord, nameKey, type Packet, type Question, type ResourceRecord } from "./Record.ts"
import { enumeration, type RecordSet, recordSets, recordsOf, type Self, serviceType } from "./Service.ts"

/** Times in milliseconds. */
export const times = {
  /** Between one announcement and the next. */
  announce: [1000, 2000],
  /** A record leaves once in this time. */
  perRecord: 1000,
  /** How long an answer that others may give as well waits: this, and as much again by chance. */
  shared: { least: 20, spread: 100 },
  /** Between answers to those who ask from a port of their own. */
  perUnicast: 100
} as const

/** A packet that leaves on a link, to everybody or to one asker. */
export interface Send {
  readonly _tag: "Send"
  readonly link: string
  readonly packet: Packet
  readonly to: Asker | undefined
}

/** Who asks from a port of its own, and cannot hear what is said to everybody. */
export interface Asker {
  readonly address: string
  readonly port: number
}

interface Voice {
  readonly link: Link
  /** Announcements made, and when the next one is due. */
  readonly announced: number
  readonly announceAt: number
  readonly sentAt: ReadonlyMap<RecordSet, number>
  readonly dueAt: ReadonlyMap<RecordSet, number>
  readonly unicastAt: number
}

export interface Responder {
  readonly self: Self
  readonly voices: ReadonlyMap<string, Voice>
}

export type Step = readonly [Responder, ReadonlyArray<Send>]

export const initial = (self: Self): Responder => ({ self, voices: new Map() })

/** Speaks on these links from now on: announces itself on those that are new or have changed. */
export const withLinks = (responder: Responder, links: ReadonlyArray<Link>, now: number): Responder => ({
  ...responder,
  voices: new Map(
    links.map((link) => {
      const known = responder.voices.get(link.key)
      return known !== undefined && known.link.addresses.join() === link.addresses.join()
        ? [link.key, known]
        : [link.key, { link, announced: 0, announceAt: now, sentAt: new Map(), dueAt: new Map(), unicastAt: -Infinity }]
    })
  )
})

/** Takes note of what a query asks us. */
export const asked = (responder: Responder, key: string, query: Packet, now: number, random: number): Responder => {
  const voice = responder.voices.get(key)
  if (voice === undefined) return responder
  const sets = setsAsked(responder.self, voice.link, query)
  if (sets.size === 0) return responder
  const wait = times.shared.least + times.shared.spread * random
  const dueAt = new Map(voice.dueAt)
  for (const set of sets) {
    const at = Math.max(now + (isShared(set) ? wait : 0), (voice.sentAt.get(set) ?? -Infinity) + times.perRecord)
    dueAt.set(set, Math.min(at, dueAt.get(set) ?? Infinity))
  }
  return withVoice(responder, { ...voice, dueAt })
}

/** Answers one asker alone, as a plain DNS server would (RFC 6762 section 6.7). */
export const askedBy = (responder: Responder, key: string, query: Packet, asker: Asker, now: number): Step => {
  const voice = responder.voices.get(key)
  if (voice === undefined || now < voice.unicastAt + times.perUnicast) return [responder, []]
  const sets = setsAsked(responder.self, voice.link, query)
  if (sets.size === 0) return [responder, []]
  const plain = (record: ResourceRecord): ResourceRecord => ({ ...record, flush: false, ttl: Math.min(record.ttl, 10) })
  const { answers, additionals } = answer(responder.self, voice.link, sets, () => true)
  const packet: Packet = {
    kind: "response",
    id: query.id,
    questions: query.questions.filter((question) => setsFor(responder.self, question).length > 0).slice(0, 8),
    answers: answers.map(plain),
    additionals: additionals.map(plain)
  }
  return [withVoice(responder, { ...voice, unicastAt: now }), [{ _tag: "Send", link: key, packet, to: asker }]]
}

/** Sends what is due. */
export const tick = (responder: Responder, now: number): Step => {
  const sends: Array<Send> = []
  const voices = new Map(responder.voices)
  for (const [key, voice] of responder.voices) {
    const isAnnouncing = announceTime(voice) <= now
    const sets = isAnnouncing
      ? new Set(recordSets.filter((set) => set !== "types"))
      : new Set([...voice.dueAt].flatMap(([set, at]) => (at <= now ? [set] : [])))
    if (sets.size === 0) continue
    const isFree = (set: RecordSet) => now >= (voice.sentAt.get(set) ?? -Infinity) + times.perRecord
    const { answers, additionals, said } = answer(responder.self, voice.link, sets, isFree)
    const packet: Packet = { kind: "response", id: 0, questions: [], answers, additionals }
    sends.push({ _tag: "Send", link: key, packet, to: undefined })
    voices.set(key, {
      ...voice,
      announced: voice.announced + (isAnnouncing ? 1 : 0),
      announceAt: isAnnouncing ? now + (times.announce[voice.announced] ?? Infinity) : voice.announceAt,
      sentAt: new Map([...voice.sentAt, ...[...said].map((set) => [set, now] as const)]),
      dueAt: new Map([...voice.dueAt].filter(([set]) => !said.has(set)))
    })
  }
  return sends.length === 0 ? [responder, sends] : [{ ...responder, voices }, sends]
}

/** Takes back what we have announced: all but the record that every node of our kind has. */
export const goodbye = ({ self, voices }: Responder): ReadonlyArray<Send> =>
  [...voices].map(([key, { link }]) => {
    const answers = recordSets
      .filter((set) => set !== "types")
      .flatMap((set) => recordsOf(self, link, set).map((record) => ({ ...record, ttl: 0 })))
    return {
      _tag: "Send",
      link: key,
      packet: { kind: "response", id: 0, questions: [], answers, additionals: [] },
      to: undefined
    }
  })

/** When there is something to send. */
export const deadline = ({ voices }: Responder): number =>
  Math.min(Infinity, ...[...voices.values()].flatMap((voice) => [announceTime(voice), ...voice.dueAt.values()]))

/** An announcement repeats everything, so it waits until everything may leave again. */
const announceTime = ({ announceAt, sentAt }: Voice): number =>
  announceAt === Infinity ? Infinity : Math.max(announceAt, Math.max(...sentAt.values(), -Infinity) + times.perRecord)

const isShared = (set: RecordSet): boolean => set === "types" || set === "pointer"

const withVoice = (responder: Responder, voice: Voice): Responder => ({
  ...responder,
  voices: new Map(responder.voices).set(voice.link.key, voice)
})

/** Our records that a question asks for. */
const setsFor = (self: Self, { name, type }: Question): ReadonlyArray<RecordSet> => {
  const isAsked = (wanted: Question["type"]) => type === "ANY" || type === wanted
  const sets = (...pairs: ReadonlyArray<readonly [Question["type"], RecordSet]>) =>
    pairs.flatMap(([wanted, set]) => (isAsked(wanted) ? [set] : []))
  switch (nameKey(name)) {
    case enumeration:
      return sets(["PTR", "types"])
    case serviceType:
      return sets(["PTR", "pointer"])
    case nameKey(self.instance):
      return sets(["SRV", "service"], ["TXT", "text"])
    case nameKey(self.host):
      return sets(["A", "ipv4"], ["AAAA", "ipv6"])
    default:
      return []
  }
}

/** Our records that a query asks for, and does not know yet. */
const setsAsked = (self: Self, link: Link, { questions, answers }: Packet): ReadonlySet<RecordSet> => {
  const isKnown = (record: ResourceRecord) =>
    answers.some((known) => known.ttl >= record.ttl / 2 && isSameRecord(known, record))
  const sets = new Set(questions.flatMap((question) => setsFor(self, question)))
  return new Set([...sets].filter((set) => !recordsOf(self, link, set).every(isKnown)))
}

/** The answer that holds these records, with those that the asker will want next (RFC 6763 section 12) where they are free. */
const answer = (self: Self, link: Link, sets: ReadonlySet<RecordSet>, isFree: (set: RecordSet) => boolean) => {
  const next: ReadonlyArray<RecordSet> = sets.has("pointer")
    ? ["service", "text", "ipv4", "ipv6"]
    : sets.has("service")
      ? ["ipv4", "ipv6"]
      : []
  const extra = next.filter((set) => !sets.has(set) && isFree(set))
  const records = (names: Iterable<RecordSet>) => [...names].flatMap((set) => recordsOf(self, link, set))
  return { answers: records(sets), additionals: records(extra), said: new Set([...sets, ...extra]) }
}
