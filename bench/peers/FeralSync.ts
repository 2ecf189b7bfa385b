/**
 * feral-sync: whole nodes, over TLS with the passphrase proof, and SQLite on disk.
 */
import { Context, Effect, Exit, Layer, Logger, Option, Queue, Redacted, Scope, Stream } from "effect"
import { Discovery, FeralSync, NodeId, Operation, Peers, type Sighting, Store, VectorClock } from "../../src/index.ts"
import { canonical } from "../../src/core/replica/Json.ts"
import type { About, Note, Replica } from "./Peer.ts"

export const about: About = {
  name: "feral-sync",
  packages: [],
  storage: "SQLite (node:sqlite)",
  tls: true,
  inSync: "its status says that the peer is live, and all rows are committed"
}

const notes = Operation.Kind.make("notes")

const draft = ({ id, content, tags, importance }: Note) => ({
  op_id: Operation.OpId.make(crypto.randomUUID()),
  table: notes,
  op_type: "insert" as const,
  row_id: Operation.RowId.make(id),
  data: Option.getOrThrow(canonical({ id, content, tags: JSON.stringify(tags), importance }, 4))
})

/** Before every note of the benchmark. */
const longAgo = 1_600_000_000_000

export const open = async (directory: string): Promise<Replica> => {
  const sightings = await Effect.runPromise(Queue.bounded<Sighting>(1))
  const settings = {
    home: directory,
    host: "127.0.0.1",
    port: 0,
    passphrase: Option.some(Redacted.make("correct horse battery staple"))
  }
  // The node runs before it knows of the other one, as the other projects do.
  const discovery = Discovery.layerTest(Stream.fromQueue(sightings))
  const scope = await Effect.runPromise(Scope.make())
  const node = await Effect.runPromise(
    Layer.buildWithScope(Layer.provideMerge(FeralSync.layer(settings, { discovery }), Logger.layer([])), scope)
  )
  const store = Context.get(node, Store)
  const peers = Context.get(node, Peers)

  const counted = async () => (await Effect.runPromise(store.counts)).notes

  return {
    write: async (batch) => {
      await Effect.runPromise(store.append(batch.map(draft)))
    },
    adopt: async (note) => {
      const origin = NodeId.NodeId.make(`third-${note.id}`)
      const timestamp = { wall: longAgo, counter: 0 }
      const operation = { ...draft(note), hlc: { ...timestamp, node: origin }, timestamp: longAgo / 1000 }
      const coverage = VectorClock.fromEntries([[origin, timestamp]])
      await Effect.runPromise(store.apply({ operations: [operation], coverage, quarantined: [] }))
    },
    listen: async () => peers.port,
    sync: async (port, count) => {
      await Effect.runPromise(Queue.offer(sightings, { _tag: "Listed", address: { host: "127.0.0.1", port } }))
      const isLive = async () =>
        (await Effect.runPromise(peers.status)).some(({ state, lag_ops }) => state === "live" && lag_ops === 0)
      while ((await counted()) < count || !(await isLive())) await new Promise((resolve) => setTimeout(resolve, 1))
    },
    count: counted,
    onNote: (seen) => {
      Effect.runFork(
        store.changes.pipe(
          Stream.runForEach(({ operations }) => Effect.sync(() => operations.forEach(({ row_id }) => seen(row_id)))),
          Effect.forkIn(scope)
        )
      )
    },
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
