import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, FileSystem, Layer, Logger, Option, Redacted, Schedule } from "effect"
import { join } from "node:path"
import * as FeralSync from "../src/FeralSync.ts"
import * as Client from "../src/services/admin/api/Client.ts"
import { Discovery } from "../src/services/discovery/Discovery.ts"
import { Memory } from "../src/services/memory/Memory.ts"
import { Peers } from "../src/services/peers/Peers.ts"
import { Store } from "../src/services/store/Store.ts"
import * as MemoryStore from "../src/services/store/MemoryStore.ts"
import * as MemoryTransport from "../src/services/transport/MemoryTransport.ts"
import * as StaticDiscovery from "../src/services/discovery/StaticDiscovery.ts"

const passphrase = Option.some(Redacted.make("a passphrase for tests"))

describe("a node inside a program", () => {
  it.live("answers on the socket in its data directory: status shows it, and writes go through it", () =>
    Effect.gen(function* () {
      const home = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
      const settings = { home, host: "127.0.0.1", port: 0, passphrase }
      const node = yield* Layer.build(FeralSync.layer(settings, { discovery: StaticDiscovery.layerNone }))
      const client = Option.getOrThrow(yield* Client.connect(home))
      const status = yield* client.status
      assert.strictEqual(status.node_id, Context.get(node, Store).nodeId)
      assert.strictEqual(status.port, Context.get(node, Peers).port)
      assert.isNull(status.api_port)
      const { id } = yield* client.memory.notes.put({ content: "from outside" })
      assert.strictEqual((yield* Context.get(node, Memory).notes.list())[0]?.id, id)
    }).pipe(Effect.scoped, Effect.provide([NodeFileSystem.layer, Logger.layer([])]))
  )

  it.live("in memory alone makes no directory and no file, and still meets others", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const root = yield* fs.makeTempDirectoryScoped()
      const node = (host: string, discovery: Layer.Layer<Discovery>) =>
        Layer.build(
          FeralSync.layer(
            { home: join(root, host), passphrase },
            { store: MemoryStore.layer(), discovery, transport: MemoryTransport.layer({ host }) }
          )
        )
      const first = yield* node("first", StaticDiscovery.layerNone)
      const address = { host: "first", port: Context.get(first, Peers).port }
      const second = yield* node("second", StaticDiscovery.layer([address]))
      yield* Context.get(first, Memory).notes.put({ content: "hello" })
      const arrived = Effect.filterOrFail(Context.get(second, Memory).notes.list(), (notes) => notes.length === 1)
      const [note] = yield* Effect.retry(
        arrived,
        Schedule.spaced("20 millis").pipe(Schedule.upTo({ duration: "15 seconds" }))
      )
      assert.strictEqual(note?.content, "hello")
      assert.deepStrictEqual(yield* fs.readDirectory(root), [])
    }).pipe(Effect.scoped, Effect.provide([NodeFileSystem.layer, Logger.layer([])]))
  )

  it.live("without a passphrase and in memory alone, makes one that nothing keeps", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const root = yield* fs.makeTempDirectoryScoped()
      const layers = {
        store: MemoryStore.layer(),
        discovery: StaticDiscovery.layerNone,
        transport: MemoryTransport.layer({ host: "alone" })
      }
      yield* Layer.build(FeralSync.layer({ home: join(root, "home") }, layers))
      assert.deepStrictEqual(yield* fs.readDirectory(root), [])
    }).pipe(Effect.scoped, Effect.provide([NodeFileSystem.layer, Logger.layer([])]))
  )
})
