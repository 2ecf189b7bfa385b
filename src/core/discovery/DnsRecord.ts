/**
 * Packets of multicast DNS, as far as DNS-SD needs them: what a codec reads and writes, without its types.
 *
 * A name is text without the last dot; names are compared as `nameKey` makes them. A name that `isName` accepts can be
 * written by every codec.
 */
import { utf8Length } from "../replica/NodeId.ts"

interface Common {
  readonly name: string
  /** In seconds; 0 takes the record back. */
  readonly ttl: number
  /**
   * The record is the only one of its name and type, or one of a set that is whole in this packet: others are out of
   * date.
   */
  readonly flush: boolean
}

export type ResourceRecord =
  | (Common & { readonly type: "PTR"; readonly target: string })
  | (Common & { readonly type: "SRV"; readonly port: number; readonly target: string })
  | (Common & { readonly type: "TXT"; readonly strings: ReadonlyArray<string> })
  | (Common & { readonly type: "A" | "AAAA"; readonly address: string })
  /** The types that there are of this name: there are no others. */
  | (Common & { readonly type: "NSEC"; readonly types: ReadonlyArray<UniqueType> })

export type Pointer = Extract<ResourceRecord, { readonly type: "PTR" }>

/** Types of records that one host alone has. */
export type UniqueType = "SRV" | "TXT" | "A" | "AAAA"

export interface Question {
  readonly name: string
  /** `OTHER` is a type that our service does not use. */
  readonly type: UniqueType | "PTR" | "ANY" | "OTHER"
  /** The querier would rather have the answer for itself (RFC 6762 section 5.4). */
  readonly isUnicast?: boolean
}

export interface Packet {
  readonly kind: "query" | "response"
  /** 0 but in the answers to those who ask from a port of their own. */
  readonly id: number
  /** In a query: more known answers follow in another packet. */
  readonly isTruncated: boolean
  readonly questions: ReadonlyArray<Question>
  /** In a query: the known answers. */
  readonly answers: ReadonlyArray<ResourceRecord>
  /** In a query: the records that the querier is about to claim, which makes it a probe. */
  readonly authorities: ReadonlyArray<ResourceRecord>
  readonly additionals: ReadonlyArray<ResourceRecord>
}

/** A packet with only the given parts. */
export const packetOf = (kind: Packet["kind"], parts: Partial<Packet>): Packet => ({
  id: 0,
  isTruncated: false,
  questions: [],
  answers: [],
  authorities: [],
  additionals: [],
  ...parts,
  kind
})

/** Bytes of a packet that fits into one frame everywhere, and of its header. */
export const packetSize = { most: 1400, header: 12 } as const

/** At most so many bytes does a question or a pointer take. */
export const sizeOf = (entry: Question | Pointer): number =>
  utf8Length(entry.name) + 6 + ("target" in entry ? utf8Length(entry.target) + 8 : 0)

/** Bytes of the longest label. */
export const maxLabel = 63

/** Control characters, which no name has (RFC 6763 section 4.1.1), and what else ends a line. */
const controls = /[\p{Cc}\u2028\u2029]/u

/** Whether text is a name that fits into 255 bytes on the wire. */
export const isName = (text: string): boolean =>
  text.length <= 253 &&
  utf8Length(text) <= 253 &&
  text.isWellFormed() &&
  !controls.test(text) &&
  text.split(".").every((label) => label !== "" && utf8Length(label) <= maxLabel)

/** The form in which names are equal when they differ in the case of ASCII letters only. */
export const nameKey = (name: string): string => name.replace(/[A-Z]/g, (letter) => letter.toLowerCase())

/** Whether two records say the same, whatever their time to live. */
export const isSameRecord = (a: ResourceRecord, b: ResourceRecord): boolean =>
  a.type === b.type && nameKey(a.name) === nameKey(b.name) && dataKey(a) === dataKey(b)

const dataKey = (record: ResourceRecord): string => {
  switch (record.type) {
    case "PTR":
      return nameKey(record.target)
    case "SRV":
      return `${record.port} ${nameKey(record.target)}`
    case "TXT":
      return JSON.stringify(record.strings)
    case "A":
    case "AAAA":
      return record.address.toLowerCase()
    case "NSEC":
      return record.types.join()
  }
}
