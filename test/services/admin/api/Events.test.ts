import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, FileSystem, Layer, Scope } from "effect"
import { request, type ClientRequest } from "node:http"
import { join } from "node:path"
import { Api } from "../../../../src/services/admin/api/Api.ts"
import { Config } from "../../../../src/services/node/Config.ts"
import { HlcClock } from "../../../../src/services/node/HlcClock.ts"
import { Memory } from "../../../../src/services/memory/Memory.ts"
import * as MemoryLive from "../../../../src/services/memory/MemoryLive.ts"
import * as SqliteStore from "../../../../src/services/store/SqliteStore.ts"
import { surroundings } from "../../../support/Surroundings.ts"
import { ask, freePort, start, within } from "../../../support/LocalApi.ts"

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
      response.on("close", () => resume(Effect.succeed(seen)))
    })
    asked.on("error", () => resume(Effect.succeed(seen)))
    asked.end()
    return Effect.sync(() => asked.destroy())
  }).pipe(Effect.timeout("20 seconds"))

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
  it.live(
    "10,000 changes come once each, over cuts of the reader and restarts of the node",
    () =>
      within((home) =>
        Effect.gen(function* () {
          const socket = join(home, "feral-sync.sock")
          const written: Array<string> = []
          const got: Array<string> = []
          let last: string | undefined = "0"
          let cuts = 0
          // Sizes of the parts are drawn: neither writer nor reader knows where the other one stops.
          for (let run = 0; written.length < 10_000 || got.length < written.length; run++) {
            const scope = yield* Scope.make()
            const memory = Context.get(yield* stored(home).pipe(Scope.provide(scope)), Memory)
            const share = Math.min(10_000 - written.length, 1_500 + Math.floor(Math.random() * 1_500))
            const writing = Effect.forEach(
              Array.from({ length: share }),
              () => Effect.map(memory.notes.put({ content: "x" }), ({ id }) => written.push(id)),
              { discard: true }
            )
            const reading = Effect.gen(function* () {
              for (let part = 0; part < 6; part++) {
                const most = 1 + Math.floor(Math.random() * 800)
                const seen: ReadonlyArray<Seen> = yield* read(
                  socket,
                  "/events?types=change",
                  last,
                  (seen) => rowsOf(seen).length >= most || got.length + rowsOf(seen).length === 10_000
                ).pipe(Effect.timeoutOrElse({ duration: "300 millis", orElse: () => Effect.succeed([]) }))
                cuts += 1
                seen.forEach(({ data }, index) => assert.strictEqual(data.seq, index + 1))
                got.push(...rowsOf(seen))
                last = seen.findLast(({ id }) => id !== undefined)?.id ?? last
              }
            })
            yield* Effect.all([writing, reading], { concurrency: "unbounded" })
            yield* Scope.close(scope, Exit.void)
            assert.isBelow(run, 60)
          }
          assert.strictEqual(got.length, 10_000)
          assert.deepStrictEqual(got, written)
          assert.isAbove(cuts, 10)
        })
      ),
    60_000
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
