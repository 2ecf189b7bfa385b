/**
 * How V8 uses memory. What is live in a node is some 40 MB, but on a machine with much memory V8 collects so rarely that a node
 * grows to many times that. V8 reads both flags each time it decides, so that they can be set while it runs.
 */
import { PerformanceObserver } from "node:perf_hooks"
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8"

/**
 * New objects get at most this much (bytes): two halves, of which one is in use. With less, what a transfer has under way is
 * taken for what will stay: it is copied, and collected late, at a third more processor time. More is hardly faster.
 */
const youngBytes = 2 * 8 * 1024 * 1024

/** Keeps the heap small: lets it grow by half before it is collected, and the space for new objects not at all. */
export const keepSmall = (): void => {
  setFlagsFromString("--heap-growing-percent=50")
  setFlagsFromString("--semi-space-growth-factor=1")
}

/** Collections in a second from which on the space for new objects is too small. */
const often = 40

/**
 * Lets the space for new objects grow while there is much to be done. To be called when everything is loaded: loading fills it
 * with what stays anyway.
 */
export const growWithLoad = (): void => {
  let recent: ReadonlyArray<number> = []
  const observer = new PerformanceObserver((list) => {
    recent = [...recent, ...list.getEntries().map(({ startTime }) => startTime)].slice(-often)
    const isBusy = recent.length === often && performance.now() - (recent[0] ?? 0) < 1_000
    setFlagsFromString(`--semi-space-growth-factor=${isBusy && youngSize() < youngBytes ? 2 : 1}`)
  })
  observer.observe({ entryTypes: ["gc"] })
}

const youngSize = (): number =>
  getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")?.space_size ?? youngBytes
