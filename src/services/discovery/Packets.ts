/**
 * Packets of multicast DNS as values of `core/DnsSd.ts`, and back. What is not understood is left out.
 */
import type { Answer, Packet } from "dns-packet"
import type { Question, ResourceRecord } from "../../core/DnsSd.ts"

/** Records that one packet may hold; the rest of a larger one is ignored. */
const maxRecords = 512

/** The questions of a packet. */
export const questionsOf = ({ questions }: Packet): ReadonlyArray<Question> =>
  (questions ?? []).slice(0, maxRecords).map(({ name, type }) => ({ name, type }))

/** The records that a packet states, in all its sections. */
export const recordsOf = ({ answers, additionals }: Packet): ReadonlyArray<ResourceRecord> =>
  [...(answers ?? []), ...(additionals ?? [])].slice(0, maxRecords).flatMap(recordOf)

const recordOf = (answer: Answer): ReadonlyArray<ResourceRecord> => {
  if (answer.type === "OPT") return []
  const { name, ttl = 0 } = answer
  switch (answer.type) {
    case "PTR":
      return [{ name, ttl, type: "PTR", target: answer.data }]
    case "SRV":
      return [{ name, ttl, type: "SRV", target: answer.data.target, port: answer.data.port }]
    case "TXT":
      return [{ name, ttl, type: "TXT", texts: [answer.data].flat().map(String) }]
    case "A":
    case "AAAA":
      return [{ name, ttl, type: answer.type, address: answer.data }]
    default:
      return []
  }
}

/** Records as they are sent. Unique ones tell the receiver to forget what it knew (the cache-flush bit). */
export const answersOf = (records: ReadonlyArray<ResourceRecord>): Array<Answer> =>
  records.map((record): Answer => {
    const { name, ttl } = record
    switch (record.type) {
      case "PTR":
        return { name, ttl, type: "PTR", data: record.target }
      case "SRV":
        return { name, ttl, type: "SRV", flush: true, data: { target: record.target, port: record.port } }
      case "TXT":
        return { name, ttl, type: "TXT", flush: true, data: [...record.texts] }
      case "A":
      case "AAAA":
        return { name, ttl, type: record.type, flush: true, data: record.address }
    }
  })
