/**
 * DNS-based service discovery over multicast DNS (RFC 6762, RFC 6763), as a state machine: `step(state, event) -> [state,
 * actions]`. It announces this node, answers questions about it, and tells who else is there.
 *
 * Everything that comes in is untrusted: what is not understood is ignored, what is kept is bounded. Time (ms) and randomness
 * (in [0, 1)) come in with the events. `deadline` says when the next `Tick` is wanted.
 */
import { Option, Order, Schema } from "effect"
import type { Address } from "./Address.ts"
import { NodeId } from "./NodeId.ts"

/** The service type, and the name under which all service types are listed. */
export const serviceType = "_feral._tcp.local"
const metaService = "_services._dns-sd._udp.local"

/** Seconds that a record is good for: one that names a host or an address, and any other (RFC 6762 section 10). */
export const ttl = { host: 120, other: 4_500 } as const

/** How many instances are remembered. The one that was heard of longest ago goes first. */
export const maxInstances = 1_024

/** A resource record, as far as we understand it. `ttl` is in seconds; a record with 0 is withdrawn. */
export type ResourceRecord = { readonly name: string; readonly ttl: number } & (
  | { readonly type: "PTR"; readonly target: string }
  | { readonly type: "SRV"; readonly target: string; readonly port: number }
  | { readonly type: "TXT"; readonly texts: ReadonlyArray<string> }
  | { readonly type: "A" | "AAAA"; readonly address: string }
)

/** A question. `ANY` asks for every type. */
export interface Question {
  readonly name: string
  readonly type: string
}

export interface Options {
  readonly self: NodeId
  readonly port: number
}

/** A peer, completely resolved. */
export interface Peer {
  readonly node: NodeId
  readonly addresses: ReadonlyArray<Address>
  readonly protocol: 1 | 2
}

/** What is known of an instance. Times in ms. */
interface Instance {
  readonly name: string
  readonly host: string | undefined
  readonly port: number
  readonly node: NodeId | undefined
  readonly protocol: 1 | 2
  /** When the records were last heard, and when they expire. */
  readonly heardAt: number
  readonly expiresAt: number
  /** How many refreshing questions were asked since they were heard. */
  readonly refreshes: number
  /** The peer as it was last shown. */
  readonly shown: Peer | undefined
}

export interface DnsSd {
  readonly options: Options
  readonly instances: ReadonlyMap<string, Instance>
  /** Addresses of hosts, with their time of expiry. */
  readonly hosts: ReadonlyMap<string, ReadonlyMap<string, number>>
  readonly queryAt: number
  readonly queryEvery: number
  /** When to announce ourselves. */
  readonly announceAt: ReadonlyArray<number>
  /** When to answer what was asked, and when we last did. */
  readonly answerAt: number
  readonly answeredAt: number
}

export type Event =
  | {
      readonly _tag: "Query"
      readonly now: number
      readonly random: number
      readonly questions: ReadonlyArray<Question>
      /** What the asker knows already. */
      readonly known: ReadonlyArray<ResourceRecord>
    }
  | { readonly _tag: "Response"; readonly now: number; readonly records: ReadonlyArray<ResourceRecord> }
  | { readonly _tag: "Tick"; readonly now: number }

export type Action =
  /** Send questions, with what we know already. */
  | { readonly _tag: "Ask"; readonly questions: ReadonlyArray<Question>; readonly known: ReadonlyArray<ResourceRecord> }
  /** Send our records, completed with the addresses of the interface that they leave on. */
  | { readonly _tag: "Tell"; readonly records: ReadonlyArray<ResourceRecord>; readonly host: string }
  | { readonly _tag: "Appeared"; readonly peer: Peer }
  | { readonly _tag: "Vanished"; readonly node: NodeId }

export type Step = readonly [DnsSd, ReadonlyArray<Action>]

/** Before anything was sent. `random` spreads the first question, so that hosts that start together do not ask together. */
export const initial = (options: Options, now: number, random: number): DnsSd => ({
  options,
  instances: new Map(),
  hosts: new Map(),
  queryAt: now + 20 + random * 100,
  queryEvery: 1_000,
  announceAt: [now, now + 1_000],
  answerAt: Infinity,
  answeredAt: -Infinity
})

/** The name of a node's instance, and of its host. */
export const instanceOf = (node: string): string => `feral-${node}.${serviceType}`
export const hostOf = (node: string): string => `feral-${node}.local`

/** Our own records, without addresses. */
export const ownRecords = ({ self, port }: Options): ReadonlyArray<ResourceRecord> => {
  const instance = instanceOf(self)
  return [
    { name: serviceType, type: "PTR", ttl: ttl.other, target: instance },
    { name: instance, type: "SRV", ttl: ttl.host, target: hostOf(self), port },
    { name: instance, type: "TXT", ttl: ttl.other, texts: [`node_id=${self}`, "version=1.0.0", "p=2"] }
  ]
}

/** What to send when we leave: our own records, withdrawn. */
export const goodbye = ({ options }: DnsSd): Action => ({
  _tag: "Tell",
  records: ownRecords(options).map((record) => ({ ...record, ttl: 0 })),
  host: hostOf(options.self)
})

/** What happens next. */
export const step = (state: DnsSd, event: Event): Step => {
  switch (event._tag) {
    case "Query":
      return [onQuery(state, event), []]
    case "Response":
      return settle(
        event.records.reduce((next, record) => learn(next, record, event.now), state),
        event.now
      )
    case "Tick":
      return onTick(state, event.now)
  }
}

/** When a `Tick` is wanted (ms). */
export const deadline = (state: DnsSd): number => {
  let at = Math.min(state.queryAt, state.answerAt, ...state.announceAt)
  for (const instance of state.instances.values()) at = Math.min(at, instance.expiresAt, refreshAt(instance))
  return at
}

const sameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()

const onQuery = (state: DnsSd, { questions, known, now, random }: Extract<Event, { _tag: "Query" }>): DnsSd => {
  const own = [instanceOf(state.options.self), hostOf(state.options.self)]
  const isShared = questions.some(
    ({ name, type }) =>
      (sameName(name, serviceType) || sameName(name, metaService)) && (type === "PTR" || type === "ANY")
  )
  const isUnique = questions.some(({ name }) => own.some((ours) => sameName(name, ours)))
  // Known-answer suppression: the asker has our record, for at least half of its time (RFC 6762 section 7.1).
  const isKnown = known.some(
    (record) => record.type === "PTR" && sameName(record.target, own[0] ?? "") && record.ttl >= ttl.other / 2
  )
  if (!isUnique && (!isShared || isKnown)) return state
  // A shared record waits, so that answers of many hosts do not collide; nothing is said more than once a second.
  const delay = isUnique ? 0 : 20 + random * 100
  return { ...state, answerAt: Math.min(state.answerAt, Math.max(now + delay, state.answeredAt + 1_000)) }
}

const onTick = (state: DnsSd, now: number): Step => {
  const actions: Array<Action> = []
  let next = state
  if (now >= next.answerAt || next.announceAt.some((at) => now >= at)) {
    actions.push({ _tag: "Tell", records: ownRecords(next.options), host: hostOf(next.options.self) })
    next = { ...next, answerAt: Infinity, answeredAt: now, announceAt: next.announceAt.filter((at) => now < at) }
  }
  if (now >= next.queryAt) {
    actions.push({ _tag: "Ask", questions: [{ name: serviceType, type: "PTR" }], known: knownAnswers(next, now) })
    // From one second up to an hour, each time twice as long.
    next = { ...next, queryAt: now + next.queryEvery, queryEvery: Math.min(next.queryEvery * 2, 3_600_000) }
  }
  const stale = [...next.instances.values()].filter(
    (instance) => now >= refreshAt(instance) && now < instance.expiresAt
  )
  if (stale.length > 0) {
    actions.push({ _tag: "Ask", questions: stale.map(({ name }) => ({ name, type: "ANY" })), known: [] })
    const instances = new Map(next.instances)
    for (const instance of stale) instances.set(instance.name, { ...instance, refreshes: instance.refreshes + 1 })
    next = { ...next, instances }
  }
  const [settled, seen] = settle(next, now)
  return [settled, [...actions, ...seen]]
}

/** When to ask whether an instance is still there: at 80, 85, 90 and 95 % of its time (RFC 6762 section 5.2). */
const refreshAt = ({ heardAt, expiresAt, refreshes, shown }: Instance): number =>
  refreshes > 3 || shown === undefined ? Infinity : heardAt + (expiresAt - heardAt) * (0.8 + refreshes * 0.05)

const knownAnswers = ({ instances }: DnsSd, now: number): ReadonlyArray<ResourceRecord> =>
  [...instances.values()]
    .filter(({ shown }) => shown !== undefined)
    .slice(0, 20)
    .map(({ name, heardAt }) => ({
      name: serviceType,
      type: "PTR" as const,
      ttl: Math.max(0, ttl.other - Math.round((now - heardAt) / 1000)),
      target: name
    }))

/** Takes in one record of a response. */
const learn = (state: DnsSd, record: ResourceRecord, now: number): DnsSd => {
  // A withdrawn record is good for one more second, in case another host still has it (RFC 6762 section 10.1).
  const expiresAt = now + Math.max(1, Math.min(record.ttl, ttl.other)) * 1_000
  switch (record.type) {
    case "A":
    case "AAAA": {
      const name = record.name.toLowerCase()
      const hosts = new Map(state.hosts)
      const addresses = new Map(hosts.get(name) ?? [])
      addresses.delete(record.address)
      if (record.ttl > 0) addresses.set(record.address, expiresAt)
      hosts.delete(name)
      hosts.set(name, new Map([...addresses].slice(-16)))
      return { ...state, hosts: newest(hosts) }
    }
    case "PTR":
      return sameName(record.name, serviceType) && isInstance(record.target)
        ? withInstance(state, record.target, now, record.ttl === 0 ? { expiresAt } : {})
        : state
    case "SRV":
      return isInstance(record.name)
        ? withInstance(state, record.name, now, {
            ...(record.ttl === 0
              ? {}
              : { host: record.target.toLowerCase(), port: record.port, heardAt: now, refreshes: 0 }),
            expiresAt
          })
        : state
    case "TXT":
      return isInstance(record.name) && record.ttl > 0
        ? withInstance(state, record.name, now, readTexts(record.texts))
        : state
  }
}

const isInstance = (name: string): boolean =>
  name.length <= 255 &&
  name.length > serviceType.length + 1 &&
  sameName(name.slice(-serviceType.length - 1), `.${serviceType}`)

const decodeNodeId = Schema.decodeUnknownOption(NodeId)

const readTexts = (texts: ReadonlyArray<string>): Partial<Instance> => {
  const value = (key: string): string | undefined =>
    texts.find((text) => text.toLowerCase().startsWith(`${key}=`))?.slice(key.length + 1)
  const node = Option.getOrUndefined(decodeNodeId(value("node_id")))
  return { protocol: value("p") === "2" ? 2 : 1, ...(node === undefined ? {} : { node }) }
}

const withInstance = (state: DnsSd, name: string, now: number, news: Partial<Instance>): DnsSd => {
  if (sameName(name, instanceOf(state.options.self))) return state
  const key = name.toLowerCase()
  const label = name.slice(0, name.length - serviceType.length - 1)
  const before: Instance = state.instances.get(key) ?? {
    name: key,
    host: undefined,
    port: 0,
    // Until its TXT is known, the name itself tells the id.
    node: label.startsWith("feral-") ? Option.getOrUndefined(decodeNodeId(label.slice("feral-".length))) : undefined,
    protocol: 1,
    heardAt: now,
    expiresAt: now + ttl.host * 1_000,
    refreshes: 0,
    shown: undefined
  }
  const instances = new Map(state.instances)
  instances.delete(key)
  instances.set(key, { ...before, ...news })
  return { ...state, instances: newest(instances) }
}

const newest = <A>(entries: ReadonlyMap<string, A>): ReadonlyMap<string, A> =>
  entries.size > maxInstances ? new Map([...entries].slice(-maxInstances)) : entries

/** Shows what is new, drops what has expired, and asks for what is missing. */
const settle = (state: DnsSd, now: number): Step => {
  const actions: Array<Action> = []
  const instances = new Map(state.instances)
  const missing: Array<Question> = []
  for (const instance of state.instances.values()) {
    if (now >= instance.expiresAt) {
      instances.delete(instance.name)
      if (instance.shown !== undefined) actions.push({ _tag: "Vanished", node: instance.shown.node })
      continue
    }
    const peer = resolve(state, instance, now)
    if (peer === undefined) {
      // Asked for once; after that the regular questions bring it.
      if (instance.shown === undefined && instance.refreshes === 0) {
        missing.push({ name: instance.name, type: "ANY" })
        if (instance.host !== undefined) missing.push({ name: instance.host, type: "ANY" })
        instances.set(instance.name, { ...instance, refreshes: 1 })
      }
    } else if (instance.shown === undefined || !samePeer(peer, instance.shown)) {
      instances.set(instance.name, { ...instance, refreshes: 0, shown: peer })
      actions.push({ _tag: "Appeared", peer })
    }
  }
  if (missing.length > 0) actions.push({ _tag: "Ask", questions: missing, known: [] })
  return [{ ...state, instances }, actions]
}

const resolve = (
  { hosts, options }: DnsSd,
  { host, port, node, protocol }: Instance,
  now: number
): Peer | undefined => {
  if (host === undefined || port === 0 || node === undefined || node === options.self) return undefined
  const addresses = [...(hosts.get(host) ?? [])].filter(([, expiresAt]) => now < expiresAt).map(([address]) => address)
  return addresses.length === 0
    ? undefined
    : { node, protocol, addresses: addresses.sort(byPreference).map((address) => ({ host: address, port })) }
}

/** IPv4 first, then IPv6, link-local addresses last; otherwise by text, so that the order does not change by itself. */
const byPreference = Order.combine(
  Order.mapInput(Order.Number, (address: string) => (address.includes(":") ? (address.startsWith("fe80") ? 2 : 1) : 0)),
  Order.String
)

const samePeer = (a: Peer, b: Peer): boolean =>
  a.node === b.node &&
  a.protocol === b.protocol &&
  a.addresses.length === b.addresses.length &&
  a.addresses.every(({ host, port }, index) => host === b.addresses[index]?.host && port === b.addresses[index]?.port)
