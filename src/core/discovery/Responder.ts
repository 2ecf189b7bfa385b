/**
 * Announces this node on every link: it answers queries, defends its names, and says goodbye (RFC 6762 sections 6, 9
 * and 10.1). When it is said is the business of `InterfaceResponder.ts`.
 *
 * An answer that the querier knows, or that another node has just sent, is not repeated. A node that probes for our
 * names is answered in time. The goodbye withdraws only our own records.
 */
import type { Address } from "../peers/Address.ts"
import * as Answer from "./Answer.ts"
import { isNeighbour, isOwn, type Link } from "./Link.ts"
import * as NameProbe from "./NameProbe.ts"
import { packetOf, type Packet, type ResourceRecord } from "./DnsRecord.ts"
import { announcedSets, type RecordSet, recordsOf, type Self } from "./ServiceRecords.ts"
import * as InterfaceResponder from "./InterfaceResponder.ts"

/** Queriers on one link that we wait for. */
const maxUnfinished = 16

/** A packet that leaves on a link, to the group or to one querier. */
export interface Send {
  readonly _tag: "Send"
  readonly link: string
  readonly packet: Packet
  readonly to: Querier | undefined
}

/** Another node uses our names: it has our node id. */
export interface Duplicated {
  readonly _tag: "Duplicated"
  readonly address: Address
}

/** Where a packet comes from. */
export interface Querier {
  readonly address: string
  readonly port: number
}

export interface Responder {
  readonly self: Self
  readonly interfaces: ReadonlyMap<string, InterfaceResponder.InterfaceResponder>
}

export type Step = readonly [Responder, ReadonlyArray<Send | Duplicated>]

export const initial = (self: Self): Responder => ({ self, interfaces: new Map() })

/**
 * Speaks on these links from now on: claims its names on those that are new, and announces what has changed on others.
 */
export const withLinks = (
  responder: Responder,
  links: ReadonlyArray<Link>,
  now: number,
  random: number
): Responder => ({
  ...responder,
  interfaces: new Map(
    links.map((link) => {
      const known = responder.interfaces.get(link.key)
      if (known === undefined) return [link.key, InterfaceResponder.fresh(link, now, random)]
      if (known.link.addresses.join() === link.addresses.join()) return [link.key, known]
      const retired = known.link.addresses.filter((address) => !link.addresses.includes(address))
      return [link.key, { ...InterfaceResponder.fresh(link, now, random), claim: known.claim, retired }]
    })
  )
})

/** Starts from the beginning on every link: time has passed that we know nothing of. */
export const resume = ({ self, interfaces: ifaces }: Responder, now: number, random: number): Responder => ({
  self,
  interfaces: new Map([...ifaces].map(([key, { link }]) => [key, InterfaceResponder.fresh(link, now, random)]))
})

/** A packet that arrived on a link. */
export interface Arrived {
  /** The link. */
  readonly key: string
  readonly packet: Packet
  readonly from: Querier
  readonly now: number
  readonly random: number
}

/** Notes the questions of a query. */
export const onQuery = (responder: Responder, arrived: Arrived): Step => {
  const { key, packet: query, from, now, random } = arrived
  const iface = responder.interfaces.get(key)
  if (iface === undefined) return [responder, []]
  const isProbe = query.authorities.length > 0
  const isRivals = rivalsIn(responder, query.authorities).length > 0
  // Our own probe comes back.
  if (isProbe && !isRivals && isFromUs(responder, from)) return [responder, []]
  const claim = isRivals ? NameProbe.onProbe(iface.claim, responder.self, iface.link, query, now) : iface.claim
  const note = isRivals ? duplicated(responder, from, query.authorities) : []
  if (claim._tag !== "Owned")
    return [claim === iface.claim ? responder : withInterface(responder, { ...iface, claim }), note]

  const { self } = responder
  const { link } = iface
  const earlier = iface.unfinished.get(from.address)
  const sets = Answer.unknownOf(
    self,
    link,
    new Set([...Answer.setsAsked(self, link, query.questions), ...(earlier?.sets ?? [])]),
    query.answers
  )
  if (sets.size === 0 && earlier === undefined) return [responder, note]
  const unfinished = new Map(iface.unfinished)
  unfinished.delete(from.address)
  if (sets.size > 0 && !isProbe && (query.isTruncated || earlier !== undefined) && unfinished.size < maxUnfinished) {
    const wait = InterfaceResponder.times.truncated.least + InterfaceResponder.times.truncated.spread * random
    unfinished.set(from.address, {
      sets,
      until: earlier === undefined || query.isTruncated ? now + wait : earlier.until
    })
    return [withInterface(responder, { ...iface, unfinished }), note]
  }
  const [alone, sends] = answerAlone(responder, { ...iface, unfinished }, arrived, sets)
  const least = now + InterfaceResponder.times.shared.least
  const dueAt = new Map(alone.dueAt)
  // What waits already takes the rest along.
  const soon = [...dueAt.values()].filter((at) => at >= least).reduce((a, b) => Math.min(a, b), Infinity)
  const waits = Math.min(soon, least + InterfaceResponder.times.shared.spread * random)
  for (const set of sends.length > 0 ? [] : sets) {
    const free =
      (alone.sentAt.get(set) ?? -Infinity) +
      (isProbe ? InterfaceResponder.times.perDefence : InterfaceResponder.times.perRecord)
    const at = Math.max(free, Answer.isShared(set) ? waits : now)
    dueAt.set(set, Math.min(at, alone.dueAt.get(set) ?? Infinity))
  }
  return [withInterface(responder, { ...alone, dueAt }), [...note, ...sends]]
}

/**
 * Answers the querier alone when it asks for that, or would have to wait otherwise, and all have seen the records
 * not long ago (RFC 6762 section 5.4). On our own host others share its port, so the answer could be lost there.
 */
const answerAlone = (
  responder: Responder,
  iface: InterfaceResponder.InterfaceResponder,
  { packet: { questions }, from, now }: Arrived,
  sets: ReadonlySet<RecordSet>
): readonly [InterfaceResponder.InterfaceResponder, ReadonlyArray<Send>] => {
  const { self } = responder
  const { link, sentAt, unicastAt } = iface
  const isFresh = (set: RecordSet) =>
    recordsOf(self, link, set).every(({ ttl }) => now - (sentAt.get(set) ?? -Infinity) < (ttl * 1000) / 4)
  const isLate = [...sets].some((set) => now < (sentAt.get(set) ?? -Infinity) + InterfaceResponder.times.perRecord)
  const isAlone =
    sets.size > 0 &&
    now >= unicastAt + InterfaceResponder.times.perUnicast &&
    (questions.every(({ isUnicast }) => isUnicast) || (isLate && questions.some(({ isUnicast }) => isUnicast))) &&
    isNeighbour(link, from.address) &&
    !isFromUs(responder, from) &&
    [...sets].every(isFresh)
  if (!isAlone) return [iface, []]
  const { packet } = Answer.answer(self, link, sets)
  return [{ ...iface, unicastAt: now }, [{ _tag: "Send", link: link.key, packet, to: from }]]
}

/**
 * Answers a querier with its own port, as an ordinary DNS server would: its id, its question, a short time to live
 * (RFC 6762 section 6.7). Only neighbours are answered, so that no packet makes us send to other hosts.
 */
export const answerTo = (responder: Responder, key: string, query: Packet, querier: Querier, now: number): Step => {
  const { self } = responder
  const iface = responder.interfaces.get(key)
  if (iface?.claim._tag !== "Owned" || now < iface.unicastAt + InterfaceResponder.times.perUnicast)
    return [responder, []]
  if (!isNeighbour(iface.link, querier.address)) return [responder, []]
  // The answer repeats the question, and one for another type we cannot write.
  const questions = query.questions.filter(({ type }) => type !== "OTHER")
  const sets = Answer.unknownOf(self, iface.link, Answer.setsAsked(self, iface.link, questions), query.answers)
  if (sets.size === 0) return [responder, []]
  const plain = (record: ResourceRecord): ResourceRecord => ({ ...record, flush: false, ttl: Math.min(record.ttl, 10) })
  const { answers, additionals } = Answer.answer(self, iface.link, sets).packet
  const packet = packetOf("response", {
    id: query.id,
    questions: questions.filter((question) => Answer.setsFor(self, iface.link, question).length > 0).slice(0, 8),
    answers: answers.map(plain),
    additionals: additionals.map(plain)
  })
  return [withInterface(responder, { ...iface, unicastAt: now }), [{ _tag: "Send", link: key, packet, to: querier }]]
}

/** Notes the records of a response: others may use our names, or have sent the answers that we were about to send. */
export const onResponse = (responder: Responder, { key, packet: response, from, now, random }: Arrived): Step => {
  const iface = responder.interfaces.get(key)
  if (iface === undefined) return [responder, []]
  const records = [...response.answers, ...response.additionals]
  if (rivalsIn(responder, records).length > 0) {
    const claim = NameProbe.contest(iface.claim, now, random)
    // Who held the names makes sure first: it may have been an old packet.
    const note = iface.claim._tag === "Probing" ? duplicated(responder, from, records) : []
    return [
      claim === iface.claim
        ? responder
        : withInterface(responder, { ...InterfaceResponder.fresh(iface.link, now, random), claim }),
      note
    ]
  }
  const shared = new Set([...iface.dueAt.keys()].filter(Answer.isShared))
  if (shared.size === 0) return [responder, []]
  const unsaid = Answer.unsaidOf(responder.self, iface.link, shared, response.answers)
  if (unsaid.size === shared.size) return [responder, []]
  const dueAt = new Map([...iface.dueAt].filter(([set]) => !shared.has(set) || unsaid.has(set)))
  return [withInterface(responder, { ...iface, dueAt }), []]
}

/** Sends the due packets. */
export const tick = (responder: Responder, now: number): readonly [Responder, ReadonlyArray<Send>] => {
  const sends: Array<Send> = []
  let next = responder
  for (const [key, before] of responder.interfaces) {
    const [iface, packet] = InterfaceResponder.tick(responder.self, before, now)
    if (iface !== before) next = withInterface(next, iface)
    if (packet !== undefined) sends.push({ _tag: "Send", link: key, packet, to: undefined })
  }
  return [next, sends]
}

/**
 * Takes back what we have announced: all but the record that every node of our kind has, and nothing that was not ours.
 */
export const goodbye = ({ self, interfaces: ifaces }: Responder): ReadonlyArray<Send> =>
  [...ifaces]
    .filter(([, { announced }]) => announced > 0)
    .map(([key, { link }]) => {
      const records = announcedSets.flatMap((set) => recordsOf(self, link, set))
      const packet = packetOf("response", { answers: records.map((record) => ({ ...record, ttl: 0 })) })
      return { _tag: "Send", link: key, packet, to: undefined }
    })

/** When there is something to send. */
export const deadline = ({ interfaces: ifaces }: Responder): number =>
  Math.min(Infinity, ...Array.from(ifaces.values(), InterfaceResponder.deadline))

/** Whether a packet comes from this host: from this node, or from another one beside it. */
export const isFromUs = ({ interfaces: ifaces }: Responder, { address }: Querier): boolean =>
  isOwn(linksOf(ifaces), address)

const linksOf = (ifaces: Responder["interfaces"]): ReadonlyArray<Link> =>
  Array.from(ifaces.values(), ({ link }) => link)

const rivalsIn = (
  { self, interfaces: ifaces }: Responder,
  records: ReadonlyArray<ResourceRecord>
): ReadonlyArray<ResourceRecord> => (records.length === 0 ? [] : NameProbe.rivals(self, linksOf(ifaces), records))

/** The owner of our names, and the port on which it is a node. */
const duplicated = (
  { self }: Responder,
  { address }: Querier,
  records: ReadonlyArray<ResourceRecord>
): ReadonlyArray<Duplicated> => {
  const service = records.find((record) => record.type === "SRV")
  return [{ _tag: "Duplicated", address: { host: address, port: service?.port ?? self.port } }]
}

const withInterface = (responder: Responder, iface: InterfaceResponder.InterfaceResponder): Responder => ({
  ...responder,
  interfaces: new Map(responder.interfaces).set(iface.link.key, iface)
})
