/**
 * Who may be connected at one time. Until it has proved the passphrase, whoever comes is a stranger, and strangers get little
 * room: in all, and for each network, so that no flood from one network keeps the others out, or the members in.
 *
 * When the room for strangers is taken, a newcomer gets the place of one who has had it for a while without proving
 * anything: the oldest of its own network where that one is full, else of the network that has the most. So who holds connections
 * open and says nothing keeps nobody out. A member is never sent away for anyone.
 *
 * Guarantee: none of the limits is ever exceeded, by any order of events.
 */
export const limits = {
  /** Connections, from anywhere and in any state. */
  total: 256,
  /** Connections of one network: half of all. */
  perNetwork: 128,
  /** Strangers. */
  strangers: 64,
  strangersPerNetwork: 16,
  /** How long a stranger keeps its place at least (ms): an honest one is done by then. */
  patience: 1_000
} as const

/** Somebody who is connected. */
export interface Guest {
  /** What its address is counted as (`Address.networkOf`). */
  readonly network: string
  readonly since: number
  readonly isProven: boolean
}

/** Who is connected, by connection, in the order of their coming. */
export type Admission = ReadonlyMap<number, Guest>

/** Nobody is there. */
export const empty: Admission = new Map()

/** What to do with a newcomer: let it in, perhaps in place of another one, or not. */
export type Verdict =
  | { readonly _tag: "Admitted"; readonly admission: Admission; readonly instead: number | undefined }
  /** Which limit is in the way. */
  | { readonly _tag: "Refused"; readonly limit: "network" | "all" }

/** Somebody comes. */
export const arrive = (admission: Admission, id: number, network: string, now: number): Verdict => {
  const guest: Guest = { network, since: now, isProven: false }
  const own = [...admission].filter(([, other]) => other.network === network)
  const strangers = [...admission].filter(([, { isProven }]) => !isProven)
  const isNetworkFull =
    own.length >= limits.perNetwork || own.filter(([, { isProven }]) => !isProven).length >= limits.strangersPerNetwork
  if (!isNetworkFull && admission.size < limits.total && strangers.length < limits.strangers) {
    return { _tag: "Admitted", admission: new Map(admission).set(id, guest), instead: undefined }
  }
  const crowd = isNetworkFull ? network : largest(strangers)
  const [oldest] = strangers.filter(([, other]) => other.network === crowd)
  if (oldest === undefined || now - oldest[1].since < limits.patience) {
    return { _tag: "Refused", limit: isNetworkFull ? "network" : "all" }
  }
  return { _tag: "Admitted", admission: leave(admission, oldest[0]).set(id, guest), instead: oldest[0] }
}

/** Somebody has proved itself. */
export const prove = (admission: Admission, id: number): Admission => {
  const guest = admission.get(id)
  return guest === undefined ? admission : new Map(admission).set(id, { ...guest, isProven: true })
}

/** Somebody is gone. */
export const leave = (admission: Admission, id: number): Map<number, Guest> => {
  const next = new Map(admission)
  next.delete(id)
  return next
}

/** The network that most of these are of; of several, the one that was there first. */
const largest = (guests: ReadonlyArray<readonly [number, Guest]>): string | undefined => {
  const counts = new Map<string, number>()
  for (const [, { network }] of guests) counts.set(network, (counts.get(network) ?? 0) + 1)
  let crowd: string | undefined
  for (const [network, count] of counts) if (count > (counts.get(crowd ?? "") ?? 0)) crowd = network
  return crowd
}
