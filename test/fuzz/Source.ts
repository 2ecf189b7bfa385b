/** Chance that can be repeated: the same seed gives the same numbers. */
export interface Source {
  /** An integer from 0 up to `below`, which it does not reach. */
  readonly below: (below: number) => number
  readonly pick: <A>(from: readonly [A, ...ReadonlyArray<A>]) => A
  readonly bytes: (length: number) => Uint8Array
}

/** Mulberry32 by Tommy Ettinger: 32 bits of state are enough to choose mutations. */
export const make = (seed: number): Source => {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  const below = (limit: number) => next() % limit
  return {
    below,
    pick: (from) => from[below(from.length)] ?? from[0],
    bytes: (length) => Uint8Array.from({ length }, () => below(256))
  }
}
