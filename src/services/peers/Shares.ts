/**
 * How much is stored of what the machines of a network address send: at full speed up to a burst, and then at a steady rate. What is
 * more waits: it is not acknowledged, so its sender soon stops, and all others go on. Nothing is refused.
 *
 * The share belongs to the address, for ids cost nothing. Every operation counts that is handed to the store, whether it changes a row
 * or not: it takes the same work. A row of an unknown kind counts `opaqueWeight` times, for this version has no use for it yet.
 *
 * Guarantee: within any time t (s), at most `burst + rate * t` bytes of an address are committed, and one more commit of each of its
 * connections.
 */
import { type Address, networkOf } from "../../core/Address.ts"
import { ruleOf } from "../../core/Merge.ts"
import * as Pace from "../../core/Pace.ts"
import type { Batch } from "../../core/Replica.ts"
import { envelopeBytes } from "../store/Backend.ts"
import type { Machine } from "./SessionRunner.ts"

/** How many times the bytes of a row of an unknown kind count. */
export const opaqueWeight = 16

/** Addresses that are remembered. The one that sent something longest ago is forgotten first. */
const remembered = 1_024

/** Bytes: in a second over a long time, 0 for any number, and at full speed before that. */
export interface Limits {
  readonly rate: number
  readonly burst: number
}

export interface Shares {
  /** The machine of a session with a peer at `remote`. */
  guard<S>(machine: Machine<S>, remote: Address): Machine<S>
  /** How long nothing more is stored from an address (ms). */
  waitOf(remote: Address, now: number): number
}

export const make = ({ rate, burst }: Limits): Shares => {
  if (rate === 0) return { guard: (machine) => machine, waitOf: () => 0 }
  const limit: Pace.Limit = { burst, every: 1_000 / rate }
  const paces = new Map<string, { readonly pace: number; readonly at: number }>()
  /** A clock that was set back makes no wait longer. */
  const paceOf = (network: string, now: number): number => {
    const before = paces.get(network)
    return before === undefined ? Pace.fresh : before.pace + Math.min(0, now - before.at)
  }
  const readyAt = (pace: number): number => Pace.readyAt(pace, limit)

  const charge = (network: string, bytes: number, now: number): number => {
    const pace = Pace.after(paceOf(network, now), limit, now, bytes)
    paces.delete(network)
    paces.set(network, { pace, at: now })
    const [oldest] = paces.keys()
    if (paces.size > remembered && oldest !== undefined) paces.delete(oldest)
    return readyAt(pace)
  }

  return {
    guard: (machine, remote) => {
      const network = networkOf(remote.host)
      let committing = 0
      return {
        ...machine,
        step: (state, event) => {
          const taken =
            event._tag === "Committed" ? { ...event, notBefore: charge(network, committing, event.now) } : event
          const step = machine.step(state, taken)
          for (const action of step[1]) if (action._tag === "Commit") committing = weightOf(action.batch)
          return step
        }
      }
    },
    waitOf: ({ host }, now) => Math.max(0, readyAt(paceOf(networkOf(host), now)) - now)
  }
}

/** What a batch counts. Characters stand for bytes: the texts of operations are mostly ASCII. */
export const weightOf = ({ operations }: Pick<Batch, "operations">): number => {
  let bytes = 0
  for (const { table, data, row_id, op_id } of operations) {
    const size = envelopeBytes + data.length + row_id.length + op_id.length
    bytes += ruleOf(table) === "opaque" ? opaqueWeight * size : size
  }
  return bytes
}
