import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Option } from "effect"
import { request } from "node:http"
import * as Client from "../../../src/services/admin/api/Client.ts"
import { Api } from "../../../src/services/admin/api/Api.ts"
import { HlcClock } from "../../../src/services/node/HlcClock.ts"
import { Config } from "../../../src/services/node/Config.ts"
import { InputInvalid } from "../../../src/services/node/NodeFailure.ts"
import { Memory } from "../../../src/services/memory/Memory.ts"
import * as Inputs from "../../../src/services/memory/Inputs.ts"
import { surroundings } from "../../support/Surroundings.ts"
import * as MemoryLive from "../../../src/services/memory/MemoryLive.ts"
import * as MemoryStore from "../../../src/services/store/MemoryStore.ts"
import { type Write, wrong } from "../../support/WrongInputs.ts"

/** Calls the library as a program without types does. */
const write = (memory: Memory["Service"], to: Write, input: unknown): Effect.Effect<unknown, unknown> => {
  const untyped: Record<Write, (input: never) => Effect.Effect<unknown, unknown>> = {
    notes: memory.notes.put,
    facts: memory.facts.set,
    episodes: memory.episodes.record,
    log: memory.executionLog.append
  }
  return untyped[to](input as never)
}

const nothing = Effect.fnUntraced(function* (memory: Memory["Service"]) {
  const lists = yield* Effect.all([
    memory.notes.list(),
    memory.facts.list(),
    memory.episodes.list(),
    memory.executionLog.list()
  ])
  assert.deepStrictEqual(lists, [[], [], [], []])
})

const local = MemoryLive.layer.pipe(Layer.provide(MemoryStore.layer()), Layer.provide(HlcClock.layer))

describe("inputs of the library", () => {
  it.effect.each(wrong)("%s is refused", ([, to, input, fields]) =>
    Effect.gen(function* () {
      const memory = yield* Memory
      const error = yield* Effect.flip(write(memory, to, input))
      assert.instanceOf(error, InputInvalid)
      assert.deepStrictEqual(
        error.problems.map(({ field }) => field),
        fields
      )
      assert.match(error.message, /^nothing was written \(.+\); correct this and write it again$/)
      yield* nothing(memory)
    }).pipe(Effect.provide(local))
  )

  it.effect("an edit to nothing, or to half a surrogate pair, is refused, and leaves the note as it was", () =>
    Effect.gen(function* () {
      const { notes } = yield* Memory
      const { id } = yield* notes.put({ content: "x" })
      for (const content of [" ", "half \ud83d"]) {
        assert.instanceOf(yield* Effect.flip(notes.edit(id, content)), InputInvalid)
      }
      assert.strictEqual((yield* notes.list())[0]?.content, "x")
    }).pipe(Effect.provide(local))
  )

  it.effect.each([{ content: "- a dash" }, { content: "0", tags: [], importance: "low", source: "me" }])(
    "%j is taken",
    (input) => Effect.asVoid(Inputs.decodeNote(input))
  )
})

/** Sends a body to the socket of a node. */
const post = (socketPath: string, to: Write, body: string) =>
  Effect.callback<{ readonly status: number | undefined; readonly body: string }, Error>((resume) => {
    const sent = request(
      {
        socketPath,
        host: "localhost",
        path: `/${to}/`,
        method: "POST",
        headers: { "content-type": "application/json" }
      },
      (response) => {
        let body = ""
        response.setEncoding("utf8").on("data", (text: string) => (body += text))
        response.on("end", () => resume(Effect.succeed({ status: response.statusCode, body })))
      }
    )
    sent.on("error", (error) => resume(Effect.fail(error))).end(body)
  })

/** A node that is nothing but a memory and its interface. */
const node = (home: string) =>
  Api.layer.pipe(
    Layer.provideMerge(MemoryLive.layer),
    Layer.provide(MemoryStore.layer()),
    Layer.provide(HlcClock.layer),
    Layer.provide(surroundings),
    Layer.provide(Layer.succeed(Config, Config.make({ apiPort: 0, home })))
  )

describe("inputs of the local interface", () => {
  it.live("each is refused as in the library, over HTTP and through the client", () =>
    Effect.gen(function* () {
      const home = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
      yield* Layer.build(node(home))
      const { memory } = Option.getOrThrow(yield* Client.connect(home))
      for (const [, to, input, fields] of wrong) {
        const { status, body } = yield* post(`${home}/feral-sync.sock`, to, JSON.stringify(input))
        assert.strictEqual(status, 400, body)
        const answer = JSON.parse(body)
        assert.strictEqual(answer._tag, "InputInvalid")
        assert.deepStrictEqual(
          answer.problems.map(({ field }: { readonly field: string }) => field),
          fields
        )
        const error = yield* Effect.flip(write(memory, to, input))
        assert.instanceOf(error, InputInvalid)
        assert.deepStrictEqual(error.problems, answer.problems)
      }
      yield* nothing(memory)
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))
  )
})
