/**
 * A node for S3, with its application in the same process. Told `write`, it writes a note that holds the time; of every note
 * of others it tells how long that took. Times are of the clock that all processes of a machine share.
 *
 *   node bench/nodes/LiveNode.ts HOME PEERS
 */
import { Context, Effect, Layer, Logger, Option, Redacted, Stream } from "effect"
import { FeralSync, Memory, Peers, Store } from "../../src/index.ts"
import { parseAddresses } from "./Addresses.ts"

const [home = "", peers = ""] = process.argv.slice(2)
const now = () => Number(process.hrtime.bigint()) / 1e6

const settings = {
  home,
  host: "127.0.0.1",
  port: 0,
  mdns: false,
  peers: parseAddresses(peers),
  passphrase: Option.some(Redacted.make("correct horse battery staple"))
}

const program = Effect.gen(function* () {
  const node = yield* Layer.build(Layer.provideMerge(FeralSync.layer(settings), Logger.layer([])))
  const memory = Context.get(node, Memory)
  const store = Context.get(node, Store)
  const { port, status } = Context.get(node, Peers)
  yield* store.changes.pipe(
    Stream.runForEach(({ operations }) =>
      Effect.sync(() => {
        const at = now()
        for (const { hlc, data } of operations) {
          if (hlc.node === store.nodeId) continue
          const written = /"content":"at ([\d.]+)/.exec(data)?.[1]
          if (written !== undefined) process.send?.({ took: at - Number(written) })
        }
      })
    ),
    Effect.forkScoped({ startImmediately: true })
  )
  process.on("message", (message) => {
    if (message === "write") {
      void Effect.runPromise(memory.notes.put({ content: `at ${now()} ${"x".repeat(250)}` }))
    }
    if (message === "live") {
      const live = Effect.map(status, (all) => all.filter(({ state }) => state === "live").length)
      void Effect.runPromise(live).then((count) => process.send?.({ live: count }))
    }
  })
  process.send?.({ port })
  return yield* Effect.never
}).pipe(Effect.scoped)

process.on("disconnect", () => process.exit(0))
await Effect.runPromise(program)
