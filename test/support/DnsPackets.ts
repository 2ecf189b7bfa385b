/** DNS packets as tests read, make and break them. */

/** A record as text. */
export interface HeardRecord {
  readonly name: string
  readonly type: string
  readonly ttl: number
  readonly flush: boolean
  readonly data: string
}

export interface Heard {
  readonly records: ReadonlyArray<HeardRecord>
}

/** The records of a packet that a codec has decoded, those of all sections. */
export const heardFrom = (packet: {
  readonly answers: ReadonlyArray<object> | undefined
  readonly additionals: ReadonlyArray<object> | undefined
}): Heard => ({
  records: [...(packet.answers ?? []), ...(packet.additionals ?? [])].map((answer) => {
    const record = answer as { name: string; type: string; ttl: number; flush: boolean; data: unknown }
    return { name: record.name, type: record.type, ttl: record.ttl, flush: record.flush, data: dataOf(record.data) }
  })
})

const dataOf = (data: unknown): string => {
  if (Array.isArray(data)) return data.map(String).join(" ")
  if (typeof data !== "object" || data === null) return String(data)
  if ("rrtypes" in data) return `only ${String(data.rrtypes)}`
  const { port, target } = data as { readonly port?: number; readonly target?: string }
  return `${port} ${target}`
}

/** The bytes of a query for pointers. */
export const question = (id: number, name: string): Buffer => {
  const header = Buffer.alloc(12)
  header.writeUInt16BE(id, 0)
  header.writeUInt16BE(1, 4)
  const labels = name.split(".").map((label) => Buffer.from([label.length, ...Buffer.from(label)]))
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, 12, 0, 1])])
}

/** `bytes` with some of them changed, and cut off somewhere at times. */
export const mutated = (bytes: Uint8Array, chance: Uint8Array): Uint8Array => {
  const copy = Uint8Array.from(bytes)
  for (let index = 0; index + 1 < chance.length; index += 2) {
    copy[(chance[index] ?? 0) % copy.length] = chance[index + 1] ?? 0
  }
  return (chance[0] ?? 0) % 4 === 0 ? copy.slice(0, (chance[1] ?? 0) % copy.length) : copy
}
