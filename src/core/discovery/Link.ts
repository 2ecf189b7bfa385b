/**
 * The links that a node speaks mDNS on: one for each network interface and family of addresses, and which addresses are
 * good on it.
 *
 * Announced addresses are dialled only where a neighbour can be: on a network of the interface, or in a range that is
 * never routed on the internet. Loopback addresses stay on loopback, and our own addresses are accepted only from this
 * host (two nodes on one host). So no packet of another host can make a node dial a local service, or a host on the
 * internet.
 */
import { Option, Result } from "effect"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import type { Address } from "../peers/Address.ts"

/** An address of an interface, as the operating system lists it. */
export interface NetworkAddress {
  readonly address: string
  readonly netmask: string
  readonly family: string
  readonly internal: boolean
}

export interface Link {
  /** Interface and address: a link whose address changes is another link. */
  readonly key: string
  readonly family: "IPv4" | "IPv6"
  /** The name of the interface: the scope of link-local addresses. */
  readonly scope: string
  /** The address that packets leave from. */
  readonly address: string
  /** Bits that the IPv4 addresses of the subnet share; 0 with IPv6. */
  readonly prefix: number
  /** The addresses that are announced on this link, at most `maxAddresses`. */
  readonly addresses: ReadonlyArray<string>
  /** Networks of the interface that are in no private range, as `address/prefix`. */
  readonly networks: ReadonlyArray<string>
  /** All addresses of this host, on any interface. */
  readonly own: ReadonlyArray<string>
}

/** Addresses of one node on one link. */
export const maxAddresses = 8

/**
 * The links to use. If names or addresses are given, these are the interfaces that have one of them. An interface
 * chosen by address announces the addresses of that family. Otherwise every interface but loopback is used, with all
 * its addresses. A family of an interface is one link however many addresses it has, because announcements from one of
 * them would replace those from another.
 */
export const linksOf = (
  interfaces: Readonly<Record<string, ReadonlyArray<NetworkAddress> | undefined>>,
  wanted: ReadonlyArray<string>
): ReadonlyArray<Link> => {
  const own = Object.values(interfaces).flatMap((listed = []) => listed.map(({ address }) => withoutScope(address)))
  return Object.entries(interfaces).flatMap(([scope, listed = []]) => {
    const used = listed
      .map((entry) => ({ ...entry, address: withoutScope(entry.address) }))
      .filter(({ address, internal }) =>
        wanted.length === 0 ? !internal : wanted.some((wish) => isMeant(wish, address, scope))
      )
    const addresses = used.map(({ address }) => address).slice(0, maxAddresses)
    const ipv4 = used.find(({ address }) => numberOf(address) !== undefined)
    const ipv6 = used.filter(({ address }) => address.includes(":"))
    // Multicast DNS over IPv6 is spoken from link-local addresses (RFC 6762 section 11).
    const from = ipv6.find(({ address }) => isLinkLocal(address)) ?? ipv6[0]
    const links: Array<Link> = []
    const common = { scope, addresses, networks: used.flatMap(publicNetworkOf), own }
    if (ipv4 !== undefined) {
      const { address, netmask } = ipv4
      const mask = NetAddress.ipFromString(netmask)
      const prefix = Result.isSuccess(mask) ? prefixOf(mask.success) : 32
      links.push({ ...common, key: `${scope} ${address}`, family: "IPv4", address, prefix })
    }
    if (from !== undefined) {
      const { address } = from
      links.push({ ...common, key: `${scope} ${address}`, family: "IPv6", address, prefix: 0 })
    }
    return links
  })
}

/**
 * The link that a packet came on, told by its sender: a socket may receive what arrives on any interface. What is sent
 * to the multicast address never leaves its link, so a sender that is in none of our subnets is a neighbour all the
 * same.
 */
export const linkFrom = (links: ReadonlyArray<Link>, sender: string): Link | undefined => {
  const family = sender.includes(":") ? "IPv6" : "IPv4"
  const [, scope] = sender.split("%")
  const candidates = links.filter((link) => link.family === family && (scope === undefined || link.scope === scope))
  return (
    candidates.find((link) => isNeighbour(link, sender)) ??
    (isLoopback(sender) ? undefined : candidates.find(({ address }) => !isLoopback(address)))
  )
}

/** Whether an address is known to be on a link, so that an answer to it alone reaches no other host. */
export const isNeighbour = (link: Link, address: string): boolean =>
  link.family === "IPv6"
    ? (isLinkLocal(address) && address.endsWith(`%${link.scope}`)) || (isLoopback(address) && isLoopback(link.address))
    : isInSubnet(link, address)

/** Whether an address is that of this host, on any of its links. */
export const isOwn = (links: ReadonlyArray<Link>, address: string): boolean =>
  links.some(({ addresses }) => addresses.includes(withoutScope(address)))

/**
 * Whether an address that `from` announces on a link can be dialled: it is that of a neighbour, and not our own unless
 * we announce it ourselves. The system drops packets from the network with an address of ours.
 */
export const isUsable = (link: Link, address: string, from: string): boolean => {
  const ip = Option.getOrUndefined(Result.getSuccess(NetAddress.ipFromString(address)))
  if (ip === undefined) return false
  if (NetAddress.isLoopback(ip)) return isLoopback(link.address)
  if (isOurs(link, address) && !isOurs(link, from)) return false
  return isPrivate(ip) || networksOf(link).some((network) => IpNetwork.contains(network, ip))
}

/**
 * Ranges that are not routed on the internet: reflectors carry mDNS between such networks. 169.254/16 is not one of
 * them: where an interface has no address there, such addresses are those of services of a cloud.
 */
const isPrivate = (ip: NetAddress.IpAddress): boolean =>
  NetAddress.isIpv4Address(ip)
    ? NetAddress.isPrivate(ip) || IpNetwork.contains(sharedSpace, ip)
    : NetAddress.isUniqueLocal(ip) || NetAddress.isLinkLocal(ip)

/** Between a provider and its customers (RFC 6598), and between the nodes of overlay networks. */
const sharedSpace = IpNetwork.fromStringUnsafe("100.64.0.0/10")

const networksOf = ({ networks }: Link): ReadonlyArray<IpNetwork.IpNetwork> =>
  networks.flatMap((text) => Option.toArray(Result.getSuccess(IpNetwork.fromString(text))))

const isOurs = ({ own, addresses }: Link, address: string): boolean => {
  const plain = withoutScope(address)
  return own.includes(plain) || addresses.includes(plain)
}

/** The network of an address of ours, where it is in no private range. */
const publicNetworkOf = ({ address, netmask }: NetworkAddress): ReadonlyArray<string> => {
  const ip = Option.getOrUndefined(Result.getSuccess(NetAddress.ipFromString(address)))
  const mask = Option.getOrUndefined(Result.getSuccess(NetAddress.ipFromString(netmask)))
  if (ip === undefined || mask === undefined || isPrivate(ip) || NetAddress.isLoopback(ip)) return []
  const network = IpNetwork.fromAddress(ip, prefixOf(mask))
  return Option.toArray(Option.map(Result.getSuccess(network), IpNetwork.format))
}

/** How good an address is; less is better. */
export const rank = (link: Link, address: string): number => {
  if (isInSubnet(link, address)) return isLoopback(address) ? 0 : 1
  if (numberOf(address) !== undefined) return address.startsWith("169.254.") ? 4 : 2
  return isLinkLocal(address) ? 5 : 3
}

/** What to dial: a link-local address needs its scope. */
export const dialled = (link: Link, host: string, port: number): Address => ({
  host: isLinkLocal(host) ? `${host}%${link.scope}` : host,
  port
})

/** A wish may name the interface too: link-local addresses can be the same on several. */
const isMeant = (wish: string, address: string, scope: string): boolean => {
  const [, named] = wish.split("%")
  if (wish === scope) return true
  return withoutScope(wish) === address && (named === undefined || named === scope)
}

const withoutScope = (address: string): string => address.replace(/%.*$/, "").toLowerCase()
const isLoopback = (address: string): boolean => address.startsWith("127.") || address === "::1"
const isLinkLocal = (address: string): boolean => /^fe[89ab][0-9a-f]:/i.test(address)

const isInSubnet = (link: Link, address: string): boolean => {
  const [own, other] = [numberOf(link.address), numberOf(address)]
  if (own === undefined || other === undefined) return false
  // A shift by 32 shifts by nothing.
  const size = 2 ** (32 - link.prefix)
  return Math.floor(own / size) === Math.floor(other / size)
}

/** An IPv4 address as a number. */
const numberOf = (address: string): number | undefined => {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(address)) return undefined
  const bytes = address.split(".").map(Number)
  return bytes.some((byte) => byte > 255) ? undefined : bytes.reduce((sum, byte) => sum * 256 + byte, 0)
}

/** Bits that are set in a mask. */
const prefixOf = (mask: NetAddress.IpAddress): number =>
  [...(NetAddress.isIpv4Address(mask) ? NetAddress.ipv4ToOctets(mask) : NetAddress.ipv6ToOctets(mask))].reduce(
    (sum, octet) => sum + octet.toString(2).replaceAll("0", "").length,
    0
  )
