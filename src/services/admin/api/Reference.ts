/**
 * The contract as documents: OpenAPI for programs, and one page for people.
 */
import { Record, Schema, Struct } from "effect"
import { HttpServerResponse } from "effect/http"
import { OpenApi } from "effect/http-api"
import type { Any } from "../../memory/OwnKind.ts"
import { version } from "../../node/Version.ts"
import * as Contract from "./Contract.ts"
import { Failure } from "./Failures.ts"
import * as KindsContract from "./KindsContract.ts"
import * as MemoryContract from "./MemoryContract.ts"
import { methods, page } from "./ReferencePage.ts"

/** The documents of a node with some kinds of applications. They are made with the first request. */
export const make = (kinds: ReadonlyArray<Any>) => {
  let made: OpenApi.OpenAPISpec | undefined
  const spec = (): OpenApi.OpenAPISpec => (made ??= specOf(kinds))
  return { spec, document: () => HttpServerResponse.jsonUnsafe(spec()), page: () => page(spec()) }
}

/**
 * The contract, with what holds for all of it: who may ask, and the form of every failure that an endpoint does not
 * name.
 */
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
