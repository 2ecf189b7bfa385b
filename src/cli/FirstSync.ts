/**
 * Logs the progress of a long initial transfer: at the first start of a node in a network, and after a long absence.
 * Every ten seconds, with the rate and the time left.
 */
import { Clock, Effect, HashMap, Schedule } from "effect"
import type { PeerStatus } from "../services/node/Status.ts"
import { Peers } from "../services/peers/Peers.ts"
import { Store } from "../services/store/Store.ts"
import { duration } from "./Output.ts"

/** Nothing is said of fewer operations than this. */
const least = 1_000

const every = "10 seconds"

/** What others have for this node, and what it holds, at a time (ms). */
export interface Sample {
  readonly at: number
  readonly rows: number
  readonly missing: number
}

/** The most that one peer has for us: others have the same operations, most likely. */
export const missingOf = (peers: ReadonlyArray<Pick<PeerStatus, "we_lack">>): number =>
  Math.max(0, ...peers.map(({ we_lack: lack }) => lack?.operations ?? 0))

/**
 * The facts of a line of the log; none when there is nothing to say. `before` is what was said last, if anything was.
 */
export const factsOf = (
  before: Sample | undefined,
  now: Sample
): { readonly message: string; readonly facts: Readonly<Record<string, number | string>> } | undefined => {
  if (now.missing < least) {
    return before === undefined ? undefined : { message: "received what other nodes had", facts: { rows: now.rows } }
  }
  const message = "receiving what other nodes have"
  const seconds = before === undefined ? 0 : (now.at - before.at) / 1000
  const rate = before === undefined || seconds <= 0 ? 0 : Math.round((before.missing - now.missing) / seconds)
  const facts = { rows: now.rows, missing: now.missing }
  return rate > 0 ? { message, facts: { ...facts, rate, left: duration(now.missing / rate) } } : { message, facts }
}

/** Goes on until it is interrupted. */
export const report = Effect.gen(function* () {
  const [store, peers] = [yield* Store, yield* Peers]
  let said: Sample | undefined
  yield* Effect.gen(function* () {
    const { holdings } = yield* store.snapshot
    const rows = Array.from(HashMap.values(holdings)).reduce((sum, { rows }) => sum + rows, 0)
    const now = { at: yield* Clock.currentTimeMillis, rows, missing: missingOf(yield* peers.status) }
    const told = factsOf(said, now)
    if (told !== undefined) yield* Effect.logInfo(told.message).pipe(Effect.annotateLogs(told.facts))
    said = now.missing < least ? undefined : now
  }).pipe(Effect.repeat(Schedule.spaced(every)))
})
