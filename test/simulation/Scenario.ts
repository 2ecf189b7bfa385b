/**
 * What happens in a simulated network, drawn from a seed: who is there, who dials whom, what is written, and what goes wrong.
 */
import type { Credit } from "../../src/core/sync/SessionLimits.ts"
import { seeded } from "../support/Seeded.ts"

export type Kind = "notes" | "knowledge" | "episodes" | "execution_log" | "dreams"

/** Something that happens to a node of ours, by its index, or between two of them. Times in ms. */
export type Happening =
  | {
      readonly _tag: "Write"
      readonly node: number
      readonly kind: Kind
      readonly row: number
      readonly isDelete: boolean
      /** More than a node with a small limit takes. */
      readonly isLarge?: boolean
    }
  /** The process dies at once; with `power`, so does what was not synced. */
  | { readonly _tag: "Crash"; readonly node: number; readonly power: boolean; readonly downFor: number }
  /** An orderly stop and start. */
  | { readonly _tag: "Restart"; readonly node: number; readonly downFor: number }
  /** Every connection between two hosts is lost. */
  | { readonly _tag: "Cut"; readonly node: number; readonly other: number }
  /** Hosts on different sides cannot reach each other. Bits of `side` by host. */
  | { readonly _tag: "Partition"; readonly side: number; readonly lasts: number }
  /** Nothing that a host sends or is sent arrives; nobody notices. */
  | { readonly _tag: "Stall"; readonly node: number; readonly lasts: number }
  | { readonly _tag: "FullDisk"; readonly node: number; readonly lasts: number }
  /** The clock of a node is set: this far from the true time. */
  | { readonly _tag: "ClockJump"; readonly node: number; readonly offset: number }
  /** The clock of a node runs this much too fast. */
  | { readonly _tag: "ClockDrift"; readonly node: number; readonly rate: number }
  | { readonly _tag: "Backup"; readonly node: number }
  /** Some of what a node wrote that is no more is imported: every `step`-th of its operations. */
  | { readonly _tag: "Import"; readonly node: number; readonly lost: number; readonly step: number }
  /** The process dies, and an earlier backup takes the place of the database. */
  | { readonly _tag: "Restore"; readonly node: number; readonly downFor: number; readonly behind?: number }
  /** One write while the clock shows a year too much. Only where there is a way out of that: on the real database. */
  | { readonly _tag: "YearAhead"; readonly node: number; readonly kind: Kind; readonly row: number }
  /** A node is stopped, takes another identity, and writes anew what it wrote ahead of its clock. */
  | { readonly _tag: "Renew"; readonly node: number; readonly downFor: number }
  /** A user lists a kind, and searches for a word and the beginning of another. */
  | { readonly _tag: "Look"; readonly node: number; readonly kind: Kind; readonly word: number; readonly begun: number }
  /** A node exports, and another one imports it. A copy that is cut after that part of the lines shows. */
  | { readonly _tag: "Export"; readonly node: number; readonly other: number; readonly cut: number }
  /** The hostile member tells a node something that is not so. */
  | { readonly _tag: "Lie"; readonly node: number; readonly lie: Lie; readonly seed: number }
  /** A node that is too long away is stopped, and begins anew. */
  | { readonly _tag: "Rejoin"; readonly node: number }
  | { readonly _tag: "OldWrite"; readonly node: number; readonly row: number }
  | { readonly _tag: "OldRestart"; readonly node: number }
  /** From now on it sends something that is no operation among those that are. */
  | { readonly _tag: "OldGarbage"; readonly node: number }

/** What a hostile member can say, within the protocol. */
export const lies = [
  "claims",
  "forgeries",
  "forgeries with claims",
  "contradictions",
  "flood",
  "far future",
  "acknowledgements",
  "greetings",
  "ranges",
  "garbage"
] as const
export type Lie = (typeof lies)[number]

/** A happening, and the time since the one before it. */
export interface Timed {
  readonly after: number
  readonly happening: Happening
}

export interface Scenario {
  readonly seed: number
  readonly nodes: number
  /** Existing FERAL nodes: whether each is of the newest generation. */
  readonly old: ReadonlyArray<boolean>
  /** Who dials whom, by index; the old ones come after ours. */
  readonly dials: ReadonlyArray<readonly [from: number, to: number]>
  /** How long a frame is under way: up to this, in ms. */
  readonly latency: number
  readonly happenings: ReadonlyArray<Timed>
  /** The nodes, by index, that take small frames only. */
  readonly small?: ReadonlyArray<number>
  /** The nodes, by index, whose store is the real database. */
  readonly sqlite?: ReadonlyArray<number>
  /** Bytes of the frames that nodes send, what they send ahead, and commits that a store remembers, where these are not the default. */
  readonly frame?: number
  readonly credit?: Credit
  readonly remembered?: number
  /** How long tombstones are kept that every node has (ms); for ever, without it. */
  readonly keep?: number
  /** Whether what is written of the kind `dreams` is of kinds of an application, of every rule, that only some nodes have. */
  readonly own?: boolean
  /** Whether a member lies: until the network works again, or until the others are equal. */
  readonly hostile?: "until the end" | "for a while"
}

/** How far ahead of the clock of a node an operation may be (ms): what a node has that is configured by nobody. */
export const maxDrift = 300_000

/** Bytes of a frame that a node with a small limit takes, and of the content of a row that is too large for it. */
export const smallFrame = 4_096
export const largeContent = 6_000

/** One seed of so many plays kinds of an application. */
const ownEvery = 50

/** How many of the seeds play the real database. */
const sqliteShare = 0.125

/** Every so many seeds have a hostile member. */
const hostileEvery = 25

/** In every so many seeds tombstones are collected. */
const collectingEvery = 10

export interface Wanted {
  readonly nodes?: number | undefined
  /** A hostile member in every seed. */
  readonly hostile?: boolean | undefined
  /** Tombstones are collected in every seed. */
  readonly collecting?: boolean | undefined
}

export const scenarioOf = (
  seed: number,
  { nodes, hostile = seed % hostileEvery === 7, collecting = seed % collectingEvery === 3 }: Wanted = {}
): Scenario => {
  const drawn = honest(seed, { nodes })
  return hostile ? withHostile(drawn) : collecting ? withCollecting(drawn) : drawn
}

/**
 * The same network, in which tombstones are collected after a short while, and nodes are away for longer than that. Existing FERAL nodes keep
 * others from collecting, and nodes with small limits from being equal: they are left out, as is what changes the identity of a node.
 */
const withCollecting = ({ small: _, ...scenario }: Scenario): Scenario => {
  const { seed, nodes } = scenario
  const random = seeded(seed ^ 0xc011)
  const below = (end: number) => Math.floor(random() * end)
  const keep = 60_000 + below(240_000)
  const isPlayed = ({ happening: { _tag } }: Timed) =>
    !["OldWrite", "OldRestart", "OldGarbage", "YearAhead", "Renew", "Import", "ClockJump"].includes(_tag)
  const happenings = scenario.happenings.filter(isPlayed).map((timed): Timed => {
    const { happening } = timed
    const after = random() < 0.3 ? timed.after + below(keep) : timed.after
    if (happening._tag === "Write") {
      const isDelete = happening.isDelete || random() < 0.35
      return { after, happening: { ...happening, isLarge: false, isDelete } }
    }
    if (happening._tag === "Restore") return { after, happening: { ...happening, behind: 0 } }
    if (happening._tag !== "Partition") return { after, happening }
    return { after, happening: { ...happening, side: happening.side % 2 ** nodes } }
  })
  const add = (happening: Happening, after: number) =>
    happenings.splice(below(happenings.length + 1), 0, { after, happening })
  for (let left = 2 + below(5); left > 0; left--) {
    const node = below(nodes)
    const kind = random() < 0.5 ? "notes" : "knowledge"
    add({ _tag: "Write", node, kind, row: below(8), isDelete: true }, below(keep))
  }
  for (let left = 1 + below(3); left > 0; left--) {
    const lasts = Math.floor(keep * (0.5 + 3 * random()))
    if (random() < 0.5) add({ _tag: "Restart", node: below(nodes), downFor: lasts }, below(20_000))
    else add({ _tag: "Partition", side: below(2 ** nodes), lasts }, below(20_000))
  }
  for (let left = below(3); left > 0; left--) add({ _tag: "Backup", node: below(nodes) }, 0)
  for (let left = below(3); left > 0; left--) {
    add({ _tag: "Restore", node: below(nodes), downFor: below(keep), behind: 0 }, below(keep))
  }
  for (let left = below(4); left > 0; left--) add({ _tag: "Rejoin", node: below(nodes) }, below(keep))
  return {
    ...scenario,
    keep,
    old: [],
    dials: scenario.dials.filter(([from, to]) => from < nodes && to < nodes),
    happenings: [...happenings, { after: 2 * keep + 120_000, happening: { _tag: "Cut", node: 0, other: 1 } }]
  }
}

/**
 * The same network with a member that lies. Existing FERAL nodes, nodes with small limits and clocks that are a year ahead have promises
 * of their own, which a lie can break: they are left out.
 */
const withHostile = ({ small: _, ...scenario }: Scenario): Scenario => {
  const { seed, nodes } = scenario
  const random = seeded(seed ^ 0xe711)
  const below = (end: number) => Math.floor(random() * end)
  const isPlayed = ({ happening: { _tag } }: Timed) =>
    !["OldWrite", "OldRestart", "OldGarbage", "YearAhead", "Renew"].includes(_tag)
  const happenings = scenario.happenings.filter(isPlayed).map((timed): Timed => {
    const { happening } = timed
    if (happening._tag === "Write") return { ...timed, happening: { ...happening, isLarge: false } }
    if (happening._tag !== "Partition") return timed
    return { ...timed, happening: { ...happening, side: happening.side % 2 ** nodes } }
  })
  for (let left = 8 + below(16); left > 0; left--) {
    happenings.splice(below(happenings.length + 1), 0, {
      after: random() < 0.5 ? 0 : below(4_000),
      happening: { _tag: "Lie", node: below(nodes), lie: lies[below(lies.length)] ?? "claims", seed: below(2 ** 31) }
    })
  }
  return {
    ...scenario,
    old: [],
    dials: scenario.dials.filter(([from, to]) => from < nodes && to < nodes),
    happenings,
    hostile: random() < 0.5 ? "until the end" : "for a while"
  }
}

const honest = (seed: number, wanted: { readonly nodes?: number | undefined }): Scenario => {
  const random = seeded(seed ^ 0x5eed)
  const below = (end: number) => Math.floor(random() * end)
  const chance = (probability: number) => random() < probability
  const nodes = wanted.nodes ?? (chance(0.1) ? 6 + below(7) : 2 + below(4))
  const old = Array.from({ length: chance(0.3) ? 1 + below(2) : 0 }, () => chance(0.5))
  const hosts = nodes + old.length
  const dials = new Set<string>()
  // A tree keeps the network in one piece; the rest is by chance. Some dial each other, and meet twice.
  for (let host = 1; host < hosts; host++) {
    const other = below(Math.min(host, nodes))
    dials.add(host < nodes && chance(0.5) ? `${other} ${host}` : `${host} ${other}`)
  }
  for (let extra = below(hosts * 2); extra > 0; extra--) {
    const [from, to] = [below(hosts), below(nodes)]
    if (from !== to) dials.add(`${from} ${to}`)
  }
  const span = () => Math.floor(random() ** 3 * 120_000)
  const node = () => below(nodes)

  const sqlite = chance(sqliteShare) ? Array.from({ length: nodes }, (_, index) => index).filter(() => chance(0.6)) : []
  const kinds = ["notes", "notes", "knowledge", "episodes", "execution_log", "dreams"] as const
  const anyKind = () => kinds[below(kinds.length)] ?? "notes"

  const happening = (): Happening => {
    if (chance(sqlite.length > 0 ? 0.2 : 0.05)) {
      if (chance(0.75))
        return {
          _tag: "Look",
          node: sqlite[below(sqlite.length)] ?? node(),
          kind: anyKind(),
          word: below(6),
          begun: below(8)
        }
      return { _tag: "Export", node: node(), other: node(), cut: random() }
    }
    const ahead = sqlite[below(sqlite.length)]
    if (ahead !== undefined && chance(0.04)) {
      return chance(0.6)
        ? { _tag: "YearAhead", node: ahead, kind: anyKind(), row: below(8) }
        : { _tag: "Renew", node: ahead, downFor: span() }
    }
    const kind = random()
    if (old.length > 0 && kind < 0.12) {
      const peer = below(old.length)
      if (chance(0.1)) return { _tag: "OldGarbage", node: peer }
      return chance(0.8) ? { _tag: "OldWrite", node: peer, row: below(12) } : { _tag: "OldRestart", node: peer }
    }
    if (kind < 0.6) {
      return {
        _tag: "Write",
        node: node(),
        kind: anyKind(),
        // One row of each kind is everybody's favourite.
        row: chance(0.4) ? 0 : below(8),
        isDelete: chance(0.2)
      }
    }
    if (kind < 0.66) return { _tag: "Crash", node: node(), power: chance(0.5), downFor: span() }
    if (kind < 0.69) return { _tag: "Restart", node: node(), downFor: span() }
    if (kind < 0.75) return { _tag: "Cut", node: node(), other: node() }
    if (kind < 0.81) return { _tag: "Partition", side: below(2 ** hosts), lasts: span() }
    if (kind < 0.85) return { _tag: "Stall", node: node(), lasts: span() }
    if (kind < 0.89) return { _tag: "FullDisk", node: node(), lasts: span() }
    if (kind < 0.93) return { _tag: "ClockJump", node: node(), offset: Math.floor((random() - 0.5) * 2_400_000) }
    if (kind < 0.95) return { _tag: "ClockDrift", node: node(), rate: (random() - 0.5) * 0.02 }
    if (kind < 0.965) return { _tag: "Import", node: node(), lost: below(2), step: 1 + below(3) }
    if (kind < 0.98) return { _tag: "Backup", node: node() }
    return { _tag: "Restore", node: node(), downFor: span(), ...(chance(0.4) && { behind: below(1_200_000) }) }
  }

  const scenario: Scenario = {
    seed,
    // No draw: the other seeds play what they always did.
    ...(seed % ownEvery === 0 && { own: true }),
    ...(sqlite.length > 0 && { sqlite }),
    // Room for one operation or a few: a part of a frame is its envelope.
    ...(chance(0.15) && { frame: 1_024 + 100 + below(600) }),
    ...(chance(0.15) && { credit: { bytes: 100 + below(900), frames: 1 + below(4) } }),
    // Where little may be under way, more is committed than is remembered before a session looks again.
    ...(chance(0.1) && { remembered: 1 + below(2), credit: { bytes: 1 + below(300), frames: 1 } }),
    nodes,
    old,
    dials: [...dials].map((pair) => {
      const [from = 0, to = 0] = pair.split(" ").map(Number)
      return [from, to] as const
    }),
    latency: chance(0.3) ? 0 : Math.floor(random() ** 2 * 2_000),
    happenings: Array.from({ length: 5 + below(50) }, () => ({
      after: chance(0.4) ? 0 : Math.floor(random() ** 2 * 20_000),
      happening: happening()
    }))
  }
  if (old.length > 0 || !chance(0.25)) return scenario
  return {
    ...scenario,
    small: Array.from({ length: nodes }, (_, index) => index).filter(() => chance(0.4)),
    happenings: scenario.happenings.map((timed) =>
      timed.happening._tag === "Write" && !timed.happening.isDelete && chance(0.3)
        ? { ...timed, happening: { ...timed.happening, isLarge: true } }
        : timed
    )
  }
}

/** One line of a trace. */
export const told = ({ _tag, ...facts }: Happening): string =>
  `${_tag} ${Object.entries(facts)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(" ")}`
