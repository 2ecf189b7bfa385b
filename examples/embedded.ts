/**
 * Another Effect program that keeps its memory in feral-sync.
 *
 * It runs two nodes in one process. Neither uses mDNS: the second one swaps Discovery for a fixed list with the first one's
 * address. A note that is written at one is followed as a change at the other.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Context, Effect, Fiber, Layer, Option, Redacted, Stream } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Discovery, FeralSync, Memory, Peers } from "feral-sync"

const program = Effect.gen(function* () {
  const root = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "feral-sync-example-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const settings = { host: "127.0.0.1", port: 0, passphrase: Option.some(Redacted.make("an example passphrase")) }

  const first = yield* Layer.build(
    FeralSync.layer({ ...settings, home: join(root, "first") }, { discovery: Discovery.layerNone })
  )
  const address = { host: "127.0.0.1", port: Context.get(first, Peers).port }
  const second = yield* Layer.build(
    FeralSync.layer({ ...settings, home: join(root, "second") }, { discovery: Discovery.layerStatic([address]) })
  )

  // Follow the changes of the second node before anything is written at the first.
  const followed = yield* Context.get(second, Memory).changes.pipe(
    Stream.flatMap(({ operations }) => Stream.fromIterable(operations)),
    Stream.take(1),
    Stream.runCollect,
    Effect.forkScoped({ startImmediately: true })
  )
  const written = yield* Context.get(first, Memory).notes.put({
    content: "hello from the first node",
    tags: ["example"]
  })
  const [change] = yield* Fiber.join(followed).pipe(Effect.timeout("20 seconds"))
  const notes = yield* Context.get(second, Memory).notes.list()

  yield* Effect.log("replicated", {
    written: written.id,
    followed: change?.row_id,
    notes: notes.map((note) => note.content)
  })
  if (change?.row_id !== written.id) return yield* Effect.die("the change is not the note that was written")
}).pipe(Effect.scoped)

NodeRuntime.runMain(program)
