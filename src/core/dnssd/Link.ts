/**
 * The links that a node speaks mDNS on: one for each network interface and family of addresses, and which addresses are good on
 * it.
 *
 * Addresses of loopback stay on loopback: no packet of another link can make a node dial itself.
 */
import type { Address } from "../Address.ts"

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
  /** What is announced on this link, at most `maxAddresses`. */
  readonly addresses: ReadonlyArray<string>
}

/** Addresses of one node on one link. */
export const maxAddresses = 8

/**
 * The links to use: the interfaces that hold a wanted address, with the families of those addresses, which are then what they
 * announce; without wishes, every interface but loopback, with all its addresses. A family of an interface is one link however
 * many addresses it has, for what is announced from one of them would replace what is announced from another.
 */
export const linksOf = (
  interfaces: Readonly<Record<string, ReadonlyArray<NetworkAddress> | undefined>>,
  wanted: ReadonlyArray<string>
): ReadonlyArray<Link> =>
  Object.entries(interfaces).flatMap(([scope, listed = []]) => {
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
    const common = { scope, addresses }
    if (ipv4 !== undefined) {
      const { address, netmask } = ipv4
      links.push({ ...common, key: `${scope} ${address}`, family: "IPv4", address, prefix: prefixOf(netmask) })
    }
    if (from !== undefined) {
      const { address } = from
      links.push({ ...common, key: `${scope} ${address}`, family: "IPv6", address, prefix: 0 })
    }
    return links
  })

/**
 * The link that a packet came on, told by its sender: a socket may receive what arrives on any interface. What is sent to the
 * multicast address never leaves its link, so a sender that is in none of our subnets is a neighbour all the same.
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

/** Whether an address is known to be on a link, so that an answer to it alone goes to no stranger. */
export const isNeighbour = (link: Link, address: string): boolean =>
  link.family === "IPv6"
    ? (isLinkLocal(address) && address.endsWith(`%${link.scope}`)) || (isLoopback(address) && isLoopback(link.address))
    : isInSubnet(link, address)

/** Whether an address is that of this host, on any of its links. */
export const isOwn = (links: ReadonlyArray<Link>, address: string): boolean =>
  links.some(({ addresses }) => addresses.includes(withoutScope(address)))

/** Whether an address that is announced on a link can be dialled there. */
export const isUsable = (link: Link, address: string): boolean => {
  const ipv4 = numberOf(address)
  if (isLoopback(address)) return isLoopback(link.address)
  // 0.0.0.0/8 is no host; from 224.0.0.0 on there are groups.
  if (ipv4 !== undefined) return ipv4 >= 0x01000000 && ipv4 < 0xe0000000
  return address.includes(":") && !/^(::|ff)/i.test(address)
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

const prefixOf = (netmask: string): number => (numberOf(netmask) ?? 0).toString(2).replace(/0+$/, "").length
