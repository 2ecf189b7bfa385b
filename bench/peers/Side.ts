/**
 * One side of a pair, as a process: opens the replica of an adapter file, and does what its parent asks for, one call at a
 * time. Times of different processes are compared, so they come from the monotonic clock of the machine.
 *
 * usage: node Side.ts ADAPTER_URL DIRECTORY
 */
import { note, notes } from "./Notes.ts"
import type { About, Peer, Replica } from "./Peer.ts"

/** What a parent can ask for. */
export interface Calls {
  about(): Promise<About>
  /** Opens the replica; resolves with how long that took (ms). */
  open(): Promise<number>
  /** Writes the notes from `from` up to `to`, in batches. */
  write(options: { from: number; to: number; batch: number; version?: number }): Promise<void>
  adopt(n: number): Promise<void>
  listen(): Promise<number>
  /** Resolves with how long it took, and the processor time it cost this side (ms). */
  sync(options: { port: number; count: number }): Promise<{ ms: number; cpu: number }>
  count(): Promise<number>
  disconnect(): Promise<void>
  close(): Promise<void>
  /** Writes notes from number `from` on, one each `every` ms. Resolves with when each write began (microseconds). */
  pace(options: { from: number; count: number; every: number }): Promise<ReadonlyArray<readonly [string, number]>>
  /** Resolves with when each of the notes was seen (microseconds), once all were. */
  watch(options: { from: number; count: number }): Promise<ReadonlyArray<readonly [string, number]>>
  /** Processor time so far (ms), and the most memory used (MB). */
  usage(): Promise<{ cpu: number; peak: number }>
}

export interface Call {
  readonly sequence: number
  readonly name: keyof Calls
  readonly argument: never
}

export type Answer =
  { readonly sequence: number; readonly value: unknown } | { readonly sequence: number; readonly error: string }

const [adapter = "", directory = ""] = process.argv.slice(2)

const micros = () => Number(process.hrtime.bigint() / 1000n)
const cpu = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

let opened: Replica | undefined
const replica = (): Replica => {
  if (opened === undefined) throw new Error("the replica is not open")
  return opened
}

/** When each note that came from the other side was first seen. */
const seen = new Map<string, number>()
let news = () => {}

const load = async () => (await import(adapter)) as Peer

const calls: Calls = {
  about: async () => (await load()).about,
  open: async () => {
    const { open } = await load()
    const begin = performance.now()
    opened = await open(directory)
    const took = performance.now() - begin
    opened.onNote((id) => {
      if (!seen.has(id)) seen.set(id, micros())
      news()
    })
    return took
  },
  write: async ({ from, to, batch, version }) => {
    for (let n = from; n < to; n += batch) await replica().write(notes(n, Math.min(n + batch, to), version))
  },
  adopt: (n) => replica().adopt(note(n)),
  listen: () => replica().listen(),
  sync: async ({ port, count }) => {
    const before = cpu()
    const begin = performance.now()
    await replica().sync(port, count)
    return { ms: performance.now() - begin, cpu: cpu() - before }
  },
  count: () => replica().count(),
  disconnect: async () => replica().disconnect?.(),
  close: () => replica().close(),
  pace: async ({ from, count, every }) => {
    const begun: Array<readonly [string, number]> = []
    const start = performance.now()
    for (let n = 0; n < count; n++) {
      const wait = start + n * every - performance.now()
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
      const next = note(from + n)
      begun.push([next.id, micros()])
      await replica().write([next])
    }
    return begun
  },
  watch: ({ from, count }) => {
    const wanted = notes(from, from + count).map(({ id }) => id)
    return new Promise((resolve) => {
      news = () => {
        if (wanted.every((id) => seen.has(id))) resolve(wanted.map((id) => [id, seen.get(id) ?? 0] as const))
      }
      news()
    })
  },
  usage: async () => ({ cpu: cpu(), peak: process.resourceUsage().maxRSS / 1024 })
}

const say = (answer: Answer) => process.send?.(answer)

process.on("message", ({ sequence, name, argument }: Call) => {
  const call: (argument: never) => Promise<unknown> = calls[name]
  Promise.resolve()
    .then(() => call(argument))
    .then(
      (value) => say({ sequence, value }),
      (error: unknown) => say({ sequence, error: error instanceof Error ? error.message : String(error) })
    )
})
// A side never outlives its parent.
process.on("disconnect", () => process.exit(0))
