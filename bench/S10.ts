/** S10: many writes to few notes: what is kept, and what a new node is sent, goes with the notes. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, Layer } from "effect"
import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { HlcClock } from "../src/services/node/HlcClock.ts"
import { Store } from "../src/services/store/Store.ts"
import { Nodes, until } from "../test/support/Nodes.ts"
import { type Options, type Report, report } from "./Report.ts"
import * as Rows from "./Rows.ts"
import * as SqliteStore from "../src/services/store/SqliteStore.ts"

const notes = 1_000

const bytesIn = (home: string) =>
  readdirSync(home)
    .filter((name) => name.startsWith("sync.db"))
    .reduce((sum, name) => sum + statSync(join(home, name)).size, 0)

/** Writes to the same notes, over and over. */
const overwrite = (home: string, writes: number): Promise<void> => {
  const drafts = Array.from({ length: notes }, (_, n) => Rows.operation(n, 1))
  const write = Effect.gen(function* () {
    const store = yield* Store
    for (let done = 0; done < writes; done += notes) {
      yield* store.append(drafts.map((draft) => ({ ...draft, op_id: draft.op_id })))
    }
  })
  const store = SqliteStore.layer({ home }).pipe(
    Layer.provideMerge(HlcClock.layer),
    Layer.provide(NodeFileSystem.layer)
  )
  return Effect.runPromise(write.pipe(Effect.provide(store)))
}

export const run = async ({ quick, tell }: Options): Promise<Report> => {
  const writes = quick ? 10_000 : 100_000
  const nodes = new Nodes()
  try {
    const [once, often] = [nodes.make(), nodes.make()]
    await overwrite(once.home, notes)
    await overwrite(often.home, writes)
    const sizes = [bytesIn(once.home), bytesIn(often.home)] as const
    const times: Array<number> = []
    for (const node of [once, often]) {
      await node.start()
      const fresh = await nodes.make({ FERAL_SYNC_PEERS: node.address }).start()
      const began = performance.now()
      await until(
        "it has all",
        () => fresh.status(),
        ({ counts }) => counts.notes === notes
      )
      times.push(performance.now() - began)
    }
    tell(`${sizes.map((size) => `${Math.round(size / 1024)} KiB`).join(" and ")}`)
    return report(
      {
        id: "S10",
        title: "overwrite",
        what: `${writes} writes to ${notes} notes, against one write to each: the files, and the time of an empty node until it has all`,
        quick
      },
      [
        { name: "files after one write to each", unit: "KiB", values: [sizes[0] / 1024] },
        { name: "files after all writes", unit: "KiB", values: [sizes[1] / 1024] },
        { name: "first sync after one write to each", unit: "ms", values: [times[0] ?? 0] },
        { name: "first sync after all writes", unit: "ms", values: [times[1] ?? 0] }
      ],
      [
        { name: "files, against one write to each", value: sizes[1] / sizes[0], atMost: 2 },
        { name: "first sync, against one write to each", value: (times[1] ?? 0) / (times[0] ?? 1), atMost: 2 }
      ]
    )
  } finally {
    await nodes.dispose()
  }
}
