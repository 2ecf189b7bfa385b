/** How `import` hands a file to the node: in batches, and lasting before it says that it is done. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Stream } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as ExportFormat from "../../src/core/replica/ExportFormat.ts"
import { toWire } from "../../src/core/replica/Operation.ts"
import * as VectorClock from "../../src/core/replica/VectorClock.ts"
import * as Access from "../../src/cli/Access.ts"
import { run } from "../support/Cli.ts"
import * as Archive from "../../src/services/admin/Archive.ts"
import { HlcClock } from "../../src/services/node/HlcClock.ts"
import { Memory } from "../../src/services/memory/Memory.ts"
import { StandardStreams } from "../../src/services/node/StandardStreams.ts"
import { Store } from "../../src/services/store/Store.ts"
import * as MemoryDisk from "../../src/services/store/MemoryDisk.ts"
import { node, write } from "../support/Network.ts"
import { at } from "../support/Stores.ts"
import * as MemoryLive from "../../src/services/memory/MemoryLive.ts"
import * as MemoryStore from "../../src/services/store/MemoryStore.ts"

const file = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "feral-sync-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
).pipe(Effect.map((directory) => join(directory, "memory.jsonl")))

describe("import", () => {
  it.live.each([0, 1, Archive.batch.lines - 1, Archive.batch.lines, Archive.batch.lines + 1, 2 * Archive.batch.lines])(
    "%i rows are synced to the disk before it reports success",
    (count) =>
      Effect.gen(function* () {
        const path = yield* file
        const rows = Array.from({ length: count }, (_, n) => toWire(write(node("a"), at(n + 1), `r${n}`)))
        writeFileSync(path, [ExportFormat.header(node("a"), 0, VectorClock.empty, count), ...rows, ""].join("\n"))
        const disk = MemoryDisk.make()
        const context = yield* Layer.build(
          MemoryLive.layer.pipe(Layer.provideMerge(MemoryStore.layer({ disk })), Layer.provide(HlcClock.layer))
        )
        const store = Context.get(context, Store)
        const unused = Effect.die(new Error("not a part of this test"))
        const opened: Effect.Success<ReturnType<typeof Access.open>> = {
          home: "/nowhere",
          isRunning: false,
          memory: Context.get(context, Memory),
          archive: Archive.make({ maxClockDriftMs: 1, maxRecvBytes: 8 * 1024 * 1024 }).pipe(
            Effect.provideService(Store, store)
          ),
          verification: { damage: unused, audit: unused, compare: unused },
          purging: { purge: () => unused },
          origins: { list: unused, forget: () => unused },
          status: unused,
          peers: unused
        }
        // What a loss of power would take when the result is printed.
        let atRisk: number | undefined
        yield* run(["import", path, "--json"]).pipe(
          Effect.provideService(Access.Opener, { open: () => Effect.succeed(opened) }),
          Effect.provideService(StandardStreams, {
            output: () => Effect.sync(() => void (atRisk = disk.unsynced.length)),
            error: () => Effect.void,
            input: Stream.empty
          })
        )
        assert.strictEqual(atRisk, 0)
        assert.strictEqual(disk.rows.size, count)
      }).pipe(Effect.scoped)
  )
})
