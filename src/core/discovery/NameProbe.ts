/**
 * Claims the names of a node on a link before it uses them (RFC 6762 sections 8.1, 8.2 and 9).
 *
 * Three probes, a quarter of a second apart, ask whether another node has the names already. A node that gets an answer
 * has lost them, and asks again after a while. Of two who probe at the same time, the one whose records are later in
 * order goes on, and the other waits for a second and finds its names taken. A node that sees its own names in use
 * probes for them again.
 *
 * Any machine can say that it has our names. So it can delay the announcement, and not prevent it: a node that loses
 * its names twice in a row announces itself once each time that it would ask again, and it does not give way without
 * end.
 *
 * The names carry the node id, so no node takes another name: an owner of our names is a second node with our id.
 */
import type { Link } from "./Link.ts"
import { isSameRecord, nameKey, packetOf, type Packet, type ResourceRecord } from "./DnsRecord.ts"
import { recordsOf, type Self, uniqueSets } from "./ServiceRecords.ts"

/** Times in milliseconds. */
export const times = {
  /** How long the first probe waits: this, and as much again by chance. */
  first: { least: 20, spread: 100 },
  between: 250,
  /** How long the one waits that gives way. */
  deferral: 1000,
  /** How long we are silent when the names are taken. */
  lost: 60_000
} as const

const probes = 3

/**
 * Names that were lost so often in a row are announced all the same, once a minute; and so often does a node give way.
 */
const insistence = { losses: 2, deferrals: 3 } as const

export type NameClaim =
  /** Probes that have been sent, and when the next one is due, or the names are ours. */
  | {
      readonly _tag: "Probing"
      readonly sent: number
      readonly at: number
      /** How often in a row the names were lost, and how often this node gave way since then. */
      readonly losses: number
      readonly deferrals: number
    }
  | { readonly _tag: "Owned" }
  | { readonly _tag: "Lost"; readonly at: number; readonly losses: number }

/** Probes from now on. */
export const begin = (now: number, random: number): NameClaim => ({
  _tag: "Probing",
  sent: 0,
  at: now + times.first.least + times.first.spread * random,
  losses: 0,
  deferrals: 0
})

/** Whether the node announces itself although its names are taken: its rival may be no node at all. */
export const insists = (claim: NameClaim, now: number): boolean =>
  claim._tag === "Lost" && claim.losses >= insistence.losses && claim.at <= now

/** When something is to be done. */
export const dueAt = (claim: NameClaim): number => (claim._tag === "Owned" ? Infinity : claim.at)

/** The next state when the time has come: to probe, or to use the names. */
export const advance = (claim: NameClaim, now: number): NameClaim => {
  if (dueAt(claim) > now || claim._tag === "Owned") return claim
  // Who has just heard an announcement may say that the names are taken before the first probe.
  if (insists(claim, now)) return { ...claim, _tag: "Probing", sent: 0, at: now + times.deferral, deferrals: 0 }
  const { sent, deferrals } = claim._tag === "Probing" ? claim : { sent: 0, deferrals: 0 }
  return sent < probes
    ? { _tag: "Probing", sent: sent + 1, at: now + times.between, losses: claim.losses, deferrals }
    : { _tag: "Owned" }
}

/** After records were heard that deny us our names. */
export const contest = (claim: NameClaim, now: number, random: number): NameClaim => {
  switch (claim._tag) {
    case "Owned":
      return begin(now, random)
    case "Probing":
      // Before the first probe we are unknown. An owner of the names answers it, and then knows that we are there.
      return claim.sent === 0 ? claim : { _tag: "Lost", at: now + times.lost, losses: claim.losses + 1 }
    case "Lost":
      return claim
  }
}

/** After a probe of a node that wants our names for other records. */
export const onProbe = (claim: NameClaim, self: Self, link: Link, query: Packet, now: number): NameClaim =>
  claim._tag === "Probing" &&
  claim.deferrals < insistence.deferrals &&
  isEarlier(self, claimed(self, link), query.authorities)
    ? { ...claim, sent: 0, at: now + times.deferral, deferrals: claim.deferrals + 1 }
    : claim

/** Whether our records come before those of another. The names are claimed together: the first that differs decides. */
const isEarlier = (self: Self, ours: ReadonlyArray<ResourceRecord>, theirs: ReadonlyArray<ResourceRecord>): boolean => {
  for (const name of [self.instance, self.host]) {
    const [own, others] = [ours, theirs].map((records) =>
      records.filter((record) => isUnique(record) && nameKey(record.name) === nameKey(name))
    )
    const order = own === undefined || others === undefined || others.length === 0 ? 0 : compare(own, others)
    if (order !== 0) return order < 0
  }
  return false
}

/** The probe: questions for our names, and what we would answer. */
export const probe = (self: Self, link: Link): Packet =>
  packetOf("query", {
    questions: [self.instance, self.host].map((name) => ({ name, type: "ANY" })),
    authorities: claimed(self, link)
  })

/**
 * The records that bear our names and are not ours. An address of any of our links is ours, for what we say on one link
 * may be heard on another; a goodbye claims nothing.
 */
export const rivals = (
  self: Self,
  links: ReadonlyArray<Link>,
  records: ReadonlyArray<ResourceRecord>
): ReadonlyArray<ResourceRecord> =>
  bearing(self, records).filter(
    (record) =>
      record.ttl > 0 &&
      !links.some((link) => claimed(self, link).some((own) => isSameRecord(own, record))) &&
      // The bytes of a TXT record are compared, not its keys: older versions of ours may say less.
      record.type !== "TXT"
  )

/** What we claim on a link, without the flush bit, which has no place in a query. */
const claimed = (self: Self, link: Link): ReadonlyArray<ResourceRecord> =>
  uniqueSets.flatMap((set) => recordsOf(self, link, set)).map((record) => ({ ...record, flush: false }))

const bearing = (self: Self, records: ReadonlyArray<ResourceRecord>): ReadonlyArray<ResourceRecord> => {
  const names = [nameKey(self.instance), nameKey(self.host)]
  return records.filter((record) => isUnique(record) && names.includes(nameKey(record.name)))
}

const isUnique = ({ type }: ResourceRecord): boolean => type !== "PTR" && type !== "NSEC"

const typeNumbers = { A: 1, PTR: 12, TXT: 16, AAAA: 28, SRV: 33, NSEC: 47 } as const

/** The order of record sets: by type and bytes of each record, the least first (RFC 6762 section 8.2.1). */
export const compare = (ours: ReadonlyArray<ResourceRecord>, theirs: ReadonlyArray<ResourceRecord>): number => {
  const keys = (records: ReadonlyArray<ResourceRecord>) =>
    records.map((record) => [typeNumbers[record.type], ...bytesOf(record)]).sort(compareNumbers)
  const [a, b] = [keys(ours), keys(theirs)]
  for (const [index, key] of a.entries()) {
    const other = b[index]
    if (other === undefined) return 1
    const order = compareNumbers(key, other)
    if (order !== 0) return order
  }
  return a.length - b.length
}

const compareNumbers = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): number => {
  for (const [index, number] of a.entries()) {
    const difference = number - (b[index] ?? -1)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** The data of a record as it is on the wire, names in full. */
const bytesOf = (record: ResourceRecord): ReadonlyArray<number> => {
  switch (record.type) {
    case "A":
      return record.address.split(".").map(Number)
    case "AAAA":
      return groupsOf(record.address)
    case "TXT":
      return record.strings.flatMap(sized)
    case "SRV":
      return [0, 0, 0, 0, record.port >> 8, record.port & 255, ...record.target.split(".").flatMap(sized), 0]
    case "PTR":
    case "NSEC":
      return []
  }
}

const encoder = new TextEncoder()
const sized = (text: string): ReadonlyArray<number> => {
  const bytes = encoder.encode(text)
  return [bytes.length, ...bytes]
}

/** The eight groups of an IPv6 address, which compare as its bytes do. */
const groupsOf = (address: string): ReadonlyArray<number> => {
  const groups = (text: string) => (text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16)))
  const [head = "", tail] = address.replace(/%.*$/, "").split("::")
  const [first, last] = [groups(head), groups(tail ?? "")]
  return [...first, ...Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => 0), ...last]
}
