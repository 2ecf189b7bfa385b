/**
 * The rate limit for the machines of a network address: data is stored at full speed up to a burst, and then at a
 * steady rate. Data beyond that waits: it is not acknowledged, so its sender soon stops, and all others go on. Nothing
 * is refused.
 *
 * The share belongs to the address, for ids cost nothing. Every operation counts that is handed to the store, whether
 * it changes a row or not: it takes the same work. Rows of kinds that this node has no use for count `opaqueWeight`
 * times, and come at the steady rate from the start: no flood of them keeps the others waiting.
 *
 * Guarantee: within any time t (s), at most `burst + rate * t` bytes of an address are committed, and one more commit
 * of each of its connections.
 */
import { type Address, networkOf } from "../../core/peers/Address.ts"
import * as Kind from "../../core/replica/Kind.ts"
import * as Oldest from "../../core/peers/Oldest.ts"
import * as Pace from "../../core/peers/Pace.ts"
import type { Batch } from "../../core/replica/Replica.ts"
import type { Machine } from "../../core/sync/SessionMachine.ts"
import { envelopeBytes } from "../store/Sizes.ts"

/** How many times the bytes of a row of such a kind count. */
export const opaqueWeight = 16

/** Rows of such kinds that are stored at once: the steady rate times so many seconds. */
const opaqueSeconds = 2

/** Addresses that are remembered. The one that sent something longest ago is forgotten first. */
const remembered = 1_024

/** Bytes: in a second over a long time, 0 for any number, and at full speed before that. */
export interface Limits {
  readonly rate: number
  readonly burst: number
}

const isBuiltIn = (table: string): boolean => Kind.find(table) !== undefined

export interface Shares {
  /** The machine of a session with a peer at `remote`. */
  guard<S, R>(machine: Machine<S, R>, remote: Address): Machine<S, R>
  /** How long nothing more is stored from an address (ms). */
  waitOf(remote: Address, now: number): number
}

/** `isUsed` says whether this node has a use for a kind. */
export const make = ({ rate, burst }: Limits, isUsed: (table: string) => boolean = isBuiltIn): Shares => {
  if (rate === 0) return { guard: (machine) => machine, waitOf: () => 0 }
  const every = 1_000 / rate
  const limits = { all: { burst, every }, opaque: { burst: opaqueSeconds * rate, every } }
  const sent = new Map<string, Sent>()
  const nothing: Sent = { all: Pace.fresh, opaque: Pace.fresh, at: -Infinity }
  /** A clock that was set back makes no wait longer. */
  const sentFrom = (network: string, now: number): Sent => {
    const before = sent.get(network) ?? nothing
    const by = Math.min(0, now - before.at)
    return { all: before.all + by, opaque: before.opaque + by, at: now }
  }
  const readyAt = ({ all, opaque }: Sent): number =>
    Math.max(Pace.readyAt(all, limits.all), Pace.readyAt(opaque, limits.opaque))

  const charge = (network: string, { counted, opaque }: Weight, now: number): number => {
    const before = sentFrom(network, now)
    const after: Sent = {
      all: Pace.after(before.all, limits.all, now, counted),
      opaque: opaque === 0 ? before.opaque : Pace.after(before.opaque, limits.opaque, now, opaque),
      at: now
    }
    Oldest.set(sent, network, after, remembered)
    return readyAt(after)
  }

  return {
    guard: (machine, remote) => {
      const network = networkOf(remote.host)
      let committing: Weight = { counted: 0, opaque: 0 }
      return {
        ...machine,
        step: (state, event) => {
          const taken =
            event._tag === "Committed" ? { ...event, notBefore: charge(network, committing, event.now) } : event
          const step = machine.step(state, taken)
          for (const action of step[1]) if (action._tag === "Commit") committing = weightOf(action.batch, isUsed)
          return step
        }
      }
    },
    waitOf: ({ host }, now) => Math.max(0, readyAt(sentFrom(networkOf(host), now)) - now)
  }
}

/** The paces of an address, and when they were changed last (ms). */
interface Sent {
  readonly all: number
  readonly opaque: number
  readonly at: number
}

/** The size of a batch for the burst, and the bytes of its rows of kinds without a use. */
export interface Weight {
  readonly counted: number
  readonly opaque: number
}

/** The weight of a batch. Characters stand for bytes: the texts of operations are mostly ASCII. */
export const weightOf = ({ operations }: Pick<Batch, "operations">, isUsed = isBuiltIn): Weight => {
  let known = 0
  let opaque = 0
  for (const { table, data, row_id, op_id } of operations) {
    const size = envelopeBytes + data.length + row_id.length + op_id.length
    if (isUsed(table)) known += size
    else opaque += size
  }
  return { counted: known + opaqueWeight * opaque, opaque }
}
