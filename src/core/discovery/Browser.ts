/**
 * Looks for other nodes: asks, caches the answers, and reports the nodes that can be dialled (RFC 6762 section 5, RFC
 * 6763 section 4).
 *
 * On each link we ask for instances soon, and then after 1, 2, 4 ... seconds up to an hour. The first question asks for
 * answers to us alone as well, because a node that has just sent to the group may not do so again for a second. What an
 * instance lacks is asked for by name, and what is about to end is asked for again before it does. All that is due
 * leaves in one packet, and packets of questions keep a distance, whatever is received. A question that another querier
 * has just asked is not repeated.
 */
import * as Cache from "./Cache.ts"
import * as CacheIntake from "./CacheIntake.ts"
import * as Ttl from "./Ttl.ts"
import type { Link } from "./Link.ts"
import type { NodeId } from "../replica/NodeId.ts"
import {
  isSameRecord,
  nameKey,
  type Packet,
  packetOf,
  packetSize,
  type Pointer,
  type Question,
  sizeOf
} from "./DnsRecord.ts"
import type { Send } from "./Responder.ts"
import { pointerOf, type Self, serviceType } from "./ServiceRecords.ts"
import * as Reconfirm from "./Reconfirm.ts"
import * as Sightings from "./Sightings.ts"

/** Times in milliseconds. */
export const times = {
  /** How long a first question waits: this, and as much again by chance. */
  soon: { least: 20, spread: 100 },
  browse: { first: 1000, cap: 3_600_000 },
  /** After each question for what an instance lacks, the time to the next; then we wait until it is announced again. */
  resolve: [1000, 2000, 4000],
  /** Between two packets of questions. */
  distance: 250
} as const

/** Where a packet of questions ends, and how many pointers are named as known, over several packets. */
const maxQuestions = 12
const maxKnown = 128

interface InterfaceBrowser {
  readonly link: Link
  readonly browseAt: number
  readonly interval: number
  /** No question leaves before. */
  readonly quietUntil: number
}

export interface Browser {
  readonly self: Self
  readonly interfaces: ReadonlyMap<string, InterfaceBrowser>
  readonly cache: Cache.Cache
  /** What the cache will want, and when. */
  readonly plan: Cache.Plan
  /** Who could be dialled at the last look, and the cache that was looked at. */
  readonly seen: Sightings.Seen
  readonly lookedAt: Cache.Cache
}

export type Step = readonly [Browser, ReadonlyArray<Send>, ReadonlyArray<Sightings.Sighting>]

export const initial = (self: Self): Browser => ({
  self,
  interfaces: new Map(),
  cache: Cache.empty,
  plan: Cache.planOf(Cache.empty),
  seen: Sightings.none,
  lookedAt: Cache.empty
})

/** Listens on these links from now on, and drops the records from others. */
export const withLinks = (browser: Browser, links: ReadonlyArray<Link>, now: number, random: number): Browser => {
  const isKept = ({ link }: { readonly link: string }) => links.some(({ key }) => key === link)
  const ifaces = new Map(
    links.map((link) => {
      const fresh = { browseAt: soon(now, random), interval: times.browse.first, quietUntil: now }
      return [link.key, { ...fresh, ...browser.interfaces.get(link.key), link }]
    })
  )
  return withCache(
    { ...browser, interfaces: ifaces },
    {
      ...browser.cache,
      instances: new Map([...browser.cache.instances].filter(([, instance]) => isKept(instance))),
      hosts: new Map([...browser.cache.hosts].filter(([, host]) => isKept(host)))
    }
  )
}

/** Starts to ask anew on every link: time has passed that we know nothing of. */
export const resume = (browser: Browser, now: number, random: number): Browser => ({
  ...browser,
  interfaces: new Map(
    [...browser.interfaces].map(([key, iface]) => [
      key,
      { ...iface, browseAt: Math.min(iface.browseAt, soon(now, random)), interval: times.browse.first }
    ])
  )
})

/** Asks whether what we know of a node still holds, for it was not found where it said. */
export const doubt = (browser: Browser, node: NodeId, now: number): Browser =>
  withNews(browser, Reconfirm.doubt(browser.cache, Sightings.keysOf(browser.seen, node), now))

/** Another querier has asked what we would ask: its answers are for us as well (RFC 6762 section 7.3). */
export const onQuerySeen = (browser: Browser, key: string, query: Packet, now: number): Browser => {
  const iface = browser.interfaces.get(key)
  const questions = query.questions.filter(({ isUnicast }) => isUnicast !== true)
  const spared = withCache(browser, Reconfirm.spare(browser.cache, key, questions, now))
  const isOurs = ({ name, type }: Question) => nameKey(name) === serviceType && type === "PTR"
  if (iface === undefined || query.isTruncated || !questions.some(isOurs)) return spared
  const ours = known(spared, iface.link, now)
  if (!query.answers.every((answer) => ours.some((own) => isSameRecord(own, answer)))) return spared
  return { ...spared, interfaces: new Map(spared.interfaces).set(key, browsed(iface, now)) }
}

/** A response, the link on which it came, and the address of its sender. */
export interface Response {
  readonly key: string
  readonly packet: Packet
  readonly from: string
}

/** Takes in responses, in this order. */
export const onResponse = (
  browser: Browser,
  responses: ReadonlyArray<Response>,
  now: number,
  random: number
): Browser => {
  const { self, interfaces: ifaces } = browser
  const cache = CacheIntake.receive(
    browser.cache,
    responses.flatMap(({ key, packet, from }) => {
      const link = ifaces.get(key)?.link
      if (link === undefined) return []
      const hearing = { self, link, from, now, chance: random, askAt: soon(now, random) }
      return [[hearing, [...packet.answers, ...packet.additionals]] as const]
    })
  )
  return withNews(browser, cache)
}

/** Drops expired records, asks the due questions, and reports the nodes that came and went. */
export const tick = (browser: Browser, now: number): Step => {
  let next = browser.plan.endAt <= now ? expire(browser, now) : browser
  const sends: Array<Send> = []
  for (const [key, iface] of browser.interfaces) {
    if (askTime(next, iface) > now) continue
    const [asking, packets] = ask(next, iface, now)
    next = asking
    for (const packet of packets) sends.push({ _tag: "Send", link: key, packet, to: undefined })
  }
  if (next.cache === next.lookedAt) return [next, sends, []]
  const [seen, sightings] = Sightings.look(next.seen, next.cache, next.interfaces, next.self.nodeId)
  return [{ ...next, seen, lookedAt: next.cache }, sends, sightings]
}

/**
 * Drops expired records. A silent node may come back unseen, as after a cable was pulled elsewhere: it is asked for.
 */
const expire = (browser: Browser, now: number): Browser => {
  const without = withCache(browser, Cache.expire(browser.cache, now))
  return Cache.hasLost(browser.cache, now) ? resume(without, now, 0.5) : without
}

/** When there is something to do. */
export const deadline = (browser: Browser): number =>
  Math.min(browser.plan.endAt, ...Array.from(browser.interfaces.values(), (iface) => askTime(browser, iface)))

/** When a packet of questions is due on a link. */
const askTime = ({ plan }: Browser, { link, browseAt, quietUntil }: InterfaceBrowser): number =>
  Math.max(quietUntil, Math.min(browseAt, plan.askAt.get(link.key) ?? Infinity))

const withCache = (browser: Browser, cache: Cache.Cache): Browser =>
  cache === browser.cache ? browser : { ...browser, cache, plan: Cache.planOf(cache) }

/** The same where the cache has more than before: at the cost of that. */
const withNews = (browser: Browser, cache: Cache.Cache): Browser =>
  cache === browser.cache ? browser : { ...browser, cache, plan: Cache.planAfter(browser.plan, browser.cache, cache) }

const soon = (now: number, random: number): number => now + times.soon.least + times.soon.spread * random

/** After a question for instances. */
const browsed = (iface: InterfaceBrowser, now: number): InterfaceBrowser => ({
  ...iface,
  browseAt: now + iface.interval,
  interval: Math.min(iface.interval * 2, times.browse.cap)
})

/** Sends the due questions of a link in one packet, and more packets for the known answers. */
const ask = (browser: Browser, iface: InterfaceBrowser, now: number): readonly [Browser, ReadonlyArray<Packet>] => {
  const { link } = iface
  const questions = new Map<string, Question>()
  const add = (name: string, type: Question["type"]) => questions.set(Cache.keyOf(type, name), { name, type })
  const isDue = (life: Ttl.Ttl | undefined): life is Ttl.Ttl => life !== undefined && Ttl.refreshAt(life) <= now
  const isBrowsing = iface.browseAt <= now
  if (isBrowsing) add(serviceType, "PTR")

  const instances = new Map(browser.cache.instances)
  for (const [key, instance] of instances) {
    if (questions.size >= maxQuestions) break
    let { pointer, service, text, asked, askAt, isGivenUp } = instance
    if (instance.link !== link.key || !(askAt <= now || [pointer, service?.life, text?.life].some(isDue))) continue
    if (isDue(pointer)) {
      add(serviceType, "PTR")
      pointer = Ttl.refresh(pointer)
    }
    if (isDue(service?.life)) {
      add(instance.name, "SRV")
      service = { ...service, life: Ttl.refresh(service.life) }
    }
    if (isDue(text?.life)) {
      add(instance.name, "TXT")
      text = { ...text, life: Ttl.refresh(text.life) }
    }
    if (askAt <= now && Cache.isResolved(browser.cache, instance)) askAt = Infinity
    else if (askAt <= now) {
      if (service === undefined) add(instance.name, "SRV")
      if (text === undefined) add(instance.name, "TXT")
      if (service !== undefined && Cache.hostOf(browser.cache, instance)?.addresses.size === 0) {
        add(service.host, "A")
        add(service.host, "AAAA")
      }
      askAt = now + (times.resolve[asked] ?? Infinity)
      asked++
      isGivenUp = asked > times.resolve.length
    }
    instances.set(key, { ...instance, pointer, service, text, asked, askAt, isGivenUp })
  }

  const hosts = new Map(browser.cache.hosts)
  for (const [key, host] of hosts) {
    if (questions.size >= maxQuestions) break
    if (host.link !== link.key || !host.addresses.values().some(isDue)) continue
    const addresses = new Map(host.addresses)
    for (const [address, life] of host.addresses) {
      if (!isDue(life)) continue
      add(host.name, address.includes(":") ? "AAAA" : "A")
      addresses.set(address, Ttl.refresh(life))
    }
    hosts.set(key, { ...host, addresses })
  }

  const next = withCache(browser, { ...browser.cache, instances, hosts })
  if (questions.size === 0) return [next, []]
  const asked: InterfaceBrowser = { ...(isBrowsing ? browsed(iface, now) : iface), quietUntil: now + times.distance }
  const answers = questions.has(Cache.keyOf("PTR", serviceType)) ? known(browser, link, now) : []
  const isFirst = isBrowsing && iface.interval === times.browse.first
  const alone: ReadonlyArray<Question> = isFirst ? [{ name: serviceType, type: "PTR", isUnicast: true }] : []
  return [
    { ...next, interfaces: new Map(browser.interfaces).set(link.key, asked) },
    split([...questions.values(), ...alone], answers)
  ]
}

/** Questions and their known answers, in packets that each fit into a frame (RFC 6762 section 7.2). */
const split = (questions: ReadonlyArray<Question>, answers: ReadonlyArray<Pointer>): ReadonlyArray<Packet> => {
  const parts: Array<Array<Pointer>> = [[]]
  let size = questions.reduce<number>((sum, question) => sum + sizeOf(question), packetSize.header)
  for (const answer of answers) {
    size += sizeOf(answer)
    if (size > packetSize.most) {
      parts.push([])
      size = packetSize.header + sizeOf(answer)
    }
    parts.at(-1)?.push(answer)
  }
  return parts.map((part, index) =>
    packetOf("query", {
      questions: index === 0 ? questions : [],
      answers: part,
      isTruncated: index < parts.length - 1
    })
  )
}

/** The known answers, which need not be repeated. Ours is one of them, so that we do not answer ourselves. */
const known = ({ self, cache }: Browser, link: Link, now: number): ReadonlyArray<Pointer> => {
  const answers = [pointerOf(self)]
  for (const { name, link: on, pointer } of cache.instances.values()) {
    if (answers.length >= maxKnown) break
    const ttl = on === link.key ? Ttl.secondsLeft(pointer, now) : undefined
    if (ttl !== undefined) answers.push({ type: "PTR", name: serviceType, ttl, flush: false, target: name })
  }
  return answers
}
