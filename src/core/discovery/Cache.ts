/**
 * What we have heard of other nodes, and until when it holds. `CacheIntake.ts` takes in what comes.
 *
 * Only records of instances of our service are kept: an instance that a PTR record names, its SRV and TXT records, and
 * the addresses of the host in its SRV record. Links know nothing of each other.
 */
import * as Ttl from "./Ttl.ts"
import { nameKey } from "./DnsRecord.ts"
import type { Text } from "./ServiceRecords.ts"

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
  /** By sender, the pace at which it announces instances that are new; the sender heard of longest ago is the first. */
  readonly paces: ReadonlyMap<string, number>
}

export const empty: Cache = { instances: new Map(), hosts: new Map(), paces: new Map() }

export const keyOf = (link: string, name: string): string => `${link} ${nameKey(name)}`

export const hostOf = ({ hosts }: Pick<Cache, "hosts">, { service }: Instance): Host | undefined =>
  service === undefined ? undefined : hosts.get(service.hostKey)

/** Whether everything is known that it takes to dial an instance. */
export const isResolved = (cache: Pick<Cache, "hosts">, instance: Instance): boolean =>
  instance.text !== undefined && (hostOf(cache, instance)?.addresses.size ?? 0) > 0

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
  for (const [key, host] of namedHosts({ ...cache, instances })) {
    const isEnding = host.addresses.values().some((life) => !Ttl.isAlive(life, now))
    const addresses = () => new Map([...host.addresses].filter(([, life]) => Ttl.isAlive(life, now)))
    hosts.set(key, isEnding ? { ...host, addresses: addresses() } : host)
  }
  return { ...cache, instances, hosts }
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
 * The plan after a cache has become another one, at the cost of what is new in it. What is no longer in it stays
 * planned: then nothing is due at that time, and the plan is made anew.
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

/** The hosts that an instance names. */
export const namedHosts = ({ instances, hosts }: Pick<Cache, "instances" | "hosts">): ReadonlyMap<string, Host> => {
  const named = new Set(Array.from(instances.values(), ({ service }) => service?.hostKey))
  return new Map([...hosts].filter(([key]) => named.has(key)))
}
