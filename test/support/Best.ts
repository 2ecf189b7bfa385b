/** Times that have a limit, on machines that other work makes stop. */

/** How long something takes (ms). */
export const howLong = async (wait: () => Promise<unknown>): Promise<number> => {
  const since = performance.now()
  await wait()
  return performance.now() - since
}

/**
 * Measures a time (ms) until one is under the limit, three times at most. A busy machine may stop for longer than the limit, but hardly
 * each time: what always takes too long is slow itself. Gives the least.
 */
export const within = async (limit: number, measure: () => Promise<number>): Promise<number> => {
  const times: Array<number> = []
  while (times.length < 3 && !times.some((time) => time < limit)) times.push(await measure())
  const least = Math.min(...times)
  if (least >= limit) throw new Error(`${times.map(Math.round).join(", ")} ms: the limit is ${limit} ms`)
  return least
}
