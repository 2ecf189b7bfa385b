/**
 * Whether two nodes with one id are alive: a data directory was copied, and both copies run.
 *
 * Each time a node opens its store is an instance, with an id of its own. A data directory has one instance at a time,
 * for its lock sees to that. So two instances of one node whose lives overlap are two directories, whether they were
 * connected here at once or in turns. A restart is told apart by that: the new instance began after the old one was
 * last alive. What an old connection still brings was under way for any time, so only an answer counts: the peer was
 * alive when it was asked. Lives that overlap by less than `margin` count as a restart.
 *
 * Times are in milliseconds of a monotonic clock. The state is bounded.
 */
import * as Oldest from "./Oldest.ts"
import type { NodeId } from "../replica/NodeId.ts"

export const limits = {
  margin: 10_000,
  /** After this time without a word of one of them, the other one is alone. */
  memory: 180_000,
  nodes: 1_000,
  /** Instances of one node. The one that was heard of longest ago is forgotten first. */
  instances: 8
} as const

/** An instance: when it began, and when it was last known to be alive. */
export interface Lifetime {
  readonly instance: string
  readonly from: number
  readonly until: number
}

/** By node; the one that was heard of longest ago comes first. */
export type Instances = ReadonlyMap<NodeId, ReadonlyArray<Lifetime>>

export const empty: Instances = new Map()

/** After an instance reported when it began. The latest report counts: a message may be late. */
export const begin = (instances: Instances, node: NodeId, { instance, from, until }: Lifetime): Instances => {
  const known = instances.get(node) ?? []
  const before = known.find((life) => life.instance === instance)
  const life: Lifetime = {
    instance,
    from: Math.max(from, before?.from ?? -Infinity),
    until: Math.max(until, before?.until ?? -Infinity)
  }
  const lives = [...known.filter((other) => other !== before), life].sort((a, b) => a.until - b.until)
  const next = new Map(instances)
  Oldest.set(next, node, lives.slice(-limits.instances), limits.nodes)
  return next
}

/** After a sign of life of an instance that is known. */
export const onInstance = (instances: Instances, node: NodeId, instance: string, until: number): Instances => {
  const known = instances.get(node)?.find((life) => life.instance === instance)
  return known === undefined ? instances : begin(instances, node, { ...known, until })
}

/** Whether two copies of a node are alive at present, as far as is known. */
export const isCopied = (instances: Instances, node: NodeId, now: number): boolean => {
  const lives = (instances.get(node) ?? []).filter(({ until }) => now - until <= limits.memory)
  return lives.some((one, index) => lives.slice(index + 1).some((other) => overlap(one, other) > limits.margin))
}

const overlap = (one: Lifetime, other: Lifetime): number =>
  Math.min(one.until, other.until) - Math.max(one.from, other.from)
