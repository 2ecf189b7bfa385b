/**
 * What we have heard of other nodes.
 *
 * Only what belongs to an instance of our service is kept: an instance when a pointer names it, its SRV and TXT records, and
 * the addresses of the host that its SRV record names. There are at most `maxInstances`. Where they are too many, room is made by
 * the sender that has the most: of its instances goes the one unheard of for the longest time, and first those that cannot be
 * dialled. So one that makes up many pushes out none but its own. Links know nothing of each other.
 */
import { isUsable, type Link, maxAddresses } from "./Link.ts"
import * as Ttl from "./Ttl.ts"
import { isName, nameKey, type ResourceRecord } from "./DnsRecord.ts"
import { isInstance, type Self, serviceType, type Text, textOf } from "./ServiceRecords.ts"

export const maxInstances = 512
/** Ports below are those of services of the system: no node of ours listens there, unless it is set up so. */
const firstPort = 1024
/** Records of one packet that are looked at. */
const maxRecords = 512

export interface Instance {
  readonly name: string
  readonly link: string
  /** The sender that announced it last. */
  readonly from: string
  readonly pointer: Ttl.Ttl
  readonly service: Service | undefined
  readonly text: (Text & { readonly life: Ttl.Ttl }) | undefined
  /** How often we have asked for missing records, and when to ask next. */
  readonly asked: number
  readonly askAt: number
  /** We have asked often enough. */
  readonly isGivenUp: boolean
}

interface Service {
  readonly port: number
  readonly host: string
  /** Where the host is in the cache. */
  readonly hostKey: string
  readonly life: Ttl.Ttl
}

/** A host that an instance names, with the addresses that are known. */
export interface Host {
  readonly name: string
  readonly link: string
  readonly addresses: ReadonlyMap<string, Ttl.Ttl>
  /** Addresses among them that were announced from there. */
  readonly near: ReadonlyArray<string>
}

export interface Cache {
  /** By link and name; the one heard of longest ago is the first. */
  readonly instances: ReadonlyMap<string, Instance>
  readonly hosts: ReadonlyMap<string, Host>
}

export const empty: Cache = { instances: new Map(), hosts: new Map() }

export const keyOf = (link: string, name: string): string => `${link} ${nameKey(name)}`

export const hostOf = ({ hosts }: Cache, { service }: Instance): Host | undefined =>
  service === undefined ? undefined : hosts.get(service.hostKey)

/** Whether everything is known that it takes to dial an instance. */
export const isResolved = (cache: Cache, instance: Instance): boolean =>
  instance.text !== undefined && (hostOf(cache, instance)?.addresses.size ?? 0) > 0

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
      named: new Set(),
      counts: undefined,
      leaving: new Map()
    }
    if (receiveOne(draft, hearing, heard, isOwn)) isNews = true
  }
  if (draft === undefined || !isNews) return cache
  const { instances, hosts } = draft
  return { instances, hosts: hosts.size > instances.size ? namedHosts(draft) : hosts }
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

/** Without expired records, and without hosts that no record names. */
export const expire = (cache: Cache, now: number): Cache => {
  const alive = <A extends { readonly life: Ttl.Ttl }>(part: A | undefined): A | undefined =>
    part !== undefined && Ttl.isAlive(part.life, now) ? part : undefined
  const instances = new Map<string, Instance>()
  for (const [key, instance] of cache.instances) {
    if (!Ttl.isAlive(instance.pointer, now)) continue
    const [service, text] = [alive(instance.service), alive(instance.text)]
    const isSame = service === instance.service && text === instance.text
    instances.set(key, isSame ? instance : { ...instance, service, text })
  }
  const hosts = new Map<string, Host>()
  for (const [key, host] of namedHosts({ instances, hosts: cache.hosts })) {
    const isEnding = host.addresses.values().some((life) => !Ttl.isAlive(life, now))
    const addresses = () => new Map([...host.addresses].filter(([, life]) => Ttl.isAlive(life, now)))
    hosts.set(key, isEnding ? { ...host, addresses: addresses() } : host)
  }
  return { instances, hosts }
}

/** Whether a record expires that was not withdrawn. */
export const hasLost = ({ instances, hosts }: Cache, now: number): boolean => {
  const isLost = (life: Ttl.Ttl | undefined) => life !== undefined && !life.isWithdrawn && !Ttl.isAlive(life, now)
  return (
    instances.values().some(({ pointer, service, text }) => [pointer, service?.life, text?.life].some(isLost)) ||
    hosts.values().some(({ addresses }) => addresses.values().some(isLost))
  )
}

/** When something ends, and, by link, when something is to be asked for. */
export interface Plan {
  readonly endAt: number
  readonly askAt: ReadonlyMap<string, number>
}

export const planOf = (cache: Cache): Plan => planAfter({ endAt: Infinity, askAt: new Map() }, empty, cache)

/**
 * The plan after a cache has become another one, at the cost of what is new in it. What is no longer in it stays planned: then
 * nothing is due at that time, and the plan is made anew.
 */
export const planAfter = (plan: Plan, before: Cache, { instances, hosts }: Cache): Plan => {
  let { endAt } = plan
  const askAt = new Map(plan.askAt)
  const ask = (link: string, at: number) => {
    if (at < (askAt.get(link) ?? Infinity)) askAt.set(link, at)
  }
  const live = (link: string, life: Ttl.Ttl) => {
    if (life.until < endAt) endAt = life.until
    ask(link, Ttl.refreshAt(life))
  }
  for (const [key, instance] of instances) {
    if (before.instances.get(key) === instance) continue
    const { link, pointer, service, text, askAt: at } = instance
    ask(link, at)
    live(link, pointer)
    if (service !== undefined) live(link, service.life)
    if (text !== undefined) live(link, text.life)
  }
  for (const [key, host] of hosts) {
    if (before.hosts.get(key) === host) continue
    for (const life of host.addresses.values()) live(host.link, life)
  }
  return { endAt, askAt }
}

interface Draft {
  readonly instances: Map<string, Instance>
  readonly hosts: Map<string, Host>
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
  if (known === undefined && draft.instances.size >= maxInstances) makeRoom(draft)
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

/** The instance of a sender that goes next. What has changed since they were put in order stays; when none is left, they are again. */
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

/** The hosts that an instance names. */
const namedHosts = ({ instances, hosts }: Cache): ReadonlyMap<string, Host> => {
  const named = new Set(Array.from(instances.values(), ({ service }) => service?.hostKey))
  return new Map([...hosts].filter(([key]) => named.has(key)))
}
