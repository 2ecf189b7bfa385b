/**
 * Failures as the interface answers them: JSON with `_tag`, `message`, and `nextStep` where there is one.
 */
import { Cause, Effect } from "effect"
import { HttpServerError, HttpServerRespondable, HttpServerResponse } from "effect/http"
import { HttpApiError } from "effect/http-api"
import { messageOf } from "../../../core/text/Explained.ts"
import { problemsIn } from "../../memory/Inputs.ts"
import { inThisForm } from "../../node/Invocation.ts"
import { type Failure, NotFound, reference } from "./Failures.ts"

type Told = Omit<Failure, "message">

/** An answer that tells what is wrong with the request. */
export const answer = (status: number, { _tag, ...told }: Told) => {
  const problem = inThisForm(told.problem)
  const nextStep = inThisForm(told.nextStep)
  return HttpServerResponse.jsonUnsafe(
    { _tag, message: messageOf({ problem, nextStep }), problem, nextStep },
    { status }
  )
}

/** What a status means, where nothing more is known. */
const byStatus = (status: number): Told => {
  switch (status) {
    case 404:
      return new NotFound()
    case 405:
      return { _tag: "MethodNotAllowed", problem: "this path does not support this method", nextStep: reference }
    case 415:
      return {
        _tag: "MediaTypeUnsupported",
        problem: "the body is not JSON by its Content-Type",
        nextStep: 'send JSON, with "Content-Type: application/json"'
      }
    case 413:
      return { _tag: "RequestTooLarge", problem: "the request is too large", nextStep: "send less in one request" }
    case 503:
      return { _tag: "Unavailable", problem: "the node cannot answer at the moment", nextStep: "try again later" }
    default:
      return status < 500
        ? { _tag: "RequestInvalid", problem: "the request is not valid", nextStep: reference }
        : { _tag: "Defect", problem: "internal error", nextStep: "see the log of the node, and report it" }
  }
}

/** Completes the answers of an application: every failure says what is wrong, and what to do. */
export const explained = <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, R> =>
  app.pipe(
    Effect.catchCause((cause) => {
      const invalid = invalidIn(cause)
      if (invalid !== undefined) return Effect.succeed(invalid)
      if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
      const failure = Cause.squash(cause)
      if (HttpServerRespondable.isRespondable(failure)) return HttpServerRespondable.toResponse(failure)
      return Effect.as(
        Effect.logError("a request failed unexpectedly", cause),
        HttpServerResponse.empty({ status: 500 })
      )
    }),
    Effect.map(complete)
  )

/** What does not fit the contract, by name. */
const invalidIn = (cause: Cause.Cause<unknown>) => {
  const found = cause.reasons
    .map((reason) => (reason._tag === "Fail" ? reason.error : reason._tag === "Die" ? reason.defect : undefined))
    .find(HttpApiError.HttpApiSchemaError.is)
  if (found === undefined || found.kind === "Body" || found.kind === "ResponseHeaders") return undefined
  const told = problemsIn(found.cause.issue).map(({ field, problem }) => `${field === "" ? "it" : field} ${problem}`)
  const problem = `${found.kind.toLowerCase()}: ${told.join("; ")}`.slice(0, 1_000)
  return answer(400, { _tag: "RequestInvalid", problem, nextStep: reference })
}

/** An answer of the server itself says no more than its status. */
const complete = (response: HttpServerResponse.HttpServerResponse) =>
  response.status >= 400 && (response.body._tag === "Empty" || isPlain(response))
    ? answer(response.status, byStatus(response.status))
    : response

/** What the library says of a body of another type is a text. */
const isPlain = ({ status, body }: HttpServerResponse.HttpServerResponse): boolean =>
  status === 415 && body._tag === "Uint8Array" && body.contentType.startsWith("text/plain")

export const isRouteNotFound = (error: unknown): boolean =>
  HttpServerError.isHttpServerError(error) && error.reason._tag === "RouteNotFound"
