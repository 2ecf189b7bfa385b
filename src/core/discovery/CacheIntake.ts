/**
 * Takes the records of responses into the cache.
 *
 * There are at most `maxInstances`. When there are too many, the sender that has the most makes room. Its instances
 * that cannot be dialled go first, then the one that was not heard of for the longest time. So one that makes up many
 * pushes out none but its own.
 *
 * What is new costs the most, here and for those who are told of it. So a sender announces new instances at a pace, and
 * what it announces beyond that is ignored until it is announced again.
 */
import { type Cache, type Host, type Instance, isResolved, keyOf, namedHosts } from "./Cache.ts"
import { isName, nameKey, type ResourceRecord } from "./DnsRecord.ts"
import { isUsable, type Link, maxAddresses } from "./Link.ts"
import * as Oldest from "../peers/Oldest.ts"
import * as Pace from "../peers/Pace.ts"
import { isInstance, type Self, serviceType, textOf } from "./ServiceRecords.ts"
import * as Ttl from "./Ttl.ts"

export const maxInstances = 512
/** New instances of one sender. A reflector between networks, or a host with many nodes, announces all of them. */
export const newInstances = { burst: 128, every: 200 } as const
/** Senders whose pace is remembered. */
const maxSenders = 1_024
/** Ports below are those of services of the system: no node of ours listens there, unless it is set up so. */
const firstPort = 1024
/** Records of one packet that are looked at. */
const maxRecords = 512

/** Where and when records were heard. */
export interface Reception {
  readonly self: Self
  readonly link: Link
  /** The address of the sender. */
  readonly from: string
  readonly now: number
  /** For the lives of the records. */
  readonly chance: number
  /** When to ask for their missing records. */
  readonly askAt: number
}

/** Takes in the records of responses. The same cache comes back when none of them concerns us. */
export const receive = (
  cache: Cache,
  responses: ReadonlyArray<readonly [Reception, ReadonlyArray<ResourceRecord>]>
): Cache => {
  let draft: Draft | undefined
  let isNews = false
  for (const [hearing, records] of responses) {
    const own = [nameKey(hearing.self.instance), nameKey(hearing.self.host)]
    const isOwn = (name: string) => own.includes(nameKey(name))
    const heard = records.slice(0, maxRecords).filter(({ name }) => isName(name) && !isOwn(name))
    const { hosts } = draft ?? cache
    const concerns = ({ type, name }: ResourceRecord) =>
      nameKey(name) === serviceType ||
      isInstance(name) ||
      (type.startsWith("A") && hosts.has(keyOf(hearing.link.key, name)))
    if (!heard.some(concerns)) continue
    draft ??= {
      instances: new Map(cache.instances),
      hosts: new Map(cache.hosts),
      paces: new Map(cache.paces),
      named: new Set(),
      counts: undefined,
      leaving: new Map()
    }
    if (receiveOne(draft, hearing, heard, isOwn)) isNews = true
  }
  if (draft === undefined || !isNews) return cache
  const { instances, hosts, paces } = draft
  return { instances, hosts: hosts.size > instances.size ? namedHosts(draft) : hosts, paces }
}

/** Takes in the records of one response; whether any of them is news. */
const receiveOne = (
  draft: Draft,
  hearing: Reception,
  heard: ReadonlyArray<ResourceRecord>,
  isOwn: (name: string) => boolean
): boolean => {
  let isNews = false
  draft.named.clear()
  // Records that name others come first.
  for (const record of heard) {
    if (record.type !== "PTR" || !isName(record.target) || isOwn(record.target)) continue
    if (receivePointer(draft, hearing, record)) isNews = true
  }
  for (const record of heard) {
    if (record.type === "SRV" && (!isName(record.target) || isOwn(record.target))) continue
    if (receiveInstance(draft, hearing, record)) isNews = true
  }
  for (const type of ["A", "AAAA"] as const) if (receiveAddresses(draft, hearing, heard, type)) isNews = true
  for (const key of draft.named) {
    const instance = draft.instances.get(key)
    if (instance === undefined || instance.askAt < Infinity || isResolved(draft, instance)) continue
    draft.instances.set(key, { ...instance, asked: 0, askAt: hearing.askAt })
  }
  return isNews
}

interface Draft {
  readonly instances: Map<string, Instance>
  readonly hosts: Map<string, Host>
  readonly paces: Map<string, number>
  /** The instances that the packet names. */
  readonly named: Set<string>
  /** How many instances each sender has; counted when one has to be evicted. */
  counts: Map<string, number> | undefined
  /** By sender, its instances as they were when it had to make room; the one to go first is the last. */
  readonly leaving: Map<string, Array<readonly [string, Instance]>>
}

type Of<Type extends ResourceRecord["type"]> = Extract<ResourceRecord, { readonly type: Type }>

const receivePointer = (
  draft: Draft,
  { link, from, now, chance }: Reception,
  { name, target, ttl }: Of<"PTR">
): boolean => {
  if (nameKey(name) !== serviceType || !isInstance(target)) return false
  const key = keyOf(link.key, target)
  const known = draft.instances.get(key)
  if (ttl === 0) {
    if (known !== undefined) draft.instances.set(key, { ...known, pointer: Ttl.end(known.pointer, now) })
    return known !== undefined
  }
  if (known === undefined) {
    if (!mayAdd(draft.paces, from, now)) return false
    if (draft.instances.size >= maxInstances) makeRoom(draft)
  }
  draft.named.add(key)
  const missing = { service: undefined, text: undefined, asked: 0, askAt: Infinity, isGivenUp: false }
  if (known?.from !== from) tally(draft, known?.from, from)
  // Deleted first, so that it comes last.
  draft.instances.delete(key)
  draft.instances.set(key, {
    link: link.key,
    ...missing,
    ...known,
    name: target,
    from,
    pointer: Ttl.begin(ttl, now, chance)
  })
  return true
}

/** Whether a sender may announce one more new instance. Notes that it does. */
const mayAdd = (paces: Map<string, number>, from: string, now: number): boolean => {
  const pace = paces.get(from) ?? Pace.fresh
  if (Pace.readyAt(pace, newInstances) > now) return false
  Oldest.set(paces, from, Pace.after(pace, newInstances, now), maxSenders)
  return true
}

const receiveInstance = (draft: Draft, { self, link, now, chance }: Reception, record: ResourceRecord): boolean => {
  const key = keyOf(link.key, record.name)
  const known = draft.instances.get(key)
  if (known === undefined) return false
  draft.named.add(key)
  const life = record.ttl === 0 ? undefined : Ttl.begin(record.ttl, now, chance)
  if (record.type === "TXT") {
    if (life !== undefined) draft.instances.set(key, { ...known, text: { ...textOf(record.strings), life } })
    else if (known.text !== undefined) {
      draft.instances.set(key, { ...known, text: { ...known.text, life: Ttl.end(known.text.life, now) } })
    }
    return true
  }
  if (record.type !== "SRV" || (record.port < firstPort && record.port !== self.port)) return false
  const { port, target: host } = record
  const { service } = known
  if (life !== undefined) {
    const hostKey = keyOf(link.key, host)
    draft.instances.set(key, { ...known, service: { port, host, hostKey, life } })
    if (!draft.hosts.has(hostKey))
      draft.hosts.set(hostKey, { name: host, link: link.key, addresses: new Map(), near: [] })
  } else if (service?.port === port && nameKey(service.host) === nameKey(host)) {
    draft.instances.set(key, { ...known, service: { ...service, life: Ttl.end(service.life, now) } })
  }
  return true
}

const receiveAddresses = (
  draft: Draft,
  { link, from, now, chance }: Reception,
  records: ReadonlyArray<ResourceRecord>,
  type: "A" | "AAAA"
): boolean => {
  const sets = Map.groupBy(
    records.filter((record): record is Of<"A" | "AAAA"> => record.type === type),
    ({ name }) => keyOf(link.key, name)
  )
  let isNews = false
  for (const [key, set] of sets) {
    const host = draft.hosts.get(key)
    if (host === undefined) continue
    isNews = true
    const addresses = new Map(host.addresses)
    if (set.some(({ flush }) => flush)) {
      for (const [address, life] of addresses) {
        const isOfType = address.includes(":") === (type === "AAAA")
        // Records of a moment ago belong to the same set, and came in another packet.
        if (isOfType && life.from < now - Ttl.grace) addresses.set(address, Ttl.end(life, now))
      }
    }
    for (const record of set) {
      const address = record.address.toLowerCase()
      const known = addresses.get(address)
      if (record.ttl === 0) {
        if (known !== undefined) addresses.set(address, Ttl.end(known, now))
      } else if (isUsable(link, address, from) && (known !== undefined || addresses.size < maxAddresses * 2)) {
        addresses.set(address, Ttl.begin(record.ttl, now, chance))
      }
    }
    const sender = from.replace(/%.*$/, "").toLowerCase()
    const isNear = set.some(({ address, ttl }) => ttl > 0 && address.toLowerCase() === sender)
    const near = isNear && !host.near.includes(sender) ? [...host.near, sender] : host.near
    draft.hosts.set(key, { ...host, addresses, near: near.filter((address) => addresses.has(address)) })
  }
  return isNews
}

/** Takes out one instance of the sender that has the most: the oldest that cannot be dialled, or else the oldest. */
const makeRoom = (draft: Draft): void => {
  draft.counts ??= countsOf(draft.instances)
  let crowd: string | undefined
  for (const [from, count] of draft.counts) if (count > (draft.counts.get(crowd ?? "") ?? 0)) crowd = from
  if (crowd === undefined) return
  const oldest = leave(draft, crowd) ?? leave(draft, crowd)
  if (oldest === undefined) return
  draft.instances.delete(oldest)
  tally(draft, crowd, undefined)
}

/**
 * The instance of a sender that goes next. What has changed since they were put in order stays; when none is left, they
 * are again.
 */
const leave = (draft: Draft, from: string): string | undefined => {
  const order = draft.leaving.get(from) ?? leavingOf(draft, from)
  draft.leaving.set(from, order)
  for (;;) {
    const next = order.pop()
    if (next === undefined) break
    if (draft.instances.get(next[0]) === next[1]) return next[0]
  }
  draft.leaving.delete(from)
  return undefined
}

const leavingOf = (draft: Draft, from: string): Array<readonly [string, Instance]> => {
  const own = [...draft.instances].filter(([, instance]) => instance.from === from)
  const parts = Map.groupBy(own, ([, instance]) => isResolved(draft, instance))
  return [...(parts.get(false) ?? []), ...(parts.get(true) ?? [])].reverse()
}

const countsOf = (instances: ReadonlyMap<string, Instance>): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const { from } of instances.values()) counts.set(from, (counts.get(from) ?? 0) + 1)
  return counts
}

/** An instance goes from one sender to another one. */
const tally = ({ counts }: Draft, before: string | undefined, after: string | undefined): void => {
  if (counts === undefined) return
  if (before !== undefined) counts.set(before, (counts.get(before) ?? 0) - 1)
  if (after !== undefined) counts.set(after, (counts.get(after) ?? 0) + 1)
}
