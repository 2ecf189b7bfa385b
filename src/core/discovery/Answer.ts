/**
 * Which of our records a query asks for, and the answer that holds them. A question for a type that one of our names
 * does not have learns that it does not (RFC 6762 section 6.1).
 */
import type { Link } from "./Link.ts"
import { isSameRecord, nameKey, type Packet, packetOf, type Question, type ResourceRecord } from "./DnsRecord.ts"
import { enumeration, hasAddress, type RecordSet, recordsOf, type Self, serviceType } from "./ServiceRecords.ts"

/** Whether others may have records of this name and type as well. */
export const isShared = (set: RecordSet): boolean => set === "types" || set === "pointer"

/** Our records that a question asks for. */
export const setsFor = (self: Self, link: Link, { name, type }: Question): ReadonlyArray<RecordSet> => {
  switch (nameKey(name)) {
    case enumeration:
      return type === "PTR" || type === "ANY" ? ["types"] : []
    case serviceType:
      return type === "PTR" || type === "ANY" ? ["pointer"] : []
    case nameKey(self.instance):
      return instanceSets[type] ?? ["noInstanceType"]
    case nameKey(self.host): {
      const families = (
        [
          ["A", "ipv4"],
          ["AAAA", "ipv6"]
        ] as const
      )
        .filter(([family]) => (type === "ANY" || type === family) && hasAddress(link, family))
        .map(([, set]) => set)
      return families.length > 0 ? families : ["noHostType"]
    }
    default:
      return []
  }
}

const instanceSets: Partial<Record<Question["type"], ReadonlyArray<RecordSet>>> = {
  SRV: ["service"],
  TXT: ["text"],
  ANY: ["service", "text"]
}

/** Our records that questions ask for. */
export const setsAsked = (self: Self, link: Link, questions: ReadonlyArray<Question>): ReadonlySet<RecordSet> =>
  new Set(questions.flatMap((question) => setsFor(self, link, question)))

/** Without the known answers that have at least half of their time left. */
export const unknownOf = (
  self: Self,
  link: Link,
  sets: ReadonlySet<RecordSet>,
  known: ReadonlyArray<ResourceRecord>
): ReadonlySet<RecordSet> => without(self, link, sets, known, (record) => record.ttl / 2)

/** Without the answers that others have just sent. */
export const unsaidOf = (
  self: Self,
  link: Link,
  sets: ReadonlySet<RecordSet>,
  said: ReadonlyArray<ResourceRecord>
): ReadonlySet<RecordSet> => without(self, link, sets, said, (record) => record.ttl)

const without = (
  self: Self,
  link: Link,
  sets: ReadonlySet<RecordSet>,
  records: ReadonlyArray<ResourceRecord>,
  least: (record: ResourceRecord) => number
): ReadonlySet<RecordSet> => {
  const isThere = (own: ResourceRecord) =>
    records.some((record) => record.ttl >= least(own) && isSameRecord(record, own))
  return records.length === 0 ? sets : new Set([...sets].filter((set) => !recordsOf(self, link, set).every(isThere)))
}

/**
 * The answer that holds these records, with those that the querier will want next (RFC 6763 section 12) where they are
 * free.
 */
export const answer = (
  self: Self,
  link: Link,
  sets: ReadonlySet<RecordSet>,
  isFree: (set: RecordSet) => boolean = () => true
): { readonly packet: Packet; readonly said: ReadonlySet<RecordSet> } => {
  const wanted: Array<RecordSet> = []
  if (sets.has("pointer")) wanted.push("service", "text")
  if (sets.has("pointer") || sets.has("service") || sets.has("ipv4") || sets.has("ipv6")) {
    const hasAll = hasAddress(link, "A") && hasAddress(link, "AAAA")
    wanted.push("ipv4", "ipv6", ...(hasAll ? [] : (["noHostType"] as const)))
  }
  const extra = wanted.filter((set) => !sets.has(set) && isFree(set) && recordsOf(self, link, set).length > 0)
  const records = (names: Iterable<RecordSet>) => [...names].flatMap((set) => recordsOf(self, link, set))
  return {
    packet: packetOf("response", { answers: records(sets), additionals: records(extra) }),
    said: new Set([...sets, ...extra])
  }
}
