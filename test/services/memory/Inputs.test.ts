import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Option } from "effect"
import { request } from "node:http"
import * as Client from "../../../src/services/admin/api/Client.ts"
import { Api } from "../../../src/services/admin/api/Api.ts"
import { HlcClock } from "../../../src/services/node/HlcClock.ts"
import { Config } from "../../../src/services/node/Config.ts"
import { InputInvalid, QueryInvalid, RowNotFound } from "../../../src/services/node/NodeFailure.ts"
import { Memory } from "../../../src/services/memory/Memory.ts"
import * as Inputs from "../../../src/services/memory/Inputs.ts"
import { surroundings } from "../../support/Surroundings.ts"
import * as MemoryLive from "../../../src/services/memory/MemoryLive.ts"
import * as MemoryStore from "../../../src/services/store/MemoryStore.ts"
import { notJson, notNames, type Write, wrong } from "../../support/WrongInputs.ts"

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

/** Whatever is given for a name fails as an input or a question, and is no defect. */
const refusesNames = Effect.fnUntraced(function* (memory: Memory["Service"]) {
  const { id } = yield* memory.notes.put({ content: "x" })
  for (const given of notNames) {
    const name = given as never
    const writes: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
      memory.notes.edit(name, "y"),
      memory.notes.delete(name),
      memory.facts.delete(name),
      memory.restoreVersion("notes", name, 1),
      memory.restoreVersion(name, id, 1),
      memory.eraseHistory("notes", name),
      memory.eraseHistory(name, id)
    ]
    for (const write of writes) assert.instanceOf(yield* Effect.flip(write), InputInvalid)
    const questions: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
      memory.get("notes", name),
      memory.get(name, id),
      memory.history("notes", name),
      memory.history(name, id)
    ]
    for (const question of questions) assert.instanceOf(yield* Effect.flip(question), QueryInvalid)
  }
  for (const version of ["x", null, undefined, 1.5, -1, NaN]) {
    assert.instanceOf(yield* Effect.flip(memory.restoreVersion("notes", id, version as never)), InputInvalid)
  }
  assert.instanceOf(yield* Effect.flip(memory.history("notes", "nope")), RowNotFound)
  assert.instanceOf(yield* Effect.flip(memory.history("no kind at all", id)), RowNotFound)
  assert.deepStrictEqual(yield* memory.history("notes", id), [])
  yield* memory.notes.delete(id)
  yield* memory.eraseHistory("notes", id)
  assert.deepStrictEqual(yield* memory.history("notes", id), [])
  assert.deepStrictEqual(yield* memory.notes.list(), [])
})

/** What JSON has no form for is named, and not written as something else. */
const refusesWhatIsNotJson = Effect.fnUntraced(function* (memory: Memory["Service"]) {
  const execution = { session_id: "s", skill_id: "k", endpoint_id: "e", result_status: "ok" }
  for (const [, args, says] of notJson) {
    const error = yield* Effect.flip(write(memory, "log", { ...execution, args }))
    assert.instanceOf(error, InputInvalid)
    assert.match(error.message, says)
  }
  yield* nothing(memory)
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

  it.effect("names that cannot be any are refused", () =>
    Effect.flatMap(Memory, refusesNames).pipe(Effect.provide(local))
  )

  it.effect("arguments that JSON has no form for are refused", () =>
    Effect.flatMap(Memory, refusesWhatIsNotJson).pipe(Effect.provide(local))
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
      yield* refusesWhatIsNotJson(memory)
      yield* refusesNames(memory)
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))
  )
})
