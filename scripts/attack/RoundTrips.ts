/** How long a write on one node takes until it is on another one, as their applications see it. */
import { request } from "node:http"
import { join } from "node:path"
import type { Node } from "../../test/support/Nodes.ts"
import { ask } from "../../test/support/Request.ts"

/** A write that takes longer counts as one of this length. */
const longest = 30_000

/** One write after the other, for so many milliseconds: from the request to the line that tells of it (ms). */
export const roundTrips = async (from: Node, to: Node, ms: number): Promise<ReadonlyArray<number>> => {
  const waiting = new Map<string, () => void>()
  const stream = request({ socketPath: join(to.home, "feral-sync.sock"), path: "/changes" })
  let rest = ""
  stream.on("error", () => {})
  stream.on("response", (response) => {
    response.on("error", () => {})
    response.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n")
      rest = lines.pop() ?? ""
      for (const line of lines) for (const [mark, arrived] of waiting) if (line.includes(mark)) arrived()
    })
  })
  stream.end()
  let written = 0
  const write = async (within: number): Promise<number> => {
    const mark = `mark-${process.pid}-${from.port}-${performance.now()}-${++written}.`
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, within)
    waiting.set(mark, resolve)
    const since = performance.now()
    const answer = await ask(from.home, "PUT", "/facts", { subject: "probe", predicate: "is", object: mark })
    if (answer?.status !== 200) throw new Error(`a write was refused: ${answer?.body}`)
    await promise
    clearTimeout(timer)
    waiting.delete(mark)
    return performance.now() - since
  }
  try {
    // Until the stream is open, lines may be missed.
    for (let n = 0; n < 50 && (await write(1_000)) >= 1_000; n++);
    const all: Array<number> = []
    const end = performance.now() + ms
    do {
      all.push(await write(longest))
      await new Promise((resolve) => setTimeout(resolve, 10))
    } while (performance.now() < end)
    return all
  } finally {
    stream.destroy()
  }
}
