import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, FileSystem, Layer, Option, Queue, Schema, Scope, Stream } from "effect"
import { renameSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import * as VectorClock from "../../../../src/core/replica/VectorClock.ts"
import { Api } from "../../../../src/services/admin/api/Api.ts"
import * as Client from "../../../../src/services/admin/api/Client.ts"
import { Failure } from "../../../../src/services/admin/api/Failures.ts"
import {
  OperationTooLarge,
  PurgeRefused,
  RowNotFound,
  StoreUnavailable
} from "../../../../src/services/node/NodeFailure.ts"
import { type FeedEvent, type FeedOptions, Memory } from "../../../../src/services/memory/Memory.ts"
import { NodeStatus } from "../../../../src/services/node/Status.ts"
import { Store } from "../../../../src/services/store/Store.ts"
import { version } from "../../../../src/services/node/Version.ts"
import { node, write } from "../../../support/Network.ts"
import { type Asked, connected, freePort, ask, send, start, within } from "../../../support/LocalApi.ts"
import { peer } from "../../../support/Surroundings.ts"
import * as MemoryLive from "../../../../src/services/memory/MemoryLive.ts"

describe("Api", () => {
  it.live("the memory of a node is the same from outside", () =>
    within((home) =>
      Effect.gen(function* () {
        const node = yield* start({ home })
        const local = Context.get(node, Memory)
        const { memory } = yield* connected(home)

        const note = yield* memory.notes.put({ content: "first\nzweite ü 🙂", tags: ["a", "b"], importance: "high" })
        const edited = yield* memory.notes.edit(note.id, "changed")
        assert.strictEqual(edited.id, note.id)
        const gone = yield* memory.notes.put({ content: "gone" })
        yield* memory.notes.delete(gone.id)
        const statement = { subject: "sky", predicate: "is", object: "blue" }
        const set = yield* memory.facts.set(statement)
        assert.strictEqual((yield* memory.facts.set({ ...statement, object: "grey", confidence: 0.5 })).id, set.id)
        const added = yield* memory.facts.add(statement)
        yield* memory.facts.delete(added.id)
        yield* memory.episodes.record({ session_id: "s", event_type: "t", summary: "u", detail: "d" })
        yield* memory.executionLog.append({
          session_id: "s",
          skill_id: "k",
          endpoint_id: "e",
          result_status: "ok",
          args: { a: 1 },
          latency_ms: 1.5
        })

        assert.deepStrictEqual(yield* memory.notes.list(), yield* local.notes.list())
        assert.deepStrictEqual(yield* memory.facts.list(), yield* local.facts.list())
        assert.deepStrictEqual(yield* memory.episodes.list(), yield* local.episodes.list())
        assert.deepStrictEqual(yield* memory.executionLog.list(), yield* local.executionLog.list())
        const [row] = yield* memory.notes.list()
        assert.deepInclude(row, { id: note.id, content: "changed", tags: ["a", "b"], importance: "high" })
        assert.strictEqual((yield* memory.facts.list())[0]?.object, "grey")
      })
    )
  )

  it.live("rows of an unknown kind are purged through a running node, which says why it does not", () =>
    within((home) =>
      Effect.gen(function* () {
        const store = Context.get(yield* start({ home }), Store)
        const { purging, status } = yield* connected(home)
        const rows = [1, 2].map((wall) => write(node("rogue"), { wall, counter: 0 }, `r${wall}`, "junk"))
        yield* store.apply({ operations: rows, coverage: VectorClock.empty, quarantined: [] })
        const counted = yield* purging.purge({ kind: "junk", is_dry_run: true })
        assert.deepStrictEqual(counted.origins, [{ origin: "rogue", rows: 2, bytes: counted.bytes }])
        assert.strictEqual((yield* status).opaque?.bytes, counted.bytes)
        assert.deepStrictEqual(yield* purging.purge({ kind: "junk" }), counted)
        const { opaque } = yield* status
        assert.strictEqual(opaque?.bytes, 0)
        assert.deepStrictEqual(opaque?.purged, [{ kind: "junk", origin: "rogue", rows: 2, bytes: counted.bytes }])
        for (const [request, reason] of [
          [{ kind: "notes" }, "known kind"],
          [{ kind: "a\nb" }, "invalid"],
          [{ origin: store.nodeId }, "own rows"],
          [{}, "scope"],
          [{ kind: "junk", origin: "rogue" }, "scope"]
        ] as const) {
          const failure = yield* Effect.flip(purging.purge(request))
          assert.instanceOf(failure, PurgeRefused)
          assert.strictEqual(failure._tag === "PurgeRefused" && failure.reason, reason)
          assert.match(failure.message, /^nothing was removed.*; /)
        }
      })
    )
  )

  it.live("status and peers are what the contract says, and nothing more", () =>
    within((home) =>
      Effect.gen(function* () {
        const node = yield* start({ home, legacy: "off" })
        const store = Context.get(node, Store)
        const { memory, status, peers } = yield* connected(home)
        const { hlc } = yield* memory.notes.put({ content: "one" })
        const { uptime_seconds, digest, commands, ...rest } = yield* status
        assert.isAtLeast(uptime_seconds, 0)
        assert.match(commands?.open ?? "", /feral-sync open --home /)
        assert.match(digest, /^[0-9a-f]{16}$/)
        assert.deepStrictEqual(rest, {
          summary: "Not in sync with the only other node. other: gone.",
          troubles: [{ _tag: "PeerUnreachable", text: "other: gone", node: "other" }],
          node_id: store.nodeId,
          version,
          port: 4242,
          api_port: null,
          tls: "auto",
          tls_expires_at: Date.UTC(2030, 0, 1) / 1000,
          legacy: "off",
          vector_clock: { [store.nodeId]: hlc },
          counts: { notes: 1, knowledge: 0, episodes: 0, execution_log: 0, tombstones: 0, quarantine: 0 },
          opaque: {
            bytes: 0,
            limit_bytes: null,
            limit_bytes_per_origin: null,
            origins: [],
            held_back: [],
            purged: []
          },
          peer_limits: { bytes_per_second: 1024 * 1024, burst_bytes: 1024 * 1024 * 1024 },
          discovery: { mdns: "unavailable", static: "active" },
          peers: [peer]
        })
        assert.deepStrictEqual(yield* peers, [peer])
        const raw = yield* ask({ socketPath: join(home, "feral-sync.sock") }, "/status")
        const parsed: unknown = JSON.parse(raw.body)
        assert.deepStrictEqual(
          Schema.decodeUnknownSync(NodeStatus, { onExcessProperty: "error" })(parsed).digest,
          digest
        )
      })
    )
  )

  it.live("failures keep their tag and their words, with a status of their own", () =>
    within((home) =>
      Effect.gen(function* () {
        const socketPath = join(home, "feral-sync.sock")
        yield* start({ home })
        const { memory } = yield* connected(home)
        const missing = yield* Effect.flip(memory.notes.delete("no/such id?&.."))
        assert.deepStrictEqual(missing, new RowNotFound({ kind: "notes", id: "no/such id?&.." }))
        const large = yield* Effect.flip(memory.notes.put({ content: "x".repeat(9 * 1024 * 1024) }))
        assert.instanceOf(large, OperationTooLarge)
        assert.strictEqual((yield* ask({ socketPath }, "/notes?id=x", { method: "DELETE" })).status, 404)
        assert.strictEqual((yield* ask({ socketPath }, "/nothing")).status, 404)
        const headers = { "content-type": "application/json" }
        // There is no such collection, and nothing deletes an episode.
        const toNothing = yield* ask({ socketPath }, "/nothing", { method: "POST", headers, body: "{}" })
        assert.strictEqual(toNothing.status, 404)
        assert.strictEqual((yield* ask({ socketPath }, "/episodes?id=x", { method: "DELETE" })).status, 405)
        assert.strictEqual((yield* ask({ socketPath }, "/notes", { method: "POST", headers, body: "{}" })).status, 400)
        assert.strictEqual((yield* ask({ socketPath }, "/notes?limit=1001")).status, 400)
        assert.strictEqual((yield* ask({ socketPath }, "/notes?limit=0")).status, 400)
      })
    )
  )

  it.live("every failure is JSON with its tag, its words and a next step, and the document says so", () =>
    within((home) =>
      Effect.gen(function* () {
        const socketPath = join(home, "feral-sync.sock")
        yield* start({ home })
        const document = parsed((yield* ask({ socketPath }, "/openapi.json")).body, Document)
        const words = ["_tag", "message", "problem", "nextStep"]
        const tags = (schema: typeof Reference.Type): ReadonlyArray<string> =>
          (schema.anyOf ?? [schema]).map(({ $ref = "" }) => $ref.slice("#/components/schemas/".length))
        for (const [path, item] of Object.entries(document.paths)) {
          for (const [method, { responses }] of Object.entries(item)) {
            assert.property(responses, "default", `${method} ${path}`)
            for (const [status, { content }] of Object.entries(responses)) {
              if (status.startsWith("2")) continue
              for (const tag of tags(content?.["application/json"]?.schema ?? {})) {
                assert.includeMembers(
                  [...(document.components.schemas[tag]?.required ?? [])],
                  words,
                  `${method} ${path} ${tag}`
                )
              }
            }
          }
        }
        const json = (body: unknown) => ({
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body)
        })
        const version = { kind: "notes", id: "x", version: 1 }
        const requests = [
          ["/nothing", {}, 404, "NotFound"],
          ["/notes/deeper/than/there/is", {}, 404, "NotFound"],
          ["/notes?limit=0", {}, 400, "RequestInvalid"],
          ["/notes?cursor=strange", {}, 400, "QueryInvalid"],
          ["/peers?cursor=strange", {}, 400, "QueryInvalid"],
          ["/notes?id=x", { method: "DELETE" }, 404, "RowNotFound"],
          ["/notes", json({}), 400, "InputInvalid"],
          [
            "/notes",
            { method: "POST", headers: { "content-type": "application/json" }, body: "{" },
            400,
            "RequestInvalid"
          ],
          ["/notes", json({ content: "x".repeat(9 * 1024 * 1024) }), 413, "OperationTooLarge"],
          ["/recent", json({ kinds: ["strange"] }), 400, "QueryInvalid"],
          ["/history/restore", json(version), 404, "VersionNotFound"],
          ["/purge", json({ kind: "notes" }), 400, "PurgeRefused"],
          ["/origins/forget", json({ origins: ["strange"] }), 400, "OriginsKept"],
          ["/peers/strange", {}, 404, "PeerNotFound"],
          ["/peers/strange/pause", { method: "POST" }, 404, "PeerNotFound"],
          ["/session", json({ code: "strange" }), 401, "CodeRefused"]
        ] as const
        for (const [path, options, status, tag] of requests) {
          const answer = yield* ask({ socketPath }, path, options)
          const failure = parsed(answer.body, Failure)
          assert.deepStrictEqual<ReadonlyArray<unknown>>([path, answer.status, failure._tag], [path, status, tag])
          assert.strictEqual(failure.message, `${failure.problem}; ${failure.nextStep}`)
        }
        const { memory } = yield* connected(home)
        const { hlc } = yield* memory.notes.put({ content: "x" })
        const late = yield* ask({ socketPath }, "/wait", json({ hlc, nodes: 1, timeout: 0 }))
        assert.include(parsed(late.body, Failure).message, "the write is saved on this node")
        assert.strictEqual(late.status, 504)
      })
    )
  )

  it.live("every list comes in parts, with a cursor for the next one, and each row once", () =>
    within((home) =>
      Effect.gen(function* () {
        const socketPath = join(home, "feral-sync.sock")
        const running = yield* start({ home })
        const { notes, facts } = Context.get(running, Memory)
        const origins = ["a", "b", "c", "d", "e"]
        const operations = origins.map((name, wall) => write(node(name), { wall, counter: 1 }, name, "junk"))
        yield* Context.get(running, Store).apply({ operations, coverage: VectorClock.empty, quarantined: [] })
        const ids = (yield* Effect.replicateEffect(notes.put({ content: "one" }), 7)).map(({ id }) => id).sort()
        const [first = ""] = ids
        yield* Effect.replicateEffect(facts.set({ subject: "s", predicate: "p", object: "o" }), 5)
        yield* notes.edit(first, "two")
        const all = Effect.fnUntraced(function* (path: string, body?: object) {
          const found: Array<string> = []
          let cursor: string | undefined = ""
          for (let parts = 0; cursor !== undefined; parts++) {
            assert.isBelow(parts, 10)
            const request = { method: "POST", headers: { "content-type": "application/json" } }
            const answer: Asked = yield* body === undefined
              ? ask({ socketPath }, `${path}limit=3&cursor=${cursor}`)
              : ask({ socketPath }, path, {
                  ...request,
                  body: JSON.stringify({ ...body, limit: 3, ...(cursor === "" ? {} : { cursor }) })
                })
            const { rows, next_cursor } = parsed(answer.body, Part)
            assert.isAtMost(rows.length, 3)
            found.push(...rows.map(({ id, node_id, origin }) => String(id ?? node_id ?? origin)))
            cursor = next_cursor
          }
          return found
        })
        assert.deepStrictEqual(yield* all("/notes?"), ids)
        assert.deepStrictEqual([...(yield* all("/recent", { kinds: ["notes"] }))].sort(), ids)
        assert.deepStrictEqual([...(yield* all("/search/page", { query: "one" }))].sort(), ids.slice(1))
        const written = yield* all("/origins?")
        assert.deepStrictEqual(
          written.filter((origin) => origins.includes(origin)),
          origins
        )
        assert.lengthOf(written, 6)
        assert.deepStrictEqual(yield* all("/peers?"), ["other"])
        assert.deepStrictEqual(yield* all(`/history?kind=notes&id=${first}&`), [])
        assert.lengthOf(yield* all("/about", { subject: "s" }), 1)
      })
    )
  )

  it.live("a store that cannot be used is a failure with its reason, and status 503", () =>
    within((home) =>
      Effect.gen(function* () {
        const full = new StoreUnavailable({ reason: "disk full", detail: "no room", cause: new Error("ENOSPC") })
        const broken = Layer.effect(
          Memory,
          Effect.map(Memory, (memory) =>
            Memory.of({ ...memory, notes: { ...memory.notes, put: () => Effect.fail(full) } })
          )
        ).pipe(Layer.provide(MemoryLive.layer))
        yield* start({ home }, broken)
        const { memory } = yield* connected(home)
        const error = yield* Effect.flip(memory.notes.put({ content: "x" }))
        assert.deepInclude(error, { _tag: "StoreUnavailable", reason: "disk full", detail: "no room" })
        assert.strictEqual(error.message, full.message)
        const raw = yield* ask({ socketPath: join(home, "feral-sync.sock") }, "/notes", {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: '{"content":"x"}'
        })
        assert.strictEqual(raw.status, 503)
      })
    )
  )

  it.live("long lists are paged: no answer has more than a thousand rows, and every row comes once", () =>
    within((home) =>
      Effect.gen(function* () {
        const node = yield* start({ home })
        const local = Context.get(node, Memory)
        yield* Effect.forEach(
          Array.from({ length: 2_345 }, (_, index) => index),
          (index) => local.notes.put({ content: `${index}` }),
          { discard: true }
        )
        const { memory } = yield* connected(home)
        const expected = (yield* local.notes.list()).map(({ id }) => id)
        assert.deepStrictEqual(
          (yield* memory.notes.list()).map(({ id }) => id),
          expected
        )
        const some = yield* memory.notes.list({ after: expected[9] ?? "", limit: 600 })
        assert.deepStrictEqual(
          some.map(({ id }) => id),
          expected.slice(10, 610)
        )
        assert.deepStrictEqual(yield* memory.notes.list({ limit: 0 }), [])
        const raw: unknown = JSON.parse((yield* ask({ socketPath: join(home, "feral-sync.sock") }, "/notes")).body)
        assert.strictEqual(Array.isArray(raw) ? raw.length : raw, 1000)
      })
    )
  )

  it.live("changes are followed from outside", () =>
    within((home) =>
      Effect.gen(function* () {
        yield* start({ home })
        const { memory } = yield* connected(home)
        const writer = (yield* connected(home)).memory
        const seen = yield* memory.changes.pipe(Stream.take(1), Stream.runCollect, Effect.forkScoped)
        // The request must have arrived before the write: written again until one is seen.
        const written = yield* writer.notes
          .put({ content: "seen" })
          .pipe(Effect.delay("20 millis"), Effect.repeat({ until: () => seen.pollUnsafe() !== undefined }))
        const [change] = yield* Fiber.join(seen)
        assert.strictEqual(change?.operations[0]?.table, "notes")
        assert.isAtMost(Number(change?.version), Number.MAX_SAFE_INTEGER)
        assert.isString(written.id)
      }).pipe(Effect.timeout("10 seconds"))
    )
  )

  it.live("the feed is read from outside, from a cursor on", () =>
    within((home) =>
      Effect.gen(function* () {
        yield* start({ home })
        const { memory } = yield* connected(home)
        const first = yield* memory.notes.put({ content: "first" })
        yield* memory.facts.set({ subject: "s", predicate: "p", object: "o" })
        const read = (options: FeedOptions) => Stream.runCollect(memory.feed({ ...options, follow: false }))
        const rowsOf = (events: ReadonlyArray<FeedEvent>) =>
          events.flatMap((event): ReadonlyArray<string> =>
            event._tag === "Changed" ? event.operations.map(({ table }) => table) : [event._tag]
          )
        const all = yield* read({ since: "0" })
        assert.deepStrictEqual(rowsOf(all), ["notes", "knowledge"])
        assert.deepStrictEqual(rowsOf(yield* read({ since: "0", kinds: ["notes"] })), ["notes"])
        assert.deepStrictEqual(rowsOf(yield* read({ since: "0", kinds: ["notes", "knowledge"] })), [
          "notes",
          "knowledge"
        ])
        assert.deepStrictEqual(rowsOf(yield* read({ since: "strange" })), ["Reset", "notes", "knowledge"])
        const since = all.at(-1)?.cursor
        const events = yield* Queue.unbounded<FeedEvent>()
        const following = memory.feed({ since }).pipe(Stream.runForEach((event) => Queue.offer(events, event)))
        yield* Effect.forkScoped(following)
        yield* memory.notes.delete(first.id)
        assert.deepStrictEqual(rowsOf([yield* Queue.take(events)]), ["notes"])
      }).pipe(Effect.timeout("10 seconds"))
    )
  )

  it.live("the socket is for its user alone, is gone after the stop, and one that was left is replaced", () =>
    within((home) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const socket = join(home, "feral-sync.sock")
        assert.isTrue(Option.isNone(yield* Client.connect(home)))
        yield* leaveSocket(socket)
        assert.isTrue(Option.isNone(yield* Client.connect(home)))

        const scope = yield* Scope.make()
        const node = yield* start({ home }).pipe(Scope.provide(scope))
        assert.deepStrictEqual(Context.get(node, Api), { port: null, hasSocket: true })
        assert.strictEqual((yield* fs.stat(socket)).mode & 0o777, 0o600)
        assert.isTrue(Option.isSome(yield* Client.connect(home)))
        yield* Scope.close(scope, Exit.void)
        assert.isFalse(yield* fs.exists(socket))
        assert.isTrue(Option.isNone(yield* Client.connect(home)))
      })
    )
  )

  it.live("a socket with a node behind it is left alone", () =>
    within((home) =>
      Effect.gen(function* () {
        yield* start({ home })
        const error = yield* Effect.flip(start({ home }))
        assert.deepInclude(error, { _tag: "StoreUnavailable", reason: "locked" })
        const { status } = yield* connected(home)
        yield* status
      })
    )
  )

  it.live("a data directory with a path too long for a socket works all the same", () =>
    within((directory) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const home = join(directory, "d".repeat(120))
        yield* fs.makeDirectory(home)
        const scope = yield* Scope.make()
        yield* start({ home }).pipe(Scope.provide(scope))
        assert.isTrue(yield* fs.exists(join(home, "feral-sync.sock")))
        const { memory } = yield* connected(home)
        yield* memory.notes.put({ content: "x" })
        yield* Scope.close(scope, Exit.void)
        assert.isFalse(yield* fs.exists(join(home, "feral-sync.sock")))
      })
    )
  )

  it.live("the port tells how the node is, under the names of this machine alone, and nothing of its memory", () =>
    within((home) =>
      Effect.gen(function* () {
        const apiPort = yield* freePort
        const node = yield* start({ home, apiPort })
        assert.deepStrictEqual(Context.get(node, Api), { port: apiPort, hasSocket: true })
        const { status, memory } = yield* connected(home)
        assert.strictEqual((yield* status).api_port, apiPort)
        yield* memory.notes.put({ content: "seen" })

        const port = { port: apiPort }
        for (const host of [`127.0.0.1:${apiPort}`, "localhost", "LocalHost:1", "127.0.0.1"]) {
          const { status, body } = yield* ask(port, "/status", { headers: { host } })
          assert.strictEqual(status, 200, host)
          assert.include(body, '"notes":1')
        }
        const hosts = [
          "evil.example",
          "evil.localhost",
          "localhost.evil.example",
          "127.0.0.1.evil.example:80",
          "localhost:x",
          "[::1]"
        ]
        for (const host of hosts) {
          const { status, body } = yield* ask(port, "/status", { headers: { host } })
          assert.strictEqual(status, 403, host)
          assert.notInclude(body, "node_id")
        }
        for (const path of [
          "/notes",
          "/facts",
          "/episodes",
          "/log",
          "/changes",
          "/feed",
          "/notes/",
          "//notes",
          "/status/../notes"
        ]) {
          const { status, body } = yield* ask(port, path)
          assert.strictEqual(status, 401, path)
          assert.notInclude(body, "seen")
        }
        for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
          const headers = { "content-type": "application/json" }
          const { status } = yield* ask(port, "/notes", { method, headers, body: '{"content":"no"}' })
          assert.strictEqual(status, 401, method)
        }
        const { headers } = yield* ask(port, "/status")
        assert.isUndefined(headers["access-control-allow-origin"])
        assert.strictEqual((yield* memory.notes.list()).length, 1)
      })
    )
  )

  it.live("a port that is taken keeps nothing from running", () =>
    within((home) =>
      Effect.gen(function* () {
        const server = createServer()
        yield* Effect.acquireRelease(
          Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
          () => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
        )
        const address = server.address()
        const apiPort = typeof address === "object" && address !== null ? address.port : 0
        const node = yield* start({ home, apiPort })
        assert.deepStrictEqual(Context.get(node, Api), { port: null, hasSocket: true })
        const { status } = yield* connected(home)
        assert.strictEqual((yield* status).api_port, null)
      })
    )
  )

  it.live("clients that never end their request, or never read the answer, do not keep the node from stopping", () =>
    within((home) =>
      Effect.gen(function* () {
        const apiPort = yield* freePort
        const scope = yield* Scope.make()
        yield* start({ home, apiPort }).pipe(Scope.provide(scope))
        const { memory } = yield* connected(home)
        yield* Effect.replicateEffect(memory.notes.put({ content: "x".repeat(5_000_000) }), 4)
        const path = join(home, "feral-sync.sock")
        const silent = yield* send({ port: apiPort }, "GET /status HTTP/1.1\r\nHost: localhost\r\n")
        const idle = yield* send({ path }, "GET /notes HTTP/1.1\r\nHost: localhost\r\n\r\n")
        yield* Effect.callback<void>((resume) => void idle.once("readable", () => resume(Effect.void)))
        const following = yield* memory.changes.pipe(Stream.runDrain, Effect.forkScoped({ startImmediately: true }))
        yield* Scope.close(scope, Exit.void).pipe(Effect.timeout("3 seconds"))
        yield* Fiber.join(following)
        // The connections are over, not merely left behind: the rest of the answer never comes.
        yield* Effect.callback<void>((resume) => {
          silent.once("close", () => resume(Effect.void))
          silent.resume()
        }).pipe(Effect.timeout("3 seconds"))
        const rest = yield* Effect.callback<number>((resume) => {
          let bytes = 0
          idle.on("data", (chunk: Buffer) => (bytes += chunk.length))
          idle.once("close", () => resume(Effect.succeed(bytes)))
        }).pipe(Effect.timeout("3 seconds"))
        assert.isBelow(rest, 20_000_000)
      })
    )
  )
})

const parsed = <A>(body: string, schema: Schema.Codec<A>): A =>
  Schema.decodeUnknownSync(schema)(JSON.parse(body), { errors: "all" })

const Reference = Schema.Struct({
  $ref: Schema.optionalKey(Schema.String),
  anyOf: Schema.optionalKey(Schema.Array(Schema.Struct({ $ref: Schema.optionalKey(Schema.String) })))
})

/** What is looked at in the OpenAPI document. */
const Document = Schema.Struct({
  paths: Schema.Record(
    Schema.String,
    Schema.Record(
      Schema.String,
      Schema.Struct({
        responses: Schema.Record(
          Schema.String,
          Schema.Struct({
            content: Schema.optionalKey(Schema.Record(Schema.String, Schema.Struct({ schema: Reference })))
          })
        )
      })
    )
  ),
  components: Schema.Struct({
    schemas: Schema.Record(Schema.String, Schema.Struct({ required: Schema.optionalKey(Schema.Array(Schema.String)) }))
  })
})

const Part = Schema.Struct({
  rows: Schema.Array(Schema.Record(Schema.String, Schema.Unknown)),
  next_cursor: Schema.optionalKey(Schema.String)
})

const leaveSocket = (path: string) =>
  Effect.callback<void>((resume) => {
    // A process that is killed leaves its socket behind; a link to one that is closed is the same to whoever dials.
    const server = createServer()
    server.listen(`${path}.tmp`, () => {
      renameSync(`${path}.tmp`, path)
      server.close(() => resume(Effect.void))
    })
  })
