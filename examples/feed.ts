/**
 * An index that follows the memory by its feed, with a restart in the middle: it goes on from the cursor that it saved, and misses
 * nothing.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Option, Redacted, Stream } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Discovery, type FeedEvent, FeralSync, Memory } from "feral-sync"

/** What the index keeps: save both in one transaction, where it is a database. */
interface Index {
  readonly cursor: string
  readonly contents: ReadonlyMap<string, string>
}

const take = (index: Index, event: FeedEvent): Index => {
  // What was derived so far does not hold any more: everything follows anew.
  if (event._tag === "Reset") return { cursor: event.cursor, contents: new Map() }
  const contents = new Map(index.contents)
  for (const { row_id, op_type, data } of event.operations) {
    if (op_type === "delete") contents.delete(row_id)
    else contents.set(row_id, JSON.parse(data).content)
  }
  return { cursor: event.cursor, contents }
}

/** Brings the index up to date. A program that goes on running leaves `follow` out. */
const caughtUp = Effect.fn("caughtUp")(function* (index: Index) {
  const memory = yield* Memory
  const feed = memory.feed({ since: index.cursor, kinds: ["notes"], follow: false })
  return yield* feed.pipe(Stream.runFold((): Index => index, take))
})

export const program = Effect.gen(function* () {
  const home = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "feral-sync-feed-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  /** Each use starts the node, and stops it at the end. */
  const node = FeralSync.layer(
    { home, host: "127.0.0.1", port: 0, passphrase: Option.some(Redacted.make("an example passphrase")) },
    { discovery: Discovery.layerNone }
  )
  const first = yield* Effect.gen(function* () {
    const { notes } = yield* Memory
    yield* notes.put({ content: "tea" })
    return yield* caughtUp({ cursor: "0", contents: new Map() })
  }).pipe(Effect.provide(node))

  // The index is away while this is written.
  yield* Effect.flatMap(Memory, ({ notes }) => notes.put({ content: "milk" })).pipe(Effect.provide(node))

  const second = yield* caughtUp(first).pipe(Effect.provide(node))
  const contents = [...second.contents.values()].sort()
  yield* Effect.log("followed", { contents })
  return contents
}).pipe(Effect.scoped)

if (process.argv[1] === import.meta.filename) NodeRuntime.runMain(program)
