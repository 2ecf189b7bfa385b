/**
 * How a node shows itself in DNS-SD (RFC 6763), and how others are read.
 *
 * The instance is `feral-<node id>`. An id that does not fit into one label (63 bytes, no dot) is shortened there, and
 * marked with a hash. The whole id is always in the TXT record, and is read from there. An announcement is a hint: an
 * id is proved in the handshake.
 */
import { Option, Schema } from "effect"
import { NodeId, utf8Length } from "../replica/NodeId.ts"
import { type Link } from "./Link.ts"
import { maxLabel, nameKey, type Pointer, type ResourceRecord } from "./DnsRecord.ts"

export const serviceType = "_feral._tcp.local"
/** Where all services of a network are listed. */
export const enumeration = "_services._dns-sd._udp.local"

/** Seconds that others may remember our records: those that name a host, and the rest. */
export const ttls = { host: 120, other: 4500 } as const

/** The names and the port under which we are announced. */
export interface Self {
  readonly nodeId: NodeId
  readonly port: number
  readonly instance: string
  readonly host: string
}

export const selfOf = (nodeId: NodeId, port: number): Self => ({
  nodeId,
  port,
  instance: `${labelOf(nodeId)}.${serviceType}`,
  host: `${labelOf(nodeId)}.local`
})

/** Records that belong together: one name and one type. What no other node has a part in is `unique`. */
export const uniqueSets = ["service", "text", "ipv4", "ipv6"] as const
/** The records that are announced, and withdrawn. */
export const announcedSets = ["pointer", ...uniqueSets] as const
export type RecordSet = "types" | "noInstanceType" | "noHostType" | (typeof announcedSets)[number]

/** One of our record sets, as it is on a link. */
export const recordsOf = (self: Self, link: Link, set: RecordSet): ReadonlyArray<ResourceRecord> => {
  switch (set) {
    case "types":
      return [{ type: "PTR", name: enumeration, ttl: ttls.other, flush: false, target: serviceType }]
    case "pointer":
      return [pointerOf(self)]
    case "service":
      return [{ type: "SRV", name: self.instance, ttl: ttls.host, flush: true, port: self.port, target: self.host }]
    case "text": {
      const strings = [`node_id=${self.nodeId}`, "version=1.0.0", "p=2"]
      return [{ type: "TXT", name: self.instance, ttl: ttls.other, flush: true, strings }]
    }
    case "noInstanceType":
      return [{ type: "NSEC", name: self.instance, ttl: ttls.other, flush: true, types: ["TXT", "SRV"] }]
    case "noHostType": {
      const types = (["A", "AAAA"] as const).filter((type) => hasAddress(link, type))
      return [{ type: "NSEC", name: self.host, ttl: ttls.host, flush: true, types }]
    }
    case "ipv4":
    case "ipv6": {
      const type = set === "ipv6" ? "AAAA" : "A"
      return link.addresses.filter((address) => typeOf(address) === type).map((address) => addressOf(self, address))
    }
  }
}

/** Names us among the instances: shared, for those of other nodes stand beside it. */
export const pointerOf = ({ instance }: Self): Pointer => ({
  type: "PTR",
  name: serviceType,
  ttl: ttls.other,
  flush: false,
  target: instance
})

/** The record of one address. */
export const addressOf = (self: Self, address: string): ResourceRecord => ({
  type: typeOf(address),
  name: self.host,
  ttl: ttls.host,
  flush: true,
  address
})

/** Whether a node announces addresses of a family on a link. */
export const hasAddress = (link: Link, type: "A" | "AAAA"): boolean =>
  link.addresses.some((address) => typeOf(address) === type)

const typeOf = (address: string) => (address.includes(":") ? "AAAA" : "A")

/** The contents of a TXT record. */
export interface Text {
  /** As it stands there; whether it is a node id is another question. */
  readonly id: string | undefined
  readonly protocol: 1 | 2
}

/** Reads the strings of a TXT record: keys in any case, the first of each counts (RFC 6763 section 6.4). */
export const textOf = (strings: ReadonlyArray<string>): Text => {
  const value = (key: string) => strings.find((entry) => nameKey(entry).startsWith(`${key}=`))?.slice(key.length + 1)
  const protocol = value("p") ?? ""
  // What speaks more than we do still speaks what we do.
  return { id: value("node_id"), protocol: /^\d{1,4}$/.test(protocol) && Number(protocol) >= 2 ? 2 : 1 }
}

/** Whether a name is an instance of our service. */
export const isInstance = (name: string): boolean =>
  name.length > serviceType.length + 1 && nameKey(name).endsWith(`.${serviceType}`)

/** The node id that an instance shows: the one of its TXT record, or, where that has none, the one of its name. */
export const nodeOf = (instance: string, id: string | undefined): NodeId | undefined => {
  const label = instance.slice(0, -serviceType.length - 1)
  if (id === undefined && !nameKey(label).startsWith(prefix)) return undefined
  return Option.getOrUndefined(decode(id ?? label.slice(prefix.length)))
}

const prefix = "feral-"
const decode = Schema.decodeUnknownOption(NodeId)

const labelOf = (nodeId: NodeId): string => {
  const label = `${prefix}${nodeId}`
  if (utf8Length(label) <= maxLabel && !/[.\\]/.test(label)) return label
  let cut = ""
  for (const character of label.replace(/[.\\]/g, "-")) {
    if (utf8Length(cut) + utf8Length(character) > maxLabel - 9) break
    cut += character
  }
  return `${cut}-${hash(nodeId)}`
}

/** FNV-1a over the code units: distinguishes names that are cut to the same text. */
const hash = (text: string): string => {
  let sum = 0x811c9dc5
  for (let index = 0; index < text.length; index++) sum = Math.imul(sum ^ text.charCodeAt(index), 0x01000193) >>> 0
  return sum.toString(16).padStart(8, "0")
}
