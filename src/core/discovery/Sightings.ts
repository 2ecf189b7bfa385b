/**
 * The nodes that can be dialled, from the cache: a node whose id, port and an address are known. It shows when it
 * comes, when something of this changes, and when it goes. The instances of one node, on all links, are one peer.
 *
 * Only instances that changed since the last look are examined again.
 */
import type { Address } from "../peers/Address.ts"
import { byCodePoint, type NodeId } from "../replica/NodeId.ts"
import { type Cache, type Host, hostOf, type Instance } from "./Cache.ts"
import { dialled, type Link, maxAddresses, rank } from "./Link.ts"
import { nodeOf } from "./ServiceRecords.ts"

/** A node that can be dialled. */
export interface Peer {
  /** Best first. */
  readonly addresses: ReadonlyArray<Address>
  /** The hosts among them from which it announces itself; left out where there is none. */
  readonly near?: ReadonlyArray<string>
  readonly protocol: 1 | 2
}

export type Sighting =
  | ({ readonly _tag: "Appeared"; readonly nodeId: NodeId } & Peer)
  /** It took its leave, or fell silent. */
  | { readonly _tag: "Vanished"; readonly nodeId: NodeId; readonly isGoodbye: boolean }

interface Ranked extends Address {
  readonly isNear: boolean
  readonly rank: number
}

/** An instance as it was at the last look, and what it shows. */
interface Entry {
  readonly instance: Instance
  readonly host: Host | undefined
  readonly found:
    { readonly node: NodeId; readonly protocol: 1 | 2; readonly addresses: ReadonlyArray<Ranked> } | undefined
}

/** The nodes at the last look. */
export interface Seen {
  readonly entries: ReadonlyMap<string, Entry>
  readonly peers: ReadonlyMap<NodeId, Peer>
}

export const none: Seen = { entries: new Map(), peers: new Map() }

/** Where in the cache a node was seen. */
export const keysOf = ({ entries }: Seen, node: NodeId): ReadonlyArray<string> =>
  [...entries].flatMap(([key, { found }]) => (found?.node === node ? [key] : []))

/** Looks again. `links` are those that are in use. */
export const look = (
  seen: Seen,
  cache: Cache,
  links: ReadonlyMap<string, { readonly link: Link }>,
  self: NodeId
): readonly [Seen, ReadonlyArray<Sighting>] => {
  const entries = new Map<string, Entry>()
  const changed = new Set<NodeId>()
  const note = (entry: Entry | undefined) => {
    if (entry?.found !== undefined) changed.add(entry.found.node)
  }
  let kept = 0
  for (const [key, instance] of cache.instances) {
    const host = hostOf(cache, instance)
    const before = seen.entries.get(key)
    if (before !== undefined) kept++
    if (before !== undefined && before.instance === instance && before.host === host) {
      entries.set(key, before)
      continue
    }
    const link = links.get(instance.link)?.link
    const found = link === undefined || host === undefined ? undefined : find(instance, host, link)
    const entry = { instance, host, found: found?.node === self ? undefined : found }
    note(before)
    note(entry)
    entries.set(key, entry)
  }
  if (kept < seen.entries.size) for (const [key, entry] of seen.entries) if (!entries.has(key)) note(entry)
  if (changed.size === 0) return [{ entries, peers: seen.peers }, []]
  return compare(seen, entries, changed)
}

/** Who an instance is. */
const find = ({ name, service, text, isGivenUp }: Instance, host: Host, link: Link): Entry["found"] => {
  // A node that never tells its TXT record is taken by its name in the end.
  if (service === undefined || host.addresses.size === 0 || (text === undefined && !isGivenUp)) return undefined
  const node = nodeOf(name, text?.id)
  if (node === undefined) return undefined
  const addresses = Array.from(host.addresses.keys(), (address) => ({
    ...dialled(link, address, service.port),
    isNear: host.near.includes(address),
    rank: rank(link, address)
  }))
  return { node, protocol: text?.protocol ?? 1, addresses }
}

/** Reports the changes of some nodes. */
const compare = (
  { entries: earlier, peers }: Seen,
  entries: Seen["entries"],
  nodes: ReadonlySet<NodeId>
): readonly [Seen, ReadonlyArray<Sighting>] => {
  const found = new Map<NodeId, Array<NonNullable<Entry["found"]>>>()
  for (const { found: one } of entries.values()) {
    if (one === undefined || !nodes.has(one.node)) continue
    const others = found.get(one.node)
    if (others === undefined) found.set(one.node, [one])
    else others.push(one)
  }
  const next = new Map(peers)
  const [gone, come]: [Array<Sighting>, Array<Sighting>] = [[], []]
  for (const nodeId of nodes) {
    const peer = peerOf(found.get(nodeId) ?? [])
    const before = peers.get(nodeId)
    if (peer === undefined) {
      if (next.delete(nodeId)) gone.push({ _tag: "Vanished", nodeId, isGoodbye: hasLeft(earlier, nodeId) })
    } else if (before === undefined || !isSamePeer(before, peer)) {
      next.set(nodeId, peer)
      come.push({ _tag: "Appeared", nodeId, ...peer })
    }
  }
  return [{ entries, peers: next }, [...gone, ...come]]
}

/** Whether a node has taken back that it is there, on every link. */
const hasLeft = (entries: Seen["entries"], nodeId: NodeId): boolean =>
  entries.values().every(({ instance, found }) => found?.node !== nodeId || instance.pointer.isWithdrawn)

const peerOf = (found: ReadonlyArray<NonNullable<Entry["found"]>>): Peer | undefined => {
  if (found.length === 0) return undefined
  const addresses = found
    .flatMap(({ addresses }) => addresses)
    // A node is at the host that announces it; the other addresses could belong to other nodes.
    .sort(
      (a, b) => Number(b.isNear) - Number(a.isNear) || a.rank - b.rank || byCodePoint(a.host, b.host) || a.port - b.port
    )
  const distinct = new Map(addresses.map(({ host, port }) => [`${host} ${port}`, { host, port }]))
  const near = [...new Set(addresses.filter(({ isNear }) => isNear).map(({ host }) => host))]
  return {
    addresses: [...distinct.values()].slice(0, maxAddresses),
    ...(near.length === 0 ? {} : { near }),
    protocol: found.some(({ protocol }) => protocol === 2) ? 2 : 1
  }
}

const isSamePeer = (a: Peer, b: Peer): boolean =>
  a.protocol === b.protocol &&
  a.near?.join() === b.near?.join() &&
  a.addresses.length === b.addresses.length &&
  a.addresses.every(({ host, port }, index) => host === b.addresses[index]?.host && port === b.addresses[index]?.port)
