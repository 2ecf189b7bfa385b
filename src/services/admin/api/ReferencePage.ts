/**
 * The contract as a page for people, made of its OpenAPI document: what each request does, the fields of what it takes
 * and gives, and their types. The page needs no script and no network.
 */
import { Predicate } from "effect"
import { HttpServerResponse } from "effect/http"
import type { OpenApi } from "effect/http-api"
import { pageHeaders } from "./Assets.ts"

type Operation = OpenApi.OpenAPISpecOperation
type Schemas = Readonly<Record<string, unknown>>
type Json = { readonly [key: string]: unknown }

export const methods = ["get", "post", "put", "patch", "delete"] as const

export const page = ({ info, paths, components }: OpenApi.OpenAPISpec) => {
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    methods.flatMap((method) => {
      const operation = item[method]
      return operation === undefined ? [] : [{ name: `${method.toUpperCase()} ${path}`, operation }]
    })
  )
  const html = [
    "<!doctype html>",
    '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark"><link rel="stylesheet" href="/assets/docs.css">',
    `<title>${escape(info.title)} API</title></head><body><main>`,
    `<h1>${escape(info.title)} ${escape(info.version)} API</h1>`,
    '<p><a href="/">Dashboard</a> · <a href="/openapi.json">OpenAPI document</a></p>',
    "<p>Programs send the token of the data directory: <code>Authorization: Bearer TOKEN</code>. Failures are JSON with ",
    "<code>_tag</code>, <code>problem</code>, <code>nextStep</code>, and both in one line as <code>message</code>.</p>",
    '<nav aria-label="Requests"><ul>',
    ...operations.map(({ name }) => `<li><a href="#${anchor(name)}"><code>${escape(name)}</code></a></li>`),
    "</ul></nav>",
    ...operations.map(({ name, operation }) => section(name, operation, components.schemas)),
    "</main></body></html>"
  ].join("\n")
  return HttpServerResponse.text(html, { contentType: "text/html; charset=utf-8", headers: pageHeaders })
}

const anchor = (name: string): string => encodeURIComponent(name.replaceAll(/[ /]+/g, "-"))

const section = (name: string, operation: Operation, schemas: Schemas): string => {
  const { description = "", parameters, requestBody, responses, security } = operation
  const asked = parameters.map(({ name, in: place, required, schema }) => [
    name,
    place,
    typeOf(schema, schemas),
    required ? "yes" : "no"
  ])
  return [
    `<section id="${anchor(name)}"><h2><code>${escape(name)}</code></h2>`,
    `<p>${prose(description)}${security.length === 0 ? " It needs no token." : ""}</p>`,
    ...(asked.length === 0 ? [] : ["<h3>Parameters</h3>", table(["name", "in", "type", "required"], asked)]),
    ...(requestBody === undefined ? [] : bodies("Body", requestBody.content, schemas)),
    ...Object.entries(responses).flatMap(([status, answer]) =>
      status.startsWith("2") ? bodies(`Answer ${status}`, answer.content ?? {}, schemas) : []
    ),
    "<h3>Failures</h3>",
    table(
      ["status", "failure"],
      Object.entries(responses).flatMap(([status, answer]) =>
        status.startsWith("2") ? [] : [[status === "default" ? "other" : status, failures(answer, schemas)]]
      )
    ),
    "</section>"
  ].join("\n")
}

/** The tags of the failures of a status. */
const failures = ({ content, description }: Operation["responses"][number], schemas: Schemas): string => {
  const names = Object.values(content ?? {}).flatMap(({ schema }) => alternatives(schema, schemas).map(tagOf))
  const known = [...new Set(names.filter((name) => name !== ""))]
  return known.length === 0 ? description : known.join(", ")
}

const tagOf = (schema: Json): string => {
  const tag = at(at(schema, "properties"), "_tag")
  const [first] = list(at(tag, "enum"))
  return typeof first === "string" ? first : ""
}

/** What a body has, in each of its forms. */
const bodies = (title: string, content: object, schemas: Schemas): ReadonlyArray<string> =>
  Object.entries(content).flatMap(([type, media]) => [
    `<h3>${escape(title)}${type === "application/json" ? "" : `: ${escape(type)}`}</h3>`,
    ...forms(at(media, "schema"), schemas)
  ])

/** Each form of a value: a table of its fields, or its type. */
const forms = (schema: unknown, schemas: Schemas): ReadonlyArray<string> => {
  const all = alternatives(schema, schemas)
  return all.flatMap((form, index) => {
    const items = resolved(at(form, "items"), schemas)
    const isList = at(form, "type") === "array" && hasFields(items)
    const shown = isList ? items : form
    const { description } = shown
    const said = typeof description === "string" ? ` (${escape(description)})` : ""
    const head = `${index === 0 ? "" : "Or "}${isList ? "an array of objects" : escape(typeOf(form, schemas))}${said}`
    return [`<p>${head}</p>`, ...(hasFields(shown) ? [fields(shown, schemas)] : [])]
  })
}

const hasFields = (schema: Json): boolean => Object.keys(Object(at(schema, "properties"))).length > 0

const fields = (schema: Json, schemas: Schemas): string => {
  const required = list(at(schema, "required"))
  const rows = Object.entries(Object(at(schema, "properties"))).flatMap(([name, field]) => [
    [name, typeOf(field, schemas), required.includes(name) ? "yes" : "no"],
    // The rows of a list stand in the table of the list.
    ...inside(name, resolved(at(resolved(field, schemas), "items"), schemas), schemas)
  ])
  return table(["field", "type", "required"], rows)
}

const inside = (name: string, items: Json, schemas: Schemas): ReadonlyArray<ReadonlyArray<string>> =>
  alternatives(items, schemas).flatMap((form) => {
    const required = list(at(form, "required"))
    return Object.entries(Object(at(form, "properties"))).map(([field, type]) => [
      `${name}[].${field}`,
      typeOf(type, schemas),
      required.includes(field) ? "yes" : "no"
    ])
  })

/** The forms that a value may have. */
const alternatives = (schema: unknown, schemas: Schemas): ReadonlyArray<Json> => {
  const form = resolved(schema, schemas)
  const several = list(at(form, "anyOf") ?? at(form, "oneOf"))
  return several.length === 0 ? [form] : several.flatMap((one) => alternatives(one, schemas))
}

/** The type of a value in a few words. */
const typeOf = (schema: unknown, schemas: Schemas): string => {
  const form = resolved(schema, schemas)
  const several = alternatives(form, schemas)
  if (several.length > 1) return [...new Set(several.map((one) => typeOf(one, schemas)))].join(" or ")
  const choices = list(at(form, "enum"))
  if (choices.length > 0) return choices.map((choice) => JSON.stringify(choice)).join(" or ")
  const type = at(form, "type")
  // A number in a query is a text there.
  if (typeof form["pattern"] === "string" && form["pattern"].includes("[Ee]")) return "number"
  if (type === "array") {
    const items = at(form, "items")
    return items === undefined ? "array" : `array of ${typeOf(items, schemas)}`
  }
  return typeof type === "string" ? `${type}${bounds(form, schemas)}` : "any JSON"
}

/** What a number or a text has to keep to. */
const bounds = (form: Json, schemas: Schemas): string => {
  const all = [form, ...list(at(form, "allOf")).map((one) => resolved(one, schemas))]
  const said = all.flatMap((one) =>
    Object.entries(words).flatMap(([key, word]) => {
      const bound = one[key]
      return (typeof bound === "number" && Math.abs(bound) < Number.MAX_SAFE_INTEGER) || typeof bound === "string"
        ? [`${word} ${bound}`]
        : []
    })
  )
  return said.length === 0 ? "" : ` (${[...new Set(said)].join(", ")})`
}

const words: Readonly<Record<string, string>> = {
  minimum: "at least",
  maximum: "at most",
  minLength: "characters at least",
  maxLength: "characters at most",
  pattern: "like"
}

/** A schema with what it refers to. */
const resolved = (schema: unknown, schemas: Schemas): Json => {
  const reference = at(schema, "$ref")
  if (typeof reference !== "string") return Predicate.isObject(schema) ? { ...schema } : {}
  return resolved(schemas[reference.replace("#/components/schemas/", "")], schemas)
}

const at = (value: unknown, key: string): unknown => (Predicate.isObject(value) ? Reflect.get(value, key) : undefined)

const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

const table = (titles: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const head = titles.map((title) => `<th scope="col">${escape(title)}</th>`).join("")
  const body = rows.map(([first = "", ...cells]) => {
    const others = cells.map((cell) => `<td>${escape(cell)}</td>`).join("")
    return `<tr><td><code>${escape(first)}</code></td>${others}</tr>`
  })
  return `<table><thead><tr>${head}</tr></thead><tbody>${body.join("")}</tbody></table>`
}

/** A sentence, with its names as code. */
const prose = (text: string): string => escape(text).replaceAll(/`([^`]+)`/g, "<code>$1</code>")

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")
