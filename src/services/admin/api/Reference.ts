/**
 * The contract as documents: OpenAPI for programs, and one page for people. The page needs no script and no network.
 */
import { Record, Schema, Struct } from "effect"
import { HttpServerResponse } from "effect/http"
import { OpenApi } from "effect/http-api"
import type { Any } from "../../memory/OwnKind.ts"
import { pageHeaders } from "./Assets.ts"
import { version } from "../../node/Version.ts"
import * as Contract from "./Contract.ts"
import { Failure } from "./Failures.ts"
import * as KindsContract from "./KindsContract.ts"
import * as MemoryContract from "./MemoryContract.ts"

/** The documents of a node with some kinds of applications. They are made with the first request. */
export const make = (kinds: ReadonlyArray<Any>) => {
  let made: OpenApi.OpenAPISpec | undefined
  const spec = (): OpenApi.OpenAPISpec => (made ??= specOf(kinds))
  return { document: () => HttpServerResponse.jsonUnsafe(spec()), page: () => page(spec()) }
}

/** The contract, with what holds for all of it: who may ask, and the form of every failure that an endpoint does not name. */
const specOf = (kinds: ReadonlyArray<Any>): OpenApi.OpenAPISpec => {
  const { info, components, ...rest } = contractOf(kinds)
  const open = OpenApi.fromApi(Contract.Public).paths
  const { definitions } = Schema.toJsonSchemaDocument(Failure)
  const failure = {
    description: "Any other failure: of the request, of who asks, or of the node.",
    content: { "application/json": { schema: { $ref: "#/components/schemas/Failure" } } }
  }
  const paths = Record.map(rest.paths, (item, path) =>
    Struct.assign(
      item,
      Object.fromEntries(
        methods.flatMap((method) => {
          const operation = item[method]
          if (operation === undefined) return []
          const isOpen = open[path]?.[method] !== undefined
          const responses = { ...operation.responses, default: failure }
          return [[method, { ...operation, responses, security: isOpen ? [] : [{ token: [] }] }]]
        })
      )
    )
  )
  return {
    ...rest,
    paths,
    info: { ...info, title: "feral-sync", version },
    components: {
      schemas: { ...components.schemas, ...definitions },
      securitySchemes: { token: { type: "http", scheme: "bearer" } }
    }
  }
}

/** The contract with all its schemas, and the paths of each kind. */
const contractOf = (kinds: ReadonlyArray<Any>): OpenApi.OpenAPISpec =>
  OpenApi.fromApi(
    Contract.Contract.add(KindsContract.described, ...MemoryContract.described, ...kinds.map(KindsContract.groupOf))
  )

/** The reference page: each path with its methods, what it takes and what it answers. */
const page = ({ info, paths }: OpenApi.OpenAPISpec) => {
  const sections = Object.entries(paths).flatMap(([path, item]) =>
    methods.flatMap((method) => {
      const operation = item[method]
      return operation === undefined ? [] : [section(method.toUpperCase(), path, operation)]
    })
  )
  const html = [
    "<!doctype html>",
    '<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
    `<title>${escape(info.title)} API</title>`,
    `<h1>${escape(info.title)} API</h1>`,
    "<p>Programs send the token of the data directory: <code>Authorization: Bearer TOKEN</code>. ",
    'The whole contract with all types is in <a href="/openapi.json">/openapi.json</a>.</p>',
    ...sections
  ].join("\n")
  return HttpServerResponse.text(html, { contentType: "text/html; charset=utf-8", headers: pageHeaders })
}

const section = (method: string, path: string, { description, parameters, requestBody, responses }: Operation) => {
  const taken = parameters.map(
    (parameter) =>
      `<li><code>${escape(parameter.name)}</code> in ${escape(parameter.in)}${parameter.required ? "" : ", optional"}</li>`
  )
  const body = requestBody === undefined ? [] : ["<li>a body of JSON</li>"]
  const answers = Object.entries(responses).map(
    ([status, answer]) => `<li><code>${escape(status)}</code> ${escape(answer.description)}</li>`
  )
  return [
    `<h2><code>${escape(method)} ${escape(path)}</code></h2>`,
    ...(description === undefined ? [] : [`<p>${escape(description)}</p>`]),
    ...(taken.length + body.length === 0 ? [] : ["<p>Takes</p><ul>", ...taken, ...body, "</ul>"]),
    "<p>Answers</p><ul>",
    ...answers,
    "</ul>"
  ].join("\n")
}

const methods = ["get", "post", "put", "patch", "delete"] as const

type Operation = OpenApi.OpenAPISpecOperation

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")
