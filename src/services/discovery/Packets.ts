/**
 * Between the packets of the codec and those of `core/discovery/DnsRecord.ts`. Reading is total: unknown parts are left
 * out, and the rest is safe to compare, to remember and to write again.
 */
import dnsPacket from "dns-packet"
import { Option, Result } from "effect"
import { isUtf8 } from "node:buffer"
import { isIPv4, isIPv6 } from "node:net"
import {
  isName,
  type Packet,
  type Question,
  type ResourceRecord,
  type UniqueType
} from "../../core/discovery/DnsRecord.ts"
import { utf8Length } from "../../core/replica/NodeId.ts"

/** Questions and records of one packet that are read. */
const maxEntries = 512

/** A packet as the codec decodes it, of which nothing is taken for granted but that it is an object. */
export interface Decoded {
  readonly type?: unknown
  readonly id?: unknown
  readonly opcode?: unknown
  readonly rcode?: unknown
  readonly flag_tc?: unknown
  readonly questions?: unknown
  readonly answers?: unknown
  readonly authorities?: unknown
  readonly additionals?: unknown
}

/** A record as the codec encodes it. */
type Encoded = { name: string; ttl: number; flush: boolean } & (
  | { type: "PTR" | "A" | "AAAA"; data: string }
  | { type: "SRV"; data: { port: number; target: string } }
  | { type: "TXT"; data: Array<string> }
  | { type: "NSEC"; data: { nextDomain: string; rrtypes: Array<UniqueType> } }
)

/** Reads a packet. Nothing unless it is a plain query or a plain response (RFC 6762 section 18). */
export const packetFrom = (decoded: Decoded): Packet | undefined => {
  const { type: kind, id, opcode = "QUERY", rcode = "NOERROR" } = decoded
  if ((kind !== "query" && kind !== "response") || opcode !== "QUERY" || rcode !== "NOERROR") return undefined
  return {
    kind,
    id: typeof id === "number" ? id : 0,
    isTruncated: decoded.flag_tc === true,
    questions: entriesOf(decoded.questions).flatMap(questionFrom),
    answers: entriesOf(decoded.answers).flatMap(recordFrom),
    authorities: entriesOf(decoded.authorities).flatMap(recordFrom),
    additionals: entriesOf(decoded.additionals).flatMap(recordFrom)
  }
}

/** Reads bytes. Nothing if they are not a packet. */
export const decode = (bytes: Buffer): Packet | undefined =>
  Option.getOrUndefined(
    Option.flatMapNullishOr(Result.getSuccess(Result.try(() => dnsPacket.decode(bytes))), packetFrom)
  )

/** The bytes of a packet. */
export const encode = ({ kind, id, isTruncated, ...sections }: Packet): Uint8Array => {
  const questions = sections.questions.filter(({ type }) => type !== "OTHER")
  const bytes = dnsPacket.encode({
    type: kind,
    id,
    flags:
      (kind === "response" ? dnsPacket.AUTHORITATIVE_ANSWER : 0) | (isTruncated ? dnsPacket.TRUNCATED_RESPONSE : 0),
    // The codec writes ANY as well; its types have forgotten it.
    questions: questions.map(({ name, type }) => ({ name, type: type as UniqueType })),
    answers: encoded(sections.answers),
    authorities: encoded(sections.authorities),
    additionals: encoded(sections.additionals)
  })
  // The codec has no way to write the bit that asks for an answer to the querier alone.
  let at = headerBytes
  for (const { name, isUnicast } of questions) {
    at += utf8Length(name) + questionBytes
    if (isUnicast === true) bytes.writeUInt16BE(unicastBit | bytes.readUInt16BE(at - 2), at - 2)
  }
  return bytes
}

/** Bytes of a header, and of a question beside the characters of its name. */
const headerBytes = 12
const questionBytes = 6

/** In the class of a question. */
const unicastBit = 0x8000

/** The records as the codec encodes them: each time a new value, because the codec changes its input. */
const encoded = (records: ReadonlyArray<ResourceRecord>): Array<Encoded> =>
  records.map((record) => {
    const { name, ttl, flush } = record
    switch (record.type) {
      case "PTR":
        return { name, ttl, flush, type: record.type, data: record.target }
      case "SRV":
        return { name, ttl, flush, type: record.type, data: { port: record.port, target: record.target } }
      case "TXT":
        return { name, ttl, flush, type: record.type, data: [...record.strings] }
      case "A":
      case "AAAA":
        return { name, ttl, flush, type: record.type, data: record.address }
      case "NSEC":
        // Where no such types are, the next name is the name itself (RFC 6762 section 6.1).
        return { name, ttl, flush, type: record.type, data: { nextDomain: name, rrtypes: [...record.types] } }
    }
  })

type Fields = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Fields => typeof value === "object" && value !== null

const entriesOf = (list: unknown): ReadonlyArray<Fields> =>
  Array.isArray(list) ? list.slice(0, maxEntries).filter(isObject) : []

const isNameText = (value: unknown): value is string => typeof value === "string" && isName(value)

/**
 * The class of the internet, and any; with the bit that asks for an answer to the querier alone, as the codec shows it.
 */
const plainClasses: ReadonlyArray<unknown> = ["IN", "ANY"]
const unicastClasses: ReadonlyArray<unknown> = ["UNKNOWN_32769", "UNKNOWN_33023"]

const questionFrom = ({ name, type, class: klass }: Fields): ReadonlyArray<Question> => {
  const isUnicast = unicastClasses.includes(klass)
  if (!isNameText(name) || !(isUnicast || plainClasses.includes(klass))) return []
  switch (type) {
    case "PTR":
    case "SRV":
    case "TXT":
    case "A":
    case "AAAA":
    case "ANY":
      return [{ name, type, isUnicast }]
    default:
      return typeof type === "string" ? [{ name, type: "OTHER", isUnicast }] : []
  }
}

const recordFrom = ({ name, type, class: klass, ttl, flush: flag, data }: Fields): ReadonlyArray<ResourceRecord> => {
  if (!isNameText(name) || klass !== "IN" || typeof ttl !== "number" || !(ttl >= 0)) return []
  const common = { name, ttl, flush: flag === true }
  switch (type) {
    case "PTR":
      return isNameText(data) ? [{ ...common, type, target: data }] : []
    case "SRV": {
      if (!isObject(data)) return []
      const { port, target } = data
      return typeof port === "number" && isNameText(target) ? [{ ...common, type, port, target }] : []
    }
    case "TXT":
      return [{ ...common, type, strings: (Array.isArray(data) ? data : [data]).flatMap(stringFrom) }]
    case "A":
      return typeof data === "string" && isIPv4(data) ? [{ ...common, type, address: data }] : []
    case "AAAA":
      return typeof data === "string" && isIPv6(data) ? [{ ...common, type, address: data.toLowerCase() }] : []
    default:
      return []
  }
}

/** Bytes that are not UTF-8 are left out: no id is made of replacement characters. */
const stringFrom = (data: unknown): ReadonlyArray<string> =>
  data instanceof Uint8Array && isUtf8(data) ? [Buffer.from(data).toString("utf8")] : []
