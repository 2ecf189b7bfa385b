/**
 * The paths of the interface, for requests that it has no answer to. Every kind has a path of its own at the top, so
 * that a path that is none would be taken for a kind, and a method that a path does not have for nothing at all.
 */
import { Effect, Option } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import type { OpenApi } from "effect/http-api"
import * as Errors from "./Errors.ts"
import { NotFound, reference } from "./Failures.ts"
import { methods } from "./ReferencePage.ts"

interface Path {
  readonly pattern: RegExp
  readonly methods: ReadonlyArray<string>
}

/** What is served besides the contract. */
const pages: ReadonlyArray<Path> = [{ pattern: /^\/(docs|openapi\.json|assets\/.*)?$/, methods: ["GET"] }]

/** Answers a request that has no path or no method of the contract; nothing to the others. */
export const make = (spec: () => OpenApi.OpenAPISpec) => {
  let made: ReadonlyArray<Path> | undefined
  const all = (): ReadonlyArray<Path> =>
    (made ??= Object.entries(spec().paths)
      .map(([path, item]) => ({
        pattern: new RegExp(`^${path.replaceAll(/[.*+?^$()|[\]\\]/g, "\\$&").replaceAll(/\{\w+\}/g, "[^/]+")}$`),
        methods: methods.filter((method) => item[method] !== undefined).map((method) => method.toUpperCase())
      }))
      .concat(pages.map((path) => ({ ...path, methods: [...path.methods] }))))
  return Effect.map(
    HttpServerRequest.HttpServerRequest,
    ({ method, url }): Option.Option<HttpServerResponse.HttpServerResponse> => {
      const path = url.replace(/[?#].*$/s, "")
      if (path === "/mcp") return Option.none()
      const found = all().filter(({ pattern }) => pattern.test(path))
      if (found.length === 0) return isName(path) ? Option.some(notFound(spec(), path)) : Option.none()
      const allowed = [...new Set(found.flatMap((one) => one.methods))]
      if (allowed.includes(method === "HEAD" ? "GET" : method)) return Option.none()
      const told = {
        _tag: "MethodNotAllowed",
        problem: `this path does not support ${method}`,
        nextStep: `use ${allowed.join(" or ")}: ${reference}`
      }
      return Option.some(HttpServerResponse.setHeader(Errors.answer(405, told), "allow", allowed.join(", ")))
    }
  )
}

/** A path of one name, which the router takes for that of a kind. */
const isName = (path: string): boolean => /^\/[\w.-]+$/.test(path)

const notFound = (spec: OpenApi.OpenAPISpec, path: string) => {
  const { _tag, problem, nextStep } = new NotFound()
  const below = Object.keys(spec.paths).filter((one) => one.startsWith(`${path}/`))
  return Errors.answer(404, {
    _tag,
    problem,
    nextStep: below.length === 0 ? nextStep : `use ${below.join(", ")}: ${nextStep}`
  })
}
