/**
 * Makes a failing scenario smaller, for as long as it still fails: what is left is what it takes.
 *
 * Every scenario that it tries is one that could have been drawn: the network stays in one piece, and nothing happens to a host
 * that is not there.
 */
import type { Happening, Scenario, Timed } from "./Scenario.ts"

export interface Shrunk {
  readonly scenario: Scenario
  /** How many scenarios were tried. */
  readonly runs: number
}

/** Bits of `side` by host, without the one of `host`. */
const sideWithout = (side: number, host: number): number => (side & (2 ** host - 1)) | ((side >> (host + 1)) << host)

/** The same happening in a network without `host`; none when it happened to that one. */
const happeningWithout = (happening: Happening, host: number, nodes: number): Happening | undefined => {
  const lower = (index: number, gone: number) => (index > gone ? index - 1 : index)
  switch (happening._tag) {
    case "Partition":
      return { ...happening, side: sideWithout(happening.side, host) }
    case "Cut":
    case "Export":
      if (happening.node === host || happening.other === host) return undefined
      return { ...happening, node: lower(happening.node, host), other: lower(happening.other, host) }
    case "OldWrite":
    case "OldRestart":
    case "OldGarbage": {
      const gone = host - nodes
      if (gone < 0) return happening
      return happening.node === gone ? undefined : { ...happening, node: lower(happening.node, gone) }
    }
    default:
      return happening.node === host ? undefined : { ...happening, node: lower(happening.node, host) }
  }
}

const indexesWithout = (indexes: ReadonlyArray<number>, host: number): ReadonlyArray<number> =>
  indexes.filter((index) => index !== host).map((index) => (index > host ? index - 1 : index))

/** The scenario without a host. Those that one of ours joined are joined by a neighbour of it instead. */
export const without = (scenario: Scenario, host: number): Scenario => {
  const { nodes, old } = scenario
  const neighbours = scenario.dials.flatMap(([from, to]) => (from === host ? [to] : to === host ? [from] : []))
  const heir = host < nodes ? neighbours.find((index) => index < nodes) : undefined
  const dials = new Map<string, readonly [number, number]>()
  for (const dial of scenario.dials) {
    const [from, to] = dial.map((index) => (index === host ? heir : index))
    if (from === undefined || to === undefined || from === to) continue
    const [dialler, dialled] = [from, to].map((index) => (index > host ? index - 1 : index))
    if (dialler !== undefined && dialled !== undefined) dials.set(`${dialler} ${dialled}`, [dialler, dialled])
  }
  const happenings: Array<Timed> = []
  let after = 0
  for (const timed of scenario.happenings) {
    after += timed.after
    const happening = happeningWithout(timed.happening, host, nodes)
    if (happening === undefined) continue
    happenings.push({ after, happening })
    after = 0
  }
  return {
    ...scenario,
    nodes: host < nodes ? nodes - 1 : nodes,
    old: old.filter((_, index) => nodes + index !== host),
    dials: [...dials.values()],
    ...(scenario.small && { small: indexesWithout(scenario.small, host) }),
    ...(scenario.sqlite && { sqlite: indexesWithout(scenario.sqlite, host) }),
    happenings
  }
}

/** The smallest scenario found that fails, with at most `maxRuns` tried. The one given is known to fail. */
export const shrink = (scenario: Scenario, fails: (scenario: Scenario) => boolean, maxRuns = 300): Shrunk => {
  let smallest = scenario
  let runs = 0
  const isTaken = (candidate: Scenario): boolean => {
    if (runs === maxRuns) return false
    runs++
    if (!fails(candidate)) return false
    smallest = candidate
    return true
  }
  const dropHappenings = (size: number) => {
    for (let start = 0; start < smallest.happenings.length;) {
      const happenings = smallest.happenings.toSpliced(start, size)
      if (!isTaken({ ...smallest, happenings })) start += size
    }
  }
  for (let before: Scenario | undefined; before !== smallest && runs < maxRuns;) {
    before = smallest
    for (let size = Math.ceil(before.happenings.length / 2); size > 1; size = Math.floor(size / 2)) dropHappenings(size)
    dropHappenings(1)
    if (smallest.latency > 0) isTaken({ ...smallest, latency: 0 })
    for (const term of ["sqlite", "frame", "credit", "remembered"] as const) {
      const { [term]: left, ...rest } = smallest
      if (left !== undefined) isTaken(rest)
    }
    // The last first: those before keep their places.
    for (let host = smallest.nodes + smallest.old.length - 1; host >= 0; host--) {
      if (host >= smallest.nodes || smallest.nodes > 1) isTaken(without(smallest, host))
    }
  }
  return { scenario: smallest, runs }
}
