/** The OpenAPI document of a node: what it says of the rows and inputs of each kind, and of lists. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Predicate } from "effect"
import { join } from "node:path"
import * as Kind from "../../../../src/core/replica/Kind.ts"
import { ask, start, within } from "../../../support/LocalApi.ts"

type Json = { readonly [key: string]: unknown }

const at = (value: unknown, ...path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>((found, key) => (Predicate.isObject(found) ? Reflect.get(found, key) : undefined), value)

const objectAt = (value: unknown, ...path: ReadonlyArray<string>): Json => {
  const found = at(value, ...path)
  assert.isTrue(Predicate.isObject(found), path.join(" "))
  return Object.fromEntries(Object.entries(Object(found)))
}

/** A schema with what it refers to. */
const resolved = (document: Json, schema: unknown): unknown => {
  const name = at(schema, "$ref")
  return typeof name === "string"
    ? resolved(document, at(document, "components", "schemas", name.slice("#/components/schemas/".length)))
    : schema
}

const bodyOf = (document: Json, operation: unknown) =>
  resolved(document, at(operation, "requestBody", "content", "application/json", "schema"))

const answerOf = (document: Json, operation: unknown) =>
  resolved(document, at(operation, "responses", "200", "content", "application/json", "schema"))

/** The schema of the rows of a list, which has parts with `rows`. */
const rowOf = (document: Json, answer: unknown): unknown => {
  const rows = at(answer, "properties", "rows", "items")
  if (rows !== undefined) return resolved(document, rows)
  const forms = at(answer, "anyOf")
  return Array.isArray(forms)
    ? forms.map((form) => rowOf(document, resolved(document, form))).find((row) => row !== undefined)
    : undefined
}

const document = Effect.fnUntraced(function* (home: string) {
  yield* start({ home })
  const { body } = yield* ask({ socketPath: join(home, "feral-sync.sock") }, "/openapi.json")
  return objectAt(JSON.parse(body))
})

describe("the reference of the local interface", () => {
  it.live("has a path for each kind, with the columns of its rows and of what is written", () =>
    within((home) =>
      Effect.gen(function* () {
        const spec = yield* document(home)
        assert.notProperty(objectAt(spec, "paths"), "/{collection}")
        for (const { path, rule, row, input } of Kind.all) {
          const operations = objectAt(spec, "paths", `/${path}`)
          const shown = rowOf(spec, answerOf(spec, operations["get"]))
          assert.sameMembers(Object.keys(objectAt(shown, "properties")), Object.keys(row.fields), path)
          const written = bodyOf(spec, operations["post"])
          assert.sameMembers(Object.keys(objectAt(written, "properties")), Object.keys(input.fields), path)
          assert.strictEqual("delete" in operations, rule === "lww", path)
        }
        const change = objectAt(bodyOf(spec, at(spec, "paths", "/notes", "patch")), "properties")
        assert.sameMembers(Object.keys(change), ["content", "tag", "untag"])
        // What the document requires is what the node requires.
        const required = at(bodyOf(spec, at(spec, "paths", "/facts", "post")), "required")
        assert.deepStrictEqual(required, ["subject", "predicate", "object"])
        const headers = { "content-type": "application/json" }
        const { status, body } = yield* ask({ socketPath: join(home, "feral-sync.sock") }, "/facts", {
          method: "POST",
          headers,
          body: "{}"
        })
        assert.strictEqual(status, 400)
        for (const name of ["subject", "predicate", "object"]) assert.include(body, `${name} is missing`)
      })
    )
  )

  it.live("has a limit and a cursor for every list that can be long", () =>
    within((home) =>
      Effect.gen(function* () {
        const spec = yield* document(home)
        const lists: Array<string> = []
        for (const [path, operations] of Object.entries(objectAt(spec, "paths"))) {
          for (const [method, operation] of Object.entries(objectAt(operations))) {
            if (rowOf(spec, answerOf(spec, operation)) === undefined) continue
            lists.push(path)
            const parameters = at(operation, "parameters")
            const taken =
              method === "get"
                ? (Array.isArray(parameters) ? parameters : []).map((parameter) => at(parameter, "name"))
                : Object.keys(objectAt(bodyOf(spec, operation), "properties"))
            assert.includeMembers(taken, ["limit", "cursor"], `${method} ${path}`)
          }
        }
        assert.includeMembers(lists, ["/notes", "/facts", "/episodes", "/log", "/peers", "/origins", "/quarantine"])
        assert.includeMembers(lists, [
          "/recent",
          "/newest",
          "/search/page",
          "/about",
          "/history",
          "/history/deleted",
          "/conflicts"
        ])
      })
    )
  )
})
