import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, FileSystem, Layer, Queue, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { request, type ClientRequest } from "node:http"
import type { Socket } from "node:net"
import { join } from "node:path"
import { Api } from "../../../../src/services/admin/api/Api.ts"
import { Limits } from "../../../../src/services/admin/api/Events.ts"
import { Config } from "../../../../src/services/node/Config.ts"
import { HlcClock } from "../../../../src/services/node/HlcClock.ts"
import { type FeedEvent, type FeedOptions, Memory } from "../../../../src/services/memory/Memory.ts"
import * as MemoryLive from "../../../../src/services/memory/MemoryLive.ts"
import { Store } from "../../../../src/services/store/Store.ts"
import * as SqliteStore from "../../../../src/services/store/SqliteStore.ts"
import { draft } from "../../../support/Drafts.ts"
import { surroundings } from "../../../support/Surroundings.ts"
import { ask, freePort, send, start, within } from "../../../support/LocalApi.ts"

interface Seen {
  readonly event: string
  readonly id: string | undefined
  readonly data: { readonly seq: number; readonly operations?: ReadonlyArray<{ readonly row_id: string }> }
}

/** Reads events until `enough` of them have come, then goes away; or until the node does. */
const read = (
  socketPath: string,
  path: string,
  lastId: string | undefined,
  enough: (seen: ReadonlyArray<Seen>) => boolean
) =>
  Effect.callback<ReadonlyArray<Seen>>((resume) => {
    const seen: Array<Seen> = []
    const over = () => resume(Effect.succeed(seen))
    const headers = lastId === undefined ? {} : { "last-event-id": lastId }
    const asked: ClientRequest = request({ socketPath, path, headers }, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part
        const blocks = text.split("\n\n")
        text = blocks.pop() ?? ""
        for (const block of blocks) {
          const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1]
          const event = field("event")
          if (event === undefined) continue
          seen.push({ event, id: field("id"), data: JSON.parse(field("data") ?? "{}") })
        }
        if (enough(seen)) asked.destroy()
      })
      response.on("close", over)
    })
    asked.on("error", over)
    asked.end()
    return Effect.sync(() => asked.destroy())
  })

/** A node with a database. */
const stored = (home: string) =>
  Layer.build(
    Api.layer.pipe(
      Layer.provideMerge(MemoryLive.layer),
      Layer.provideMerge(SqliteStore.layer({ home })),
      Layer.provide(HlcClock.layer),
      Layer.provide(surroundings),
      Layer.provide(Layer.succeed(Config, Config.make({ apiPort: 0, home })))
    )
  )

const rowsOf = (seen: ReadonlyArray<Seen>) =>
  seen.flatMap(({ data }) => (data.operations ?? []).map(({ row_id }) => row_id))

describe("Events", () => {
  it.live("10,000 changes come once each, over cuts of the reader and restarts of the node", () =>
    within((home) =>
      Effect.gen(function* () {
        const socket = join(home, "feral-sync.sock")
        const path = "/events?types=change"
        const upTo = (most: number) => 1 + Math.floor(Math.random() * most)
        const written: Array<string> = []
        const got: Array<string> = []
        let last: string | undefined = "0"
        let cuts = 0
        const take = (seen: ReadonlyArray<Seen>) => {
          cuts += 1
          seen.forEach(({ data }, index) => assert.strictEqual(data.seq, index + 1))
          got.push(...rowsOf(seen))
          last = seen.findLast(({ id }) => id !== undefined)?.id ?? last
        }
        // Sizes of the parts are drawn: neither writer nor reader knows where the other one stops.
        while (got.length < 10_000) {
          const scope = yield* Scope.make()
          const store = Context.get(yield* stored(home).pipe(Scope.provide(scope)), Store)
          const goal = Math.min(10_000, written.length + 1_000 + upTo(2_000))
          const writing = Effect.gen(function* () {
            while (written.length < goal) {
              const rows = Array.from(
                { length: Math.min(upTo(20), goal - written.length) },
                (_, n) => written.length + n
              )
              yield* store.append(rows.map((row) => draft(`row ${row}`)))
              written.push(...rows.map((row) => `row ${row}`))
            }
          })
          const reading = Effect.gen(function* () {
            for (let part = 0; part < 6 && got.length < goal; part++) {
              const most = Math.min(upTo(800), goal - got.length)
              take(yield* read(socket, path, last, (seen) => rowsOf(seen).length >= most))
            }
          })
          yield* Effect.all([writing, reading], { concurrency: "unbounded" })
          // The last reader of this run is cut by the node.
          const cut = yield* Effect.forkChild(read(socket, path, last, () => false))
          yield* Effect.yieldNow
          yield* Scope.close(scope, Exit.void)
          take(yield* Fiber.join(cut))
        }
        assert.deepStrictEqual(got, written)
        assert.isAbove(cuts, 10)
      })
    )
  )

  it.live("only the wanted types come, with the states of the peers, and too old an id is told", () =>
    within((home) =>
      Effect.gen(function* () {
        const socket = join(home, "feral-sync.sock")
        yield* start({ home })
        const [state] = yield* read(socket, "/events?types=peer", undefined, (seen) => seen.length > 0)
        assert.strictEqual(state?.event, "peer")
        assert.strictEqual(state?.data.seq, 1)
        assert.nestedProperty(state, "data.peer.state")
        const foreign = yield* read(socket, "/events?types=change", "of another database", (seen) => seen.length > 0)
        assert.strictEqual(foreign[0]?.event, "reset")
      })
    )
  )

  it.effect(
    "a reader that takes nothing holds no more than the bound, is cut and told, and makes room for another",
    () =>
      within((home) =>
        Effect.gen(function* () {
          const [written, waiting] = [60, 2]
          let read = 0
          const feeds = yield* Queue.unbounded<"over">()
          const counted = Layer.effect(
            Memory,
            Effect.map(Memory, (memory) => {
              const count = (event: FeedEvent) => void (read += event._tag === "Changed" ? event.operations.length : 0)
              const feed = (options?: FeedOptions) =>
                memory.feed(options).pipe(
                  Stream.tap((event) => Effect.sync(() => count(event))),
                  Stream.ensuring(Queue.offer(feeds, "over"))
                )
              return Memory.of({ ...memory, feed })
            })
          ).pipe(Layer.provide(MemoryLive.layer))
          const limits = { readers: 2, waiting, patience: "30 seconds" } as const
          const node = yield* start({ home }, counted).pipe(Effect.provideService(Limits, limits))
          // More than half of what an event may have, so that each is an event of its own.
          const content = "x".repeat(600 * 1024)
          yield* Effect.replicateEffect(Context.get(node, Memory).notes.put({ content }), written)

          const path = join(home, "feral-sync.sock")
          const head = ["GET /events?types=change&since=0 HTTP/1.1", "Host: localhost", "Connection: close", "", ""]
          const silent = send({ path }, head.join("\r\n"))
          const [one, other] = [yield* silent, yield* silent]
          // Time passes until both are cut, and stands still from then on.
          const turn = Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))
          const pass = Effect.andThen(TestClock.adjust("1 second"), turn)
          yield* Effect.repeat(pass, { until: () => Effect.map(Queue.size(feeds), (size) => size === 2) })
          // What waits, what is being written, and what the socket holds, which is less than an event on each side.
          assert.isAtMost(read, 2 * (2 * (waiting + 1) + 2))
          assert.strictEqual((yield* ask({ socketPath: path }, "/events")).status, 503)

          const rest = (socket: Socket) =>
            Effect.callback<string>((resume) => {
              let text = ""
              socket.setEncoding("utf8").on("data", (part: string) => (text += part))
              socket.on("close", () => resume(Effect.succeed(text)))
            })
          // One that comes to itself is told. One that does not is closed a while later, and nothing more comes.
          assert.include(yield* rest(one), 'event: end\ndata: {"reason":"slow","nextStep":"connect again')
          yield* TestClock.adjust("1 minute")
          assert.notInclude(yield* rest(other), "event: end")
          assert.isAtMost(read, 2 * (2 * (waiting + 1) + 2))
        })
      )
  )

  it.live("events need the token on the port, and only so many programs may read them", () =>
    within((home) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const port = yield* freePort
        yield* start({ home, apiPort: port })
        assert.strictEqual((yield* ask({ port }, "/events")).status, 401)
        const authorization = `Bearer ${(yield* fs.readFileString(join(home, "token"))).trim()}`
        const scope = yield* Effect.scope
        const open = Effect.callback<number>((resume) => {
          const asked = request({ host: "127.0.0.1", port, path: "/events", headers: { authorization } }, (response) =>
            resume(Effect.succeed(response.statusCode ?? 0))
          )
          asked.on("error", () => {})
          asked.end()
          Effect.runSync(
            Scope.addFinalizer(
              scope,
              Effect.sync(() => asked.destroy())
            )
          )
        })
        const all = yield* Effect.replicateEffect(open, 33)
        assert.deepStrictEqual([all.filter((status) => status === 200).length, all.at(-1)], [32, 503])
      })
    )
  )
})
