/**
 * How V8 uses memory. The live heap of a node is about 35 MB. But on a machine with much memory V8 collects so rarely
 * that a node grows to many times that. It also never gives back the memory of a large transfer. V8 reads its flags
 * each time it decides, so that they can be set while it runs.
 */
import { PerformanceObserver } from "node:perf_hooks"
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

/** Keeps the heap small: lets it grow by half before it is collected, and the space for new objects not at all. */
export const keepSmall = (): void => {
  setFlagsFromString("--heap-growing-percent=50")
  setFlagsFromString("--semi-space-growth-factor=1")
}

/**
 * New objects get at most this much (bytes): two halves, of which one is in use. With less, what a transfer has under
 * way is taken for what will stay: it is copied, and collected late, at a third more processor time. More is hardly
 * faster.
 */
const youngBytes = 2 * 8 * 1024 * 1024

/** Collections in a second from which on the space for new objects is too small. */
const often = 80

/** Time without a collection after which nothing much happens (ms). */
const quiet = 3_000

/** Bytes that the process must have received before a full collection is worth its 70 ms. */
const worthwhile = 16 * 1024 * 1024

/**
 * Lets the space for new objects grow while there is much to be done, and gives memory back afterwards. To be called
 * when everything is loaded: loading fills that space with long-lived objects.
 */
export const growWithLoad = (): void => {
  const collect = collector()
  let recent: ReadonlyArray<number> = []
  let settled = 0
  const settle = setTimeout(() => {
    if (resident() - settled < worthwhile) return
    collect({ type: "major", flavor: "last-resort" })
    settled = resident()
  }, quiet).unref()
  const observer = new PerformanceObserver((list) => {
    recent = [...recent, ...list.getEntries().map(({ startTime }) => startTime)].slice(-often)
    const isBusy = recent.length === often && performance.now() - (recent[0] ?? 0) < 1_000
    setFlagsFromString(`--semi-space-growth-factor=${isBusy && youngSize() < youngBytes ? 2 : 1}`)
    settle.refresh()
  })
  observer.observe({ entryTypes: ["gc"] })
}

/** The memory of the process (bytes). Unknown where this user may not read `/proc`: that must not end a node. */
const resident = (): number => {
  try {
    return process.memoryUsage.rss()
  } catch {
    return 0
  }
}

const youngSize = (): number =>
  getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")?.space_size ?? youngBytes

/** The function that node has with `--expose-gc`, without that it is given. */
const collector = (): NonNullable<typeof globalThis.gc> => {
  setFlagsFromString("--expose-gc")
  const collect: NonNullable<typeof globalThis.gc> = runInNewContext("gc")
  setFlagsFromString("--no-expose-gc")
  return collect
}
