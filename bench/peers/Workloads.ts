/**
 * What is measured of each project: first sync, nothing new, one old note missing, live latency, growth by overwriting.
 *
 * Every sink is a fresh process with a fresh directory. A project with storage proves it: the sink is killed as soon as it
 * says that it is in sync, opened again, and must hold every note; what comes then is measured on that reopened sink.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { About } from "./Peer.ts"
import { Proxy } from "./Proxy.ts"
import { SideProcess, Stopped } from "./SideProcess.ts"

export interface Sizes {
  /** How many notes, from small to large. */
  readonly items: ReadonlyArray<number>
  readonly rounds: number
  /** Live: how many notes, one each so many ms. */
  readonly live: { readonly count: number; readonly every: number }
  readonly overwrite: { readonly writes: number; readonly keys: number }
  /** How long anything may take (ms). */
  readonly limit: number
}

export type Workload = "first sync" | "nothing new" | "one old note missing" | "live" | "overwrite"

/** The values of one measure of one workload, one of each round; or why there are none. */
export interface Figure {
  readonly workload: Workload
  readonly items: number
  readonly measure: string
  readonly unit: "ms" | "bytes" | "MB"
  readonly values: ReadonlyArray<number>
  readonly reason?: string
}

export interface Measured {
  readonly about: About
  readonly figures: ReadonlyArray<Figure>
}

/** How many notes are written with one call while a source is prepared. */
const batch = 1000

/** Live notes have numbers that nothing else has. */
const liveFrom = 10_000_000

const bytesOf = (directory: string): number =>
  readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)

/** Runs every workload on one project. What cannot be measured is a figure with a reason, and what depends on it too. */
export const measure = async (adapter: URL, sizes: Sizes, tell: (line: string) => void): Promise<Measured> => {
  const asked = new SideProcess(adapter, "")
  const about = await asked.call("about", undefined, sizes.limit).finally(() => asked.kill())
  const root = mkdtempSync(join(tmpdir(), "feral-sync-bench-"))
  const running = new Set<SideProcess>()
  const figures = new Map<string, { -readonly [Key in keyof Figure]: Figure[Key] } & { values: Array<number> }>()
  const isDurable = about.storage !== undefined

  const start = (directory: string) => {
    const side = new SideProcess(adapter, join(root, directory))
    running.add(side)
    return side
  }
  const opened = async (directory: string) => {
    const side = start(directory)
    await side.call("open", undefined, sizes.limit)
    return side
  }
  const stop = async (side: SideProcess) => {
    running.delete(side)
    await side.kill()
  }
  const close = async (side: SideProcess) => {
    await side.call("close", undefined, sizes.limit)
    await stop(side)
  }

  /** What is being measured. */
  let stage: Workload = "first sync"

  const missing = (workload: Workload, items: number, reason: string) => {
    figures.set(`${workload} ${items} reason`, { workload, items, measure: "time", unit: "ms", values: [], reason })
  }
  const add = (workload: Workload, items: number, measure: string, unit: Figure["unit"], value: number) => {
    const key = `${workload} ${items} ${measure}`
    const figure = figures.get(key) ?? { workload, items, measure, unit, values: [] }
    figure.values.push(value)
    figures.set(key, figure)
  }

  /** Runs workloads, and ends what they left running. A failure is noted at the workload that `stage` says. */
  const attempt = async (first: Workload, items: number, run: () => Promise<void>): Promise<string | undefined> => {
    const begin = performance.now()
    let reason: string | undefined
    stage = first
    try {
      await run()
    } catch (error) {
      if (!(error instanceof Stopped)) throw error
      reason = error.message.split("\n", 1)[0] ?? ""
      missing(stage, items, reason)
    }
    for (const side of running) await stop(side)
    tell(
      `${about.name}: ${reason === undefined ? first : stage}, ${items}: ${reason ?? "done"} (${Math.round(performance.now() - begin)} ms)`
    )
    return reason
  }

  /** Times one sync of an open sink, and counts its bytes. */
  const timed = async (workload: Workload, items: number, sink: SideProcess, proxy: Proxy, count: number) => {
    const { ms, cpu } = await sink.call("sync", { port: proxy.port, count }, sizes.limit)
    add(workload, items, "time", "ms", ms)
    add(workload, items, "sink cpu", "ms", cpu)
    return async () => add(workload, items, "bytes", "bytes", await proxy.bytes())
  }

  /** How long the last opening took (ms). */
  let opening = 0

  /** The same sink after its end: from its files, or still in memory. */
  const again = async (sink: SideProcess, directory: string, count: number, how: "kill" | "close") => {
    if (!isDurable) {
      await sink.call("disconnect", undefined, sizes.limit)
      return sink
    }
    await (how === "kill" ? stop(sink) : close(sink))
    const reopened = start(directory)
    opening = await reopened.call("open", undefined, sizes.limit)
    const held = await reopened.call("count", undefined, sizes.limit)
    if (held !== count) throw new Stopped(`${count - held} of ${count} notes were lost by a ${how}`)
    return reopened
  }

  const syncs = (items: number) => async () => {
    const directory = `source-${items}`
    const first = await opened(directory)
    await first.call("write", { from: 0, to: items, batch }, sizes.limit)
    const source = isDurable ? await again(first, directory, items, "close") : first
    const proxy = await Proxy.open(await source.call("listen", undefined, sizes.limit))
    try {
      let held = items
      for (let round = 0; round < sizes.rounds; round++) {
        stage = "first sync"
        const place = `sink-${items}-${round}`
        const fresh = await opened(place)
        await proxy.bytes()
        const before = await source.call("usage", undefined, sizes.limit)
        const counted = await timed("first sync", items, fresh, proxy, held)
        const peak = await fresh.call("usage", undefined, sizes.limit)
        const after = await source.call("usage", undefined, sizes.limit)
        add("first sync", items, "source cpu", "ms", after.cpu - before.cpu)
        add("first sync", items, "sink memory", "MB", peak.peak)
        await counted()
        stage = "nothing new"
        const equal = await again(fresh, place, held, "kill")
        if (isDurable) add("nothing new", items, "opening", "ms", opening)
        await proxy.bytes()
        await (
          await timed("nothing new", items, equal, proxy, held)
        )()

        stage = "one old note missing"
        const behind = await again(equal, place, held, "close")
        await proxy.bytes()
        await source.call("adopt", items + round, sizes.limit)
        held++
        await (
          await timed("one old note missing", items, behind, proxy, held)
        )()
        await stop(behind)
      }
    } finally {
      await proxy.close()
    }
  }

  const live = async () => {
    const { count, every } = sizes.live
    const source = await opened("live-source")
    await source.call("write", { from: 0, to: batch, batch }, sizes.limit)
    const proxy = await Proxy.open(await source.call("listen", undefined, sizes.limit))
    try {
      const sink = await opened("live-sink")
      await sink.call("sync", { port: proxy.port, count: batch }, sizes.limit)
      const watched = sink.call("watch", { from: liveFrom, count }, sizes.limit)
      const [begun, seen] = await Promise.all([
        source.call("pace", { from: liveFrom, count, every }, sizes.limit),
        watched
      ])
      const at = new Map(seen)
      for (const [id, begin] of begun) add("live", batch, "latency", "ms", ((at.get(id) ?? 0) - begin) / 1000)
    } finally {
      await proxy.close()
    }
  }

  const overwrite = async () => {
    const { keys, writes } = sizes.overwrite
    const grown = await opened("overwrite")
    await grown.call("write", { from: 0, to: keys, batch }, sizes.limit)
    for (let version = 1; version * keys <= writes; version++) {
      await grown.call("write", { from: 0, to: keys, batch, version }, sizes.limit)
    }
    const source = isDurable ? await again(grown, "overwrite", keys, "close") : grown
    if (isDurable) add("overwrite", keys, "on disk", "bytes", bytesOf(join(root, "overwrite")))
    const proxy = await Proxy.open(await source.call("listen", undefined, sizes.limit))
    try {
      const sink = await opened("overwrite-sink")
      await (
        await timed("overwrite", keys, sink, proxy, keys)
      )()
    } finally {
      await proxy.close()
    }
  }

  try {
    let tooLarge: string | undefined
    for (const items of sizes.items) {
      if (tooLarge !== undefined) missing("first sync", items, `not tried: ${tooLarge}`)
      else if ((await attempt("first sync", items, syncs(items))) !== undefined) tooLarge = `${items} notes failed`
    }
    await attempt("live", batch, live)
    await attempt("overwrite", sizes.overwrite.keys, overwrite)
  } finally {
    for (const side of running) await side.kill()
    rmSync(root, { recursive: true, force: true })
  }
  return { about, figures: [...figures.values()] }
}
