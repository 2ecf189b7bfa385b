/**
 * The contract as documents: OpenAPI for programs, and one page for people. The page needs no script and no network.
 */
import { HttpServerResponse } from "effect/http"
import { OpenApi } from "effect/http-api"
import { pageHeaders } from "./Assets.ts"
import * as Contract from "./Contract.ts"

let made: OpenApi.OpenAPISpec | undefined

const spec = (): OpenApi.OpenAPISpec => (made ??= OpenApi.fromApi(Contract.Contract))

/** The OpenAPI document. */
export const document = () => HttpServerResponse.jsonUnsafe(spec())

/** The reference page: each path with its methods, what it takes and what it answers. */
export const page = () => {
  const { info, paths } = spec()
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
