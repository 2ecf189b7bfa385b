/** S12: a reader of the change feed that was away. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, Layer, Stream } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { HlcClock } from "../src/services/node/HlcClock.ts"
import { Store } from "../src/services/store/Store.ts"
import * as SqliteStore from "../src/services/store/SqliteStore.ts"
import { Node } from "../test/support/Nodes.ts"
import { residentMib } from "./Processes.ts"
import { median, type Options, type Report, report } from "./Report.ts"
import * as Rows from "./Rows.ts"

/** Reads everything from the beginning. Gives the changes per second, and the processor time of each (us). */
const read = (home: string, count: number): Promise<{ readonly rate: number; readonly micros: number }> => {
  const store = SqliteStore.layer({ home }).pipe(Layer.provide(HlcClock.layer), Layer.provide(NodeFileSystem.layer))
  return Effect.runPromise(
    Effect.gen(function* () {
      const { feed } = yield* Store
      const began = performance.now()
      const cpu = process.cpuUsage()
      let seen = 0
      yield* Stream.runForEach(feed({ since: "0", follow: false }), (event) =>
        Effect.sync(() => {
          if (event._tag === "Changed") seen += event.operations.length
        })
      )
      if (seen !== count) throw new Error(`${seen} changes instead of ${count}`)
      const { user, system } = process.cpuUsage(cpu)
      return { rate: (1000 * count) / (performance.now() - began), micros: (user + system) / count }
    }).pipe(Effect.provide(store))
  )
}

/**
 * The same from another process, over server-sent events. Gives the changes per second, and the memory (MiB) that the node takes above
 * what it had, at the most.
 */
const readEvents = async (node: Node, count: number): Promise<{ readonly rate: number; readonly growth: number }> => {
  const before = residentMib(node.pid)
  let most = before
  const began = performance.now()
  await new Promise<void>((resolve, reject) => {
    const socketPath = join(node.home, "feral-sync.sock")
    let [seen, rest] = [0, ""]
    const asked = request({ socketPath, path: "/events?since=0&types=change" }, (response) => {
      response.setEncoding("utf8")
      response.on("data", (text: string) => {
        const lines = (rest + text).split("\n")
        rest = lines.pop() ?? ""
        for (const line of lines) {
          if (line.startsWith("data: ")) seen += (JSON.parse(line.slice(6)).operations ?? []).length
        }
        most = Math.max(most, residentMib(node.pid))
        if (seen >= count) resolve(void asked.destroy())
      })
      response.on("end", () => reject(new Error(`the events ended after ${seen} changes`)))
    })
    asked.on("error", reject)
    asked.end()
  })
  return { rate: (1000 * count) / (performance.now() - began), growth: most - before }
}

export const run = async ({ quick, tell }: Options): Promise<Report> => {
  const count = quick ? 20_000 : 100_000
  const directory = mkdtempSync(join(tmpdir(), "bench-s12-"))
  try {
    const home = join(directory, "home")
    await Rows.fill(home, count, 5)
    const rates: Array<number> = []
    const micros: Array<number> = []
    const events = { rate: [] as Array<number>, growth: [] as Array<number> }
    for (let round = 0; round < (quick ? 3 : 7); round++) {
      const one = await read(home, count)
      rates.push(one.rate)
      micros.push(one.micros)
    }
    const node = new Node(home, {})
    try {
      await node.start()
      for (let round = 0; round < (quick ? 3 : 7); round++) {
        const one = await readEvents(node, count)
        events.rate.push(one.rate)
        events.growth.push(one.growth)
      }
    } finally {
      await node.stop("SIGKILL")
    }
    tell(
      `${count} changes: ${Math.round(median(rates))} a second, ${Math.round(median(events.rate))} over server-sent events`
    )
    return report(
      {
        id: "S12",
        title: "change feed",
        what: `A reader that was away for ${count} changes reads them from its cursor: in the same process, and in another one over server-sent events`,
        quick
      },
      [
        { name: "changes", unit: "per second", values: rates },
        { name: "processor time of each", unit: "us", values: micros },
        { name: "changes, over server-sent events", unit: "per second", values: events.rate },
        { name: "growth of the node while it sends events", unit: "MiB", values: events.growth }
      ],
      [
        { name: "changes per second", value: median(rates), atLeast: 100_000 },
        { name: "changes per second over server-sent events", value: median(events.rate), atLeast: 20_000 }
      ]
    )
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
