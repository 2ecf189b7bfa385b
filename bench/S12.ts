/** S12: a reader of the change feed that was away. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, Layer, Stream } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { HlcClock } from "../src/services/node/HlcClock.ts"
import { Store } from "../src/services/store/Store.ts"
import * as SqliteStore from "../src/services/store/SqliteStore.ts"
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

export const run = async ({ quick, tell }: Options): Promise<Report> => {
  const count = quick ? 20_000 : 100_000
  const directory = mkdtempSync(join(tmpdir(), "bench-s12-"))
  try {
    const home = join(directory, "home")
    await Rows.fill(home, count, 5)
    const rates: Array<number> = []
    const micros: Array<number> = []
    for (let round = 0; round < (quick ? 3 : 7); round++) {
      const one = await read(home, count)
      rates.push(one.rate)
      micros.push(one.micros)
    }
    tell(`${count} changes: ${Math.round(median(rates))} a second`)
    return report(
      {
        id: "S12",
        title: "change feed",
        what: `A reader in the same process that was away for ${count} changes reads them from its cursor`,
        quick
      },
      [
        { name: "changes", unit: "per second", values: rates },
        { name: "processor time of each", unit: "us", values: micros }
      ],
      [{ name: "changes per second", value: median(rates), atLeast: 100_000 }]
    )
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
