/**
 * How many connections are admitted at one time, by how much each has proved.
 *
 * - *arriving*: every connection, until TLS and the upgrade are done. A new one is always admitted: at the limit, the
 *   one that has been arriving for the longest time is closed.
 * - *pending*: after the upgrade, until the proof of the passphrase. At the limit, a new one replaces one that has been
 *   pending for a while. It is the oldest of its own network if that network is at its limit, and otherwise of the
 *   network that has the most.
 * - *known*: the same, for clients that have shown a valid ticket (`Handshake.ts`). These places are kept for members
 *   that were met before. Other clients cannot take one.
 * - *proven*: a member. It is never closed in favour of another connection.
 *
 * Guarantees: none of the limits is ever exceeded, by any order of events. Whatever other clients of its network do, a
 * member is admitted once it has shown its ticket. It has the time that `arrivingPerNetwork` later arrivals of its
 * network take to show it.
 */
export const limits = {
  /** Connections, from anywhere and in any room. */
  total: 256,
  /** Connections of one network: half of all. */
  perNetwork: 128,
  arriving: 128,
  arrivingPerNetwork: 64,
  pending: 64,
  pendingPerNetwork: 16,
  known: 64,
  knownPerNetwork: 32,
  /** How long a pending connection is kept at least (ms): an honest peer has proved itself by then. */
  patience: 1_000
} as const

export type Room = "arriving" | "pending" | "known" | "proven"

/** One connection. */
export interface PendingConnection {
  /** What its address is counted as (`Address.networkOf`). */
  readonly network: string
  readonly since: number
  readonly room: Room
}

/** The clients by connection, in the order of their arrival. */
export type Admission = ReadonlyMap<number, PendingConnection>

/** No connections. */
export const empty: Admission = new Map()

/** What to do with a connection: let it in, perhaps in place of another one, or not. */
export type Verdict =
  | { readonly _tag: "Admitted"; readonly admission: Admission; readonly instead: number | undefined }
  /** Which limit is in the way. */
  | { readonly _tag: "Refused"; readonly limit: "network" | "all" }

/** A connection arrives. */
export const arrive = (admission: Admission, id: number, network: string, now: number): Verdict => {
  const connection: PendingConnection = { network, since: now, room: "arriving" }
  const isOwn = (other: PendingConnection) => other.network === network
  const isNetworkFull =
    count(admission, isOwn) >= limits.perNetwork ||
    count(admission, (other) => isOwn(other) && other.room === "arriving") >= limits.arrivingPerNetwork
  const arriving = inRoom(admission, "arriving")
  if (!isNetworkFull && admission.size < limits.total && arriving.length < limits.arriving) {
    return { _tag: "Admitted", admission: new Map(admission).set(id, connection), instead: undefined }
  }
  const crowd = isNetworkFull ? network : largest(arriving)
  const gone =
    oldestOf(arriving, crowd) ?? impatient(inRoom(admission, "pending"), isNetworkFull ? network : undefined, now)
  if (gone === undefined) return { _tag: "Refused", limit: isNetworkFull ? "network" : "all" }
  return { _tag: "Admitted", admission: leave(admission, gone).set(id, connection), instead: gone }
}

/** The upgrade of an arrival is done, and it has shown a valid ticket, or none. */
export const enter = (admission: Admission, id: number, hasTicket: boolean, now: number): Verdict => {
  const connection = admission.get(id)
  // It had to give way meanwhile.
  if (connection === undefined) return { _tag: "Refused", limit: "network" }
  const moved = (to: Room, from: Admission = admission) => new Map(from).set(id, { ...connection, room: to })
  const known = inRoom(admission, "known")
  if (hasTicket && known.length < limits.known && sizeIn(known, connection.network) < limits.knownPerNetwork) {
    return { _tag: "Admitted", admission: moved("known"), instead: undefined }
  }
  const pending = inRoom(admission, "pending")
  const isNetworkFull = sizeIn(pending, connection.network) >= limits.pendingPerNetwork
  if (!isNetworkFull && pending.length < limits.pending) {
    return { _tag: "Admitted", admission: moved("pending"), instead: undefined }
  }
  const gone = impatient(pending, isNetworkFull ? connection.network : undefined, now)
  if (gone === undefined) return { _tag: "Refused", limit: isNetworkFull ? "network" : "all" }
  return { _tag: "Admitted", admission: moved("pending", leave(admission, gone)), instead: gone }
}

/** A connection has proved itself. */
export const prove = (admission: Admission, id: number): Admission => {
  const connection = admission.get(id)
  return connection === undefined ? admission : new Map(admission).set(id, { ...connection, room: "proven" })
}

/** A connection is over. */
export const leave = (admission: Admission, id: number): Map<number, PendingConnection> => {
  const next = new Map(admission)
  next.delete(id)
  return next
}

type Entry = readonly [number, PendingConnection]

const inRoom = (admission: Admission, room: Room): ReadonlyArray<Entry> =>
  [...admission].filter(([, connection]) => connection.room === room)

const count = (admission: Admission, isCounted: (connection: PendingConnection) => boolean): number => {
  let found = 0
  for (const connection of admission.values()) if (isCounted(connection)) found++
  return found
}

const sizeIn = (connections: ReadonlyArray<Entry>, network: string): number =>
  connections.filter(([, connection]) => connection.network === network).length

const oldestOf = (connections: ReadonlyArray<Entry>, network: string | undefined): number | undefined =>
  connections.find(([, connection]) => connection.network === network)?.[0]

/** The pending connection that is replaced, of this network or of the largest one: none when even the oldest is new. */
const impatient = (pending: ReadonlyArray<Entry>, network: string | undefined, now: number): number | undefined => {
  const crowd = network ?? largest(pending)
  const [oldest] = pending.filter(([, connection]) => connection.network === crowd)
  return oldest === undefined || now - oldest[1].since < limits.patience ? undefined : oldest[0]
}

/** The network that most of these are of; of several, the one that was there first. */
const largest = (connections: ReadonlyArray<Entry>): string | undefined => {
  const counts = new Map<string, number>()
  for (const [, { network }] of connections) counts.set(network, (counts.get(network) ?? 0) + 1)
  let crowd: string | undefined
  for (const [network, size] of counts) if (size > (counts.get(crowd ?? "") ?? 0)) crowd = network
  return crowd
}
