/**
 * Notices two nodes with one id, which only meet through this one (`core/peers/Instances.ts`).
 */
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import { DuplicateNodeId } from "../../core/sync/SyncFailure.ts"
import * as Oldest from "../../core/peers/Oldest.ts"
import * as Instances from "../../core/peers/Instances.ts"
import { times } from "../../core/sync/SessionLimits.ts"
import { closeCodes } from "../../core/sync/Wire.ts"
import type { NodeId } from "../../core/replica/NodeId.ts"
import { monotonic } from "../node/HlcClock.ts"
import type { Running } from "./RunningSession.ts"

/** A session with a peer, as far as is needed here. */
interface Entry {
  readonly running: Pick<Running<unknown>, "refuse" | "stop">
  /** How long ago the peer last gave a sign of life (ms). */
  readonly silence: number
  /** How long ago the peer was alive for certain (ms). */
  readonly provedAgo: number
}

/** A peer that is alive gives a sign of life within this time (ms). */
const silentFor = times.ping + 5_000

/** How a session ends for which there is another one. */
const duplicate = [closeCodes.duplicate_connection, "duplicate connection"] as const

/** `noted` is told each time that two nodes with one id are seen to be alive. */
export const make = Effect.fnUntraced(function* (noted: (failure: DuplicateNodeId) => Effect.Effect<void>) {
  const began = yield* monotonic
  const own = randomUUID()
  const scope = yield* Effect.scope
  let instances = Instances.empty
  /** Nodes that are looked at again: each has two sessions. */
  const watched = new Set<NodeId>()
  /** Sessions that have to end once it is clear that their peers are gone. */
  const kept = new Set<number>()
  const running = new Map<number, { readonly node: NodeId; readonly instance: string }>()
  /** Where each instance was met last. */
  const places = new Map<string, string>()

  /** This run of the own store, and how long it has lasted (ms). */
  const instance = Effect.map(monotonic, (now) => ({ id: own, age: Math.round(now - began) }))

  /** Notes which nodes are alive now. Returns why the sessions of a node are refused, if two copies of it are alive. */
  const look = (node: NodeId, entries: ReadonlyMap<number, Entry>, now: number): DuplicateNodeId | undefined => {
    for (const [link, { provedAgo }] of entries) {
      const known = running.get(link)
      if (known?.node === node) instances = Instances.onInstance(instances, node, known.instance, now - provedAgo)
    }
    if (!Instances.isCopied(instances, node, now)) return undefined
    const at = (instances.get(node) ?? []).flatMap(({ instance }) => places.get(instance) ?? []).slice(-2)
    return new DuplicateNodeId({ nodeId: node, at })
  }

  /**
   * A peer says which run of its store this is. Returned is why it is refused; the other sessions with its id, which
   * `sessions` gives by their links, are refused as well. While there are others, they are looked at again: two that
   * have just begun may be a restart.
   */
  const ran = Effect.fnUntraced(function* (
    link: number,
    node: NodeId,
    told: { readonly instance: string; readonly age: number },
    place: string,
    sessions: Effect.Effect<ReadonlyMap<number, Entry>>
  ) {
    const now = yield* monotonic
    const entries = yield* sessions
    const until = now - (entries.get(link)?.provedAgo ?? 0)
    instances = Instances.begin(instances, node, { instance: told.instance, from: now - told.age, until })
    running.set(link, { node, instance: told.instance })
    Oldest.set(places, told.instance, place, Instances.limits.nodes)
    const failure = look(node, entries, now)
    if (failure !== undefined) yield* Effect.andThen(noted(failure), refuse(failure, entries, link))
    else if (isTwice(node, entries) && !watched.has(node)) {
      watched.add(node)
      yield* watch(node, sessions).pipe(Effect.forkIn(scope))
    }
    return failure
  })

  const refuse = (failure: DuplicateNodeId, entries: ReadonlyMap<number, Entry>, except?: number) =>
    Effect.forEach(
      [...entries].filter(([link]) => link !== except && running.get(link)?.node === failure.nodeId),
      ([, { running }]) => running.refuse(failure),
      { discard: true }
    )

  const isTwice = (node: NodeId, entries: ReadonlyMap<number, Entry>): boolean =>
    new Set([...entries.keys()].flatMap((link) => running.get(link) ?? []).map(({ instance }) => instance)).size > 1

  const watch = Effect.fnUntraced(function* (node: NodeId, sessions: Effect.Effect<ReadonlyMap<number, Entry>>) {
    for (;;) {
      yield* Effect.sleep(Instances.limits.margin)
      const entries = yield* sessions
      if (!isTwice(node, entries)) break
      const failure = look(node, entries, yield* monotonic)
      if (failure !== undefined) {
        yield* Effect.andThen(noted(failure), refuse(failure, entries))
        break
      }
      for (const [link, entry] of entries) {
        if (kept.has(link) && entry.silence > silentFor) yield* entry.running.stop(...duplicate)
      }
    }
    watched.delete(node)
  })

  /**
   * Ends a session, for there is another one with its peer: at once, unless it is still to be seen whether both peers
   * are alive.
   */
  const drop = (link: number, { stop }: Pick<Entry["running"], "stop">) =>
    Effect.suspend(() => {
      const known = running.get(link)
      if (known === undefined || !watched.has(known.node)) return stop(...duplicate)
      kept.add(link)
      return Effect.void
    })

  /** A session is over. Its peer was alive `provedAgo` ms ago. */
  const ended = (link: number, provedAgo: number) =>
    Effect.map(monotonic, (now) => {
      const known = running.get(link)
      running.delete(link)
      kept.delete(link)
      if (known === undefined) return
      instances = Instances.onInstance(instances, known.node, known.instance, now - provedAgo)
    })

  return { instance, ran, drop, ended }
})
