/**
 * Limits on dials: the number in progress and per second in each lane. For nodes that have never proved themselves,
 * also the number per second to one host. No address is dialled before its back-off has passed.
 *
 * Any host that can send a multicast packet can name any number of nodes. The dials that follow are bounded here,
 * whatever the ids, the addresses and the ports are. What is remembered of hosts and addresses is bounded too; the
 * oldest of it is forgotten first.
 */
import { HashMap, Option } from "effect"
import { type Address, formatAddress } from "./Address.ts"
import * as Pace from "./Pace.ts"
import type { Lane } from "./Agenda.ts"

/** Dials of each lane: under way at one time, at once, and the time for each further one (ms). */
export const limits: Readonly<Record<Lane, Pace.Limit & { readonly underWay: number }>> = {
  static: { underWay: 128, burst: 128, every: 10 },
  known: { underWay: 128, burst: 128, every: 10 },
  near: { underWay: 16, burst: 32, every: 100 },
  far: { underWay: 8, burst: 16, every: 200 }
}

/** Dials to one host, of nodes that have never proved themselves. */
export const hostLimit: Pace.Limit & { readonly underWay: number } = { burst: 32, every: 250, underWay: 8 }

/**
 * Hosts and addresses that are remembered: this many, and up to as many older ones. It takes longer than any address is
 * let alone to dial so many.
 */
export const remembered = 2_048

/** A map that forgets: when it is full, it becomes the older one, and the one before that goes. */
interface Recent<A> {
  readonly young: HashMap.HashMap<string, A>
  readonly old: HashMap.HashMap<string, A>
}

interface Block {
  /** Dials in a row that failed at this address, whatever the id was. */
  readonly failures: number
  /** It is not dialled before (ms). */
  readonly until: number
}

interface Host {
  readonly pace: number
  /** Up to when the times at which it may be dialled are taken (ms). */
  readonly booked: number
}

export interface Budget {
  readonly paces: Readonly<Record<Lane, number>>
  readonly underWay: Readonly<Record<Lane, number>>
  readonly hosts: Recent<Host>
  /** Dials under way to a host, of nodes that have never proved themselves. */
  readonly hostsUnderWay: HashMap.HashMap<string, number>
  readonly bars: Recent<Block>
}

export const full: Budget = {
  paces: { static: Pace.fresh, known: Pace.fresh, near: Pace.fresh, far: Pace.fresh },
  underWay: { static: 0, known: 0, near: 0, far: 0 },
  hosts: { young: HashMap.empty(), old: HashMap.empty() },
  hostsUnderWay: HashMap.empty(),
  bars: { young: HashMap.empty(), old: HashMap.empty() }
}

/** When a lane may dial again; never while too much of it is under way. */
export const laneReadyAt = ({ paces, underWay }: Budget, lane: Lane): number =>
  underWay[lane] >= limits[lane].underWay ? Infinity : Pace.readyAt(paces[lane], limits[lane])

/** Up to when an address is let alone (ms). */
export const barredUntil = ({ bars }: Budget, address: Address): number =>
  lookUp(bars, formatAddress(address))?.until ?? -Infinity

/** Whether a host may be dialled. */
export const isHostReady = (budget: Budget, lane: Lane, { host }: Address, now: number): boolean =>
  isTrusted(lane) ||
  (underWayAt(budget, host) < hostLimit.underWay &&
    Pace.readyAt(lookUp(budget.hosts, host)?.pace ?? Pace.fresh, hostLimit) <= now)

/** Takes the next free time for a dial to a host: those who wait for the same host do not all come at one time. */
export const book = (budget: Budget, { host }: Address, now: number): readonly [Budget, number] => {
  const { pace, booked } = lookUp(budget.hosts, host) ?? unused
  const at = Math.max(Pace.readyAt(pace, hostLimit), booked + hostLimit.every, now + hostLimit.every)
  return [{ ...budget, hosts: keep(budget.hosts, host, { pace, booked: at }) }, at]
}

/** After a dial has begun. */
export const spend = (budget: Budget, lane: Lane, { host }: Address, now: number): Budget => {
  const { pace, booked } = lookUp(budget.hosts, host) ?? unused
  const spent = { pace: Pace.after(pace, hostLimit, now), booked }
  return {
    ...budget,
    paces: { ...budget.paces, [lane]: Pace.after(budget.paces[lane], limits[lane], now) },
    underWay: { ...budget.underWay, [lane]: budget.underWay[lane] + 1 },
    ...(isTrusted(lane)
      ? {}
      : {
          hosts: keep(budget.hosts, host, spent),
          hostsUnderWay: HashMap.set(budget.hostsUnderWay, host, underWayAt(budget, host) + 1)
        })
  }
}

/** After a dial has led to a connection, or to nothing. */
export const settle = (budget: Budget, lane: Lane, { host }: Address): Budget => {
  const left = underWayAt(budget, host) - 1
  return {
    ...budget,
    underWay: { ...budget.underWay, [lane]: budget.underWay[lane] - 1 },
    hostsUnderWay: isTrusted(lane)
      ? budget.hostsUnderWay
      : left > 0
        ? HashMap.set(budget.hostsUnderWay, host, left)
        : HashMap.remove(budget.hostsUnderWay, host)
  }
}

/** Backs off an address after a failed attempt. The wait depends on the number of failures in a row. */
export const bar = (budget: Budget, address: Address, now: number, wait: (failures: number) => number): Budget => {
  const key = formatAddress(address)
  const failures = (lookUp(budget.bars, key)?.failures ?? 0) + 1
  return { ...budget, bars: keep(budget.bars, key, { failures, until: now + wait(failures) }) }
}

/** A node has proved itself at an address. */
export const clear = (budget: Budget, address: Address): Budget => {
  const key = formatAddress(address)
  return lookUp(budget.bars, key) === undefined
    ? budget
    : { ...budget, bars: keep(budget.bars, key, { failures: 0, until: -Infinity }) }
}

const unused: Host = { pace: Pace.fresh, booked: -Infinity }

const underWayAt = ({ hostsUnderWay }: Budget, host: string): number =>
  Option.getOrElse(HashMap.get(hostsUnderWay, host), () => 0)

const isTrusted = (lane: Lane): boolean => lane === "static" || lane === "known"

const lookUp = <A>({ young, old }: Recent<A>, key: string): A | undefined =>
  Option.getOrUndefined(HashMap.get(young, key)) ?? Option.getOrUndefined(HashMap.get(old, key))

const keep = <A>({ young, old }: Recent<A>, key: string, value: A): Recent<A> => {
  const next = HashMap.set(young, key, value)
  return HashMap.size(next) > remembered ? { young: HashMap.empty(), old: next } : { young: next, old }
}
