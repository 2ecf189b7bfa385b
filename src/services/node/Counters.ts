/**
 * Numbers of one node that only grow, counted where things happen and read when metrics are asked for. Counting costs
 * an addition.
 */
import { Context, Layer } from "effect"

/**
 * How long things took (seconds): how many took up to each bound, in all, how long together, and the least and the
 * most.
 */
export interface Histogram {
  readonly bounds: ReadonlyArray<number>
  readonly counts: Array<number>
  count: number
  sum: number
  min: number
  max: number
}

export interface Counters {
  readonly commits: Histogram
  readonly mdns: { received: number; sent: number }
}

const bounds = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export const make = (): Counters => ({
  commits: { bounds, counts: bounds.map(() => 0), count: 0, sum: 0, min: 0, max: 0 },
  mdns: { received: 0, sent: 0 }
})

export const observe = (histogram: Histogram, seconds: number): void => {
  histogram.min = histogram.count === 0 ? seconds : Math.min(histogram.min, seconds)
  histogram.max = Math.max(histogram.max, seconds)
  histogram.count += 1
  histogram.sum += seconds
  const at = histogram.bounds.findIndex((bound) => seconds <= bound)
  if (at >= 0) histogram.counts[at] = (histogram.counts[at] ?? 0) + 1
}

/** The counters of the node of this context. */
export const Counters: Context.Reference<Counters> = Context.Reference("feral-sync/services/node/Counters", {
  defaultValue: make
})

/** Counters for one node alone: several may run in one process. */
export const layer: Layer.Layer<never> = Layer.sync(Counters, make)
