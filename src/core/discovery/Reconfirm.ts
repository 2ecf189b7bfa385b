/**
 * Records that may be out of date, and records that another querier asks for (RFC 6762 sections 10.4 and 7.3).
 */
import { type Cache, keyOf } from "./Cache.ts"
import * as Ttl from "./Ttl.ts"
import type { Question } from "./DnsRecord.ts"

/** Some instances, with the addresses of their hosts, end soon unless they are heard of again. */
export const doubt = (cache: Cache, keys: ReadonlyArray<string>, now: number): Cache => {
  const [instances, hosts] = [new Map(cache.instances), new Map(cache.hosts)]
  for (const key of keys) {
    const instance = instances.get(key)
    if (instance?.service === undefined) continue
    const { service } = instance
    instances.set(key, { ...instance, service: { ...service, life: Ttl.doubt(service.life, now) } })
    const host = hosts.get(service.hostKey)
    if (host === undefined) continue
    const addresses = new Map([...host.addresses].map(([address, life]) => [address, Ttl.doubt(life, now)]))
    hosts.set(service.hostKey, { ...host, addresses })
  }
  return { ...cache, instances, hosts }
}

/** After another querier asked for some records on a link. The same cache comes back when none of them concerns us. */
export const spare = (cache: Cache, link: string, questions: ReadonlyArray<Question>, now: number): Cache => {
  let { instances, hosts } = cache
  for (const { name, type } of questions) {
    const key = keyOf(link, name)
    const [instance, host] = [instances.get(key), hosts.get(key)]
    const { service, text } = instance ?? {}
    if (instance !== undefined && service !== undefined && type === "SRV") {
      const life = Ttl.spare(service.life, now)
      instances = new Map(instances).set(key, { ...instance, service: { ...service, life } })
    }
    if (instance !== undefined && text !== undefined && type === "TXT") {
      instances = new Map(instances).set(key, { ...instance, text: { ...text, life: Ttl.spare(text.life, now) } })
    }
    if (host !== undefined && (type === "A" || type === "AAAA")) {
      const isAsked = (address: string) => address.includes(":") === (type === "AAAA")
      const lives = [...host.addresses].map(
        ([address, life]) => [address, isAsked(address) ? Ttl.spare(life, now) : life] as const
      )
      hosts = new Map(hosts).set(key, { ...host, addresses: new Map(lives) })
    }
  }
  return instances === cache.instances && hosts === cache.hosts ? cache : { ...cache, instances, hosts }
}
