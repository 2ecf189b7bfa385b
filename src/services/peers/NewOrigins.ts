/**
 * How many new origins the machines of a network address (`Address.networkOf`) may bring: members are trusted for
 * operations of others, and one that makes up origins must not fill the clocks of all. The allowance belongs to the
 * address, for ids cost nothing, and grows again.
 */
import { type Address, networkOf } from "../../core/peers/Address.ts"
import * as Oldest from "../../core/peers/Oldest.ts"
import type { Machine } from "../../core/sync/SessionMachine.ts"

/** How many origins may come at once, and how many more for each second that passes. */
const allowance = { burst: 2_000, perSecond: 10 } as const

/** Addresses that are remembered. The one that used its allowance longest ago is forgotten first. */
const remembered = 1_024

export interface NewOrigins {
  /** The machine of a session with a peer at `remote`. */
  guard<S, R>(machine: Machine<S, R>, remote: Address): Machine<S, R>
}

export const make = (): NewOrigins => {
  const used = new Map<string, { readonly left: number; readonly at: number }>()
  const leftOf = (network: string, now: number): number => {
    const before = used.get(network)
    if (before === undefined) return allowance.burst
    return Math.min(allowance.burst, before.left + (Math.max(0, now - before.at) / 1_000) * allowance.perSecond)
  }
  return {
    guard: (machine, { host }) => {
      const network = networkOf(host)
      return {
        ...machine,
        step: (state, event) => {
          if (event._tag !== "Received") return machine.step(state, event)
          const left = leftOf(network, event.now)
          const step = machine.step(state, { ...event, newOrigins: Math.floor(left) })
          for (const action of step[1]) {
            if (action._tag !== "Brought") continue
            Oldest.set(used, network, { left: left - action.origins, at: event.now }, remembered)
          }
          return step
        }
      }
    }
  }
}
