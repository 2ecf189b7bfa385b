/**
 * Who may be connected at one time, and in which room.
 *
 * - *arriving*: everyone, until TLS and the upgrade are done. A newcomer is let in whatever other arrivals do: where the room is
 *   full, the one that has been arriving for the longest time gives way.
 * - *stranger*: after the upgrade, until the proof of the passphrase. Where the room is full, a newcomer gets the place of one who
 *   has had it for a while without proving anything: the oldest of its own network where that one is full, else of the network that
 *   has the most.
 * - *known*: the same for who has shown a valid ticket (`Handshake.ts`). These places are kept for members that were met before, and
 *   no stranger can take one.
 * - *proven*: a member. It is never sent away for anyone.
 *
 * Guarantees: none of the limits is ever exceeded, by any order of events. Whatever strangers of its network do, a member is let in
 * once it has shown its ticket, and it has the time that `arrivingPerNetwork` later arrivals of its network take to show it.
 */
export const limits = {
  /** Connections, from anywhere and in any room. */
  total: 256,
  /** Connections of one network: half of all. */
  perNetwork: 128,
  arriving: 128,
  arrivingPerNetwork: 64,
  strangers: 64,
  strangersPerNetwork: 16,
  known: 64,
  knownPerNetwork: 32,
  /** How long a stranger keeps its place at least (ms): an honest one is done by then. */
  patience: 1_000
} as const

export type Room = "arriving" | "stranger" | "known" | "proven"

/** Somebody who is connected. */
export interface Guest {
  /** What its address is counted as (`Address.networkOf`). */
  readonly network: string
  readonly since: number
  readonly room: Room
}

/** Who is connected, by connection, in the order of their coming. */
export type Admission = ReadonlyMap<number, Guest>

/** Nobody is there. */
export const empty: Admission = new Map()

/** What to do with a connection: let it in, perhaps in place of another one, or not. */
export type Verdict =
  | { readonly _tag: "Admitted"; readonly admission: Admission; readonly instead: number | undefined }
  /** Which limit is in the way. */
  | { readonly _tag: "Refused"; readonly limit: "network" | "all" }

/** Somebody comes. */
export const arrive = (admission: Admission, id: number, network: string, now: number): Verdict => {
  const guest: Guest = { network, since: now, room: "arriving" }
  const isOwn = (other: Guest) => other.network === network
  const isNetworkFull =
    count(admission, isOwn) >= limits.perNetwork ||
    count(admission, (other) => isOwn(other) && other.room === "arriving") >= limits.arrivingPerNetwork
  const arriving = inRoom(admission, "arriving")
  if (!isNetworkFull && admission.size < limits.total && arriving.length < limits.arriving) {
    return { _tag: "Admitted", admission: new Map(admission).set(id, guest), instead: undefined }
  }
  const crowd = isNetworkFull ? network : largest(arriving)
  const gone =
    oldestOf(arriving, crowd) ?? impatient(inRoom(admission, "stranger"), isNetworkFull ? network : undefined, now)
  if (gone === undefined) return { _tag: "Refused", limit: isNetworkFull ? "network" : "all" }
  return { _tag: "Admitted", admission: leave(admission, gone).set(id, guest), instead: gone }
}

/** The upgrade of an arrival is done, and it has shown a valid ticket, or none. */
export const enter = (admission: Admission, id: number, hasTicket: boolean, now: number): Verdict => {
  const guest = admission.get(id)
  // It had to give way meanwhile.
  if (guest === undefined) return { _tag: "Refused", limit: "network" }
  const moved = (to: Room, from: Admission = admission) => new Map(from).set(id, { ...guest, room: to })
  const known = inRoom(admission, "known")
  if (hasTicket && known.length < limits.known && sizeIn(known, guest.network) < limits.knownPerNetwork) {
    return { _tag: "Admitted", admission: moved("known"), instead: undefined }
  }
  const strangers = inRoom(admission, "stranger")
  const isNetworkFull = sizeIn(strangers, guest.network) >= limits.strangersPerNetwork
  if (!isNetworkFull && strangers.length < limits.strangers) {
    return { _tag: "Admitted", admission: moved("stranger"), instead: undefined }
  }
  const gone = impatient(strangers, isNetworkFull ? guest.network : undefined, now)
  if (gone === undefined) return { _tag: "Refused", limit: isNetworkFull ? "network" : "all" }
  return { _tag: "Admitted", admission: moved("stranger", leave(admission, gone)), instead: gone }
}

/** Somebody has proved itself. */
export const prove = (admission: Admission, id: number): Admission => {
  const guest = admission.get(id)
  return guest === undefined ? admission : new Map(admission).set(id, { ...guest, room: "proven" })
}

/** Somebody is gone. */
export const leave = (admission: Admission, id: number): Map<number, Guest> => {
  const next = new Map(admission)
  next.delete(id)
  return next
}

type Entry = readonly [number, Guest]

const inRoom = (admission: Admission, room: Room): ReadonlyArray<Entry> =>
  [...admission].filter(([, guest]) => guest.room === room)

const count = (admission: Admission, isWanted: (guest: Guest) => boolean): number => {
  let found = 0
  for (const guest of admission.values()) if (isWanted(guest)) found++
  return found
}

const sizeIn = (guests: ReadonlyArray<Entry>, network: string): number =>
  guests.filter(([, guest]) => guest.network === network).length

const oldestOf = (guests: ReadonlyArray<Entry>, network: string | undefined): number | undefined =>
  guests.find(([, guest]) => guest.network === network)?.[0]

/** The stranger that has to give way, of this network or of the largest one: none when even the oldest has just come. */
const impatient = (strangers: ReadonlyArray<Entry>, network: string | undefined, now: number): number | undefined => {
  const crowd = network ?? largest(strangers)
  const [oldest] = strangers.filter(([, guest]) => guest.network === crowd)
  return oldest === undefined || now - oldest[1].since < limits.patience ? undefined : oldest[0]
}

/** The network that most of these are of; of several, the one that was there first. */
const largest = (guests: ReadonlyArray<Entry>): string | undefined => {
  const counts = new Map<string, number>()
  for (const [, { network }] of guests) counts.set(network, (counts.get(network) ?? 0) + 1)
  let crowd: string | undefined
  for (const [network, size] of counts) if (size > (counts.get(crowd ?? "") ?? 0)) crowd = network
  return crowd
}
