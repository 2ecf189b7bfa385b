/** Kinds of applications on the local interface: in JSON for any program, and as typed collections for one that declares them. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Queue, Schema, Stream } from "effect"
import { join } from "node:path"
import * as Table from "../../../../src/core/replica/Kind.ts"
import * as Kind from "../../../../src/services/memory/Declaration.ts"
import { Memory } from "../../../../src/services/memory/Memory.ts"
import { ask, connected, start, within } from "../../../support/LocalApi.ts"

const Todo = Kind.make("todos", {
  rule: "fields",
  row: Schema.Struct({ title: Schema.String, done: Schema.Boolean, due: Schema.optionalKey(Schema.DateFromString) }),
  search: ["title"]
})
const Page = Kind.make("pages", { rule: "lww", row: Schema.Struct({ text: Schema.String }) })
const Visit = Kind.make("visits", { rule: "log", row: Schema.Struct({ page: Schema.String }) })
const Click = Kind.make("clicks", { rule: "counter" })
const Label = Kind.make("labels", { rule: "set" })
const kinds = [Todo, Page, Visit, Click, Label]

const headers = { "content-type": "application/json" }

/** Requests to the node of a data directory. */
const asking = (home: string) =>
  Effect.fnUntraced(function* (method: string, path: string, input?: unknown) {
    const body = input === undefined ? undefined : JSON.stringify(input)
    const asked = yield* ask({ socketPath: join(home, "feral-sync.sock") }, path, { method, headers, body })
    return { status: asked.status, body: JSON.parse(asked.body === "" ? "null" : asked.body) }
  })

describe("kinds of applications over HTTP", () => {
  it.live("are written by the verbs of their rule, read, found and counted, in JSON", () =>
    within((home) =>
      Effect.gen(function* () {
        const node = yield* start({ home }, undefined, kinds)
        const request = asking(home)
        const put = yield* request("POST", "/kinds/todos/put", { title: "buy tea", done: false })
        assert.strictEqual(put.status, 200)
        const { id } = put.body
        yield* request("POST", "/kinds/todos/put?id=milk", {
          title: "milk",
          done: false,
          due: "2026-01-02T00:00:00.000Z"
        })
        assert.strictEqual((yield* request("POST", `/kinds/todos/patch?id=${id}`, { done: true })).status, 200)
        yield* request("POST", "/kinds/todos/patch?id=milk&unset=due", {})
        const row = yield* request("GET", `/kinds/todos/row?id=${id}`)
        assert.deepInclude(row.body, { id, title: "buy tea", done: true })
        assert.hasAllKeys(row.body, ["id", "title", "done", "updated_at", "origin_node", "hlc"])
        const list = yield* request("GET", "/kinds/todos!fields?limit=1")
        assert.lengthOf(list.body.rows, 1)
        const rest = yield* request("GET", `/kinds/todos?cursor=${list.body.next}`)
        assert.lengthOf(rest.body.rows, 1)
        const found = yield* request("POST", "/kinds/todos/find", { where: { done: true }, words: "TEA" })
        assert.deepStrictEqual(found.body.rows.length, 1)
        assert.deepStrictEqual((yield* request("POST", "/kinds/todos/count", { where: { done: false } })).body, {
          count: 1
        })
        assert.strictEqual((yield* request("POST", "/kinds/todos/delete?id=milk", {})).status, 200)
        assert.deepStrictEqual((yield* request("POST", "/kinds/todos/count", {})).body, { count: 1 })

        yield* request("POST", "/kinds/clicks/increment?id=page", { by: 3 })
        yield* request("POST", "/kinds/clicks/increment?id=page", {})
        assert.deepInclude((yield* request("GET", "/kinds/clicks/row?id=page")).body, { value: 4 })
        yield* request("POST", "/kinds/labels/add?id=page", { member: "red" })
        yield* request("POST", "/kinds/labels/add?id=page", { member: "blue" })
        yield* request("POST", "/kinds/labels/remove?id=page", { member: "red" })
        assert.deepInclude((yield* request("GET", "/kinds/labels/row?id=page")).body, { members: ["blue"] })
        yield* request("POST", "/kinds/visits/put?id=a", { page: "one" })
        yield* request("POST", "/kinds/visits/put?id=a", { page: "two" })
        assert.deepInclude((yield* request("GET", "/kinds/visits/row?id=a")).body, { page: "one" })

        const { kinds: counts, notes } = (yield* request("GET", "/status")).body.counts
        const counted = { "todos!fields": 1, "pages!lww": 0, "visits!log": 1, "clicks!counter": 1, "labels!set": 1 }
        assert.deepStrictEqual([notes, counts], [0, counted])
        const metrics = yield* ask({ socketPath: join(home, "feral-sync.sock") }, "/metrics")
        for (const [kind, count] of Object.entries(counted))
          assert.include(metrics.body, `feral_rows{kind="${kind}"} ${count}\n`)

        const noted = yield* request("POST", "/notes", { content: "a note" })
        yield* request("POST", "/kinds/todos/put?id=last", { title: "last", done: false })
        const newest = yield* request("POST", "/newest", { kinds: ["todos", "notes"], limit: 2 })
        assert.deepStrictEqual(
          newest.body.rows.map((one: { readonly kind: string; readonly id: string }) => [one.kind, one.id]),
          [
            ["todos!fields", "last"],
            ["notes", noted.body.id]
          ]
        )
        const before = yield* request("POST", "/newest", { kinds: ["todos", "notes"], cursor: newest.body.next_cursor })
        assert.deepStrictEqual(
          before.body.rows.map((one: { readonly id: string }) => one.id),
          [id]
        )
        const ordered = yield* request("GET", "/kinds/todos?newest=true&limit=1")
        assert.deepInclude(ordered.body.rows[0], { id: "last", title: "last" })
        assert.strictEqual((yield* request("POST", "/newest", { kinds: ["tasks"] })).status, 404)
        assert.strictEqual((yield* request("POST", "/newest", { tags: ["x"] })).status, 400)
        yield* request("POST", "/kinds/todos/delete?id=last", {})

        // The program that has the kinds reads the same.
        const todos = Context.get(node, Memory).collection(Todo)
        assert.deepInclude(yield* todos.get(id), { title: "buy tea", done: true })
        const all = yield* request("GET", "/kinds")
        assert.includeDeepMembers(all.body, [
          { kind: "todos!fields", name: "todos", rule: "fields", columns: ["title", "done", "due"] }
        ])
      })
    )
  )

  it.live("refuse what does not fit, each with its reason", () =>
    within((home) =>
      Effect.gen(function* () {
        yield* start({ home }, undefined, kinds)
        const request = asking(home)
        yield* request("POST", "/kinds/todos/put?id=a", { title: "tea", done: false })
        const wrong: ReadonlyArray<readonly [path: string, input: unknown, status: number, tag: string]> = [
          ["todos/put", { title: 7, done: false }, 400, "InputInvalid"],
          ["todos/put", { title: "tea" }, 400, "InputInvalid"],
          ["todos/put", { title: "tea", done: false, more: 1 }, 400, "InputInvalid"],
          ["todos/put", "tea", 400, "InputInvalid"],
          ["todos/patch?id=a", { done: "yes" }, 400, "InputInvalid"],
          ["todos/patch?id=a", { hlc: "1" }, 400, "InputInvalid"],
          ["todos/patch", { done: true }, 400, "InputInvalid"],
          ["todos/patch?id=b", { done: true }, 404, "RowNotFound"],
          ["todos/delete?id=b", {}, 404, "RowNotFound"],
          ["todos/increment?id=a", {}, 400, "InputInvalid"],
          ["visits/delete?id=a", {}, 400, "InputInvalid"],
          ["clicks/increment?id=a", { by: 0.5 }, 400, "InputInvalid"],
          ["labels/add?id=a", { member: 7 }, 400, "InputInvalid"],
          ["labels/add?id=a", { member: "x".repeat(300) }, 400, "InputInvalid"],
          ["others/put", { title: "tea" }, 404, "KindUndeclared"],
          ["others!lww/put", { title: "tea" }, 404, "KindUndeclared"],
          [`${"x".repeat(70)}!lww/find`, {}, 404, "KindUndeclared"],
          ["a%0Ab!lww/find", {}, 404, "KindUndeclared"],
          ["todos/find", { where: { more: 1 } }, 400, "QueryInvalid"],
          ["todos/find", { where: { title: ["tea"] } }, 400, "QueryInvalid"],
          ["todos/find", { cursor: "x" }, 400, "QueryInvalid"],
          ["todos/find", { limit: 1_001 }, 400, "QueryInvalid"],
          ["todos/find", { wher: {} }, 400, "QueryInvalid"]
        ]
        for (const [path, input, status, tag] of wrong) {
          const answer = yield* request("POST", `/kinds/${path}`, input)
          assert.deepInclude({ path, ...answer, _tag: answer.body._tag }, { path, status, _tag: tag })
          assert.isString(answer.body.nextStep, path)
        }
        assert.deepInclude((yield* request("GET", "/kinds/todos/row?id=a")).body, { title: "tea", done: false })
        const declarations: ReadonlyArray<readonly [kind: string, columns: ReadonlyArray<string>, tag: string]> = [
          ["notes", ["content"], "KindInvalid"],
          ["to do!lww", ["title"], "KindInvalid"],
          ["pages!none", ["title"], "KindInvalid"],
          ["tasks!lww", ["hlc"], "KindInvalid"],
          ["todos!lww", ["title"], "KindMismatch"]
        ]
        for (const [kind, columns, tag] of declarations) {
          const { body } = yield* request("PUT", `/kinds/${encodeURIComponent(kind)}`, { columns })
          assert.deepInclude({ kind, _tag: body?._tag }, { kind, _tag: tag })
        }
        assert.strictEqual((yield* request("PUT", "/kinds/tasks!lww", { columns: ["title"] })).body, null)
      })
    )
  )

  it.live("are in the reference of the interface with their schemas, by themselves", () =>
    within((home) =>
      Effect.gen(function* () {
        yield* start({ home }, undefined, kinds)
        const { paths } = (yield* asking(home)("GET", "/openapi.json")).body
        const ofKind = (name: string) =>
          Object.keys(paths)
            .filter((path) => path.startsWith(`/kinds/${name}`))
            .map((path) => path.slice(`/kinds/${name}`.length))
            .sort()
        assert.deepStrictEqual(ofKind("todos"), ["", "/count", "/delete", "/find", "/patch", "/put", "/row"])
        assert.deepStrictEqual(ofKind("visits"), ["", "/count", "/find", "/put", "/row"])
        assert.deepStrictEqual(ofKind("clicks"), ["", "/count", "/find", "/increment", "/row"])
        assert.deepStrictEqual(ofKind("labels"), ["", "/add", "/count", "/find", "/remove", "/row"])
        const { schema } = paths["/kinds/todos/put"].post.requestBody.content["application/json"]
        assert.deepStrictEqual(schema.required, ["title", "done"])
        assert.deepInclude(schema.properties.done, { type: "boolean" })
        const row = paths["/kinds/todos/row"].get.responses["200"].content["application/json"].schema
        assert.containsAllKeys(row.properties, ["id", "title", "done", "due", "updated_at", "origin_node", "hlc"])
      })
    )
  )

  it.live("are described as those of this version are: what a row has, and what can be done with it", () =>
    within((home) =>
      Effect.gen(function* () {
        yield* start({ home }, undefined, kinds)
        const request = asking(home)
        yield* request("PUT", "/kinds/books!lww", { columns: ["title"] })
        const views = [...(yield* request("GET", "/schema")).body, ...(yield* request("GET", "/schema/own")).body]
        const view = (kind: string) => views.find((one: { readonly kind: string }) => one.kind === kind)
        assert.deepStrictEqual(
          views.slice(0, Table.all.length).map(({ kind }: { readonly kind: string }) => kind),
          Table.names
        )
        assert.deepStrictEqual(view("knowledge"), {
          kind: "knowledge",
          one: "fact",
          many: "facts",
          rule: "lww",
          path: "/facts",
          is_own: false,
          columns: [
            { name: "subject", type: "text", required: true, filter: "subject" },
            { name: "predicate", type: "text", required: true, filter: "predicate" },
            { name: "object", type: "text", required: true },
            { name: "confidence", type: "number", required: false, default: 1, minimum: 0, maximum: 1 },
            { name: "source", type: "text", required: false, default: "user", means: "source" }
          ],
          text: ["subject", "predicate", "object"],
          is_searched: true,
          can_add: true,
          can_delete: true,
          change: { verb: "set", columns: ["subject", "predicate", "object", "confidence"] },
          has_history: true
        })
        for (const { kind, is_own, text, columns, change, path } of views) {
          const names = columns.map(({ name }: { readonly name: string }) => name)
          assert.includeMembers(names, [...text, ...(change?.columns ?? [])], kind)
          assert.strictEqual((yield* request("GET", path)).status, 200, path)
          assert.strictEqual(is_own, kind.includes("!"))
        }
        assert.deepInclude(view("todos!fields"), {
          one: "todos row",
          path: "/kinds/todos!fields",
          columns: [
            { name: "title", type: "text", required: true },
            { name: "done", type: "boolean", required: true },
            { name: "due", type: "text", required: false }
          ],
          text: ["title"],
          change: { verb: "patch", columns: ["title", "done", "due"] },
          can_delete: true
        })
        assert.deepInclude(view("visits!log"), { can_add: true, can_delete: false })
        assert.notProperty(view("visits!log"), "change")
        // Nobody knows here what fits: the rows are read alone.
        for (const kind of ["books!lww", "clicks!counter", "labels!set"])
          assert.deepInclude(view(kind), { can_add: false, can_delete: false, text: [] })
      })
    )
  )

  it.live("are typed collections of a program that is connected to a node, also to one that did not declare them", () =>
    within((home) =>
      Effect.gen(function* () {
        yield* start({ home })
        const { memory } = yield* connected(home)
        const todos = memory.collection(Todo)
        const due = new Date("2026-01-02")
        const { id } = yield* todos.put({ title: "tea", done: false, due })
        const done = yield* Queue.unbounded<ReadonlyArray<string>>()
        yield* todos.live({ where: { done: true } }).pipe(
          Stream.map((rows) => rows.map(({ title }) => title)),
          Stream.runForEach((titles) => Queue.offer(done, titles)),
          Effect.forkScoped
        )
        assert.deepStrictEqual(yield* Queue.take(done), [])
        const changes = yield* todos.changes({ since: "0" }).pipe(
          Stream.flatMap((event) => Stream.fromIterable(event._tag === "Changed" ? event.rows : [])),
          Stream.take(1),
          Stream.runCollect,
          Effect.forkScoped({ startImmediately: true })
        )
        assert.deepInclude(yield* todos.get(id), { title: "tea", done: false, due })
        assert.deepInclude((yield* Fiber.join(changes))[0]?.row, { title: "tea", due })
        yield* todos.patch(id, { done: true, due: undefined })
        assert.deepStrictEqual(yield* Queue.take(done), ["tea"])
        assert.notProperty(yield* todos.get(id), "due")
        for (let index = 0; index < 5; index++) {
          yield* todos.put(`row ${index}`, {
            title: `milk ${index}`,
            done: false,
            due: new Date(due.getTime() + index)
          })
        }
        const late = yield* todos.query({ where: { due: { from: new Date(due.getTime() + 3) } } })
        assert.deepStrictEqual(
          late.rows.map(({ title }) => title),
          ["milk 3", "milk 4"]
        )
        assert.lengthOf(yield* todos.list({ limit: 4 }), 4)
        assert.lengthOf(yield* todos.list(), 6)
        assert.lengthOf((yield* todos.search({ query: "mil" })).rows, 5)
        assert.strictEqual(yield* todos.count({ where: { done: false } }), 5)
        yield* todos.delete(id)
        assert.strictEqual((yield* Effect.flip(todos.get(id)))._tag, "RowNotFound")
        yield* memory.collection(Click).increment("page", 2)
        assert.deepInclude(yield* memory.collection(Click).get("page"), { value: 2 })
        yield* memory.collection(Label).add("page", "red")
        assert.deepInclude(yield* memory.collection(Label).get("page"), { members: ["red"] })
        const notes = yield* Queue.unbounded<number>()
        yield* memory.live({ kinds: ["notes"] }).pipe(
          Stream.runForEach((rows) => Queue.offer(notes, rows.length)),
          Effect.forkScoped
        )
        assert.strictEqual(yield* Queue.take(notes), 0)
        yield* memory.notes.put({ content: "tea" })
        assert.strictEqual(yield* Queue.take(notes), 1)
        const failure = yield* Effect.flip(memory.collection(Click).increment("page", 0.5))
        assert.strictEqual(failure._tag, "InputInvalid")
      })
    )
  )
})
