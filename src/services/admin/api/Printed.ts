/**
 * What the interface sends is often printed: control characters in texts of others are escaped in each JSON answer, as
 * the commands do it (`core/text/Printable.ts`). The values stay the same.
 */
import { Stream } from "effect"
import { HttpServerResponse } from "effect/http"
import { escapeInLines } from "../../../core/text/Printable.ts"

const kinds = /^(application\/(json|ndjson|x-ndjson|openapi\+json)|text\/event-stream)\b/

const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

/** The answer, with nothing in it that steers a terminal. */
export const response = (answer: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse => {
  const { body } = answer
  if (body._tag !== "Uint8Array" && body._tag !== "Stream") return answer
  const { contentType } = body
  if (!kinds.test(contentType)) return answer
  if (body._tag === "Uint8Array") {
    const text = body.text ?? decoder.decode(body.body)
    const escaped = escapeInLines(text)
    if (escaped === text) return answer
    const { status, statusText, headers, cookies } = answer
    const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => name !== "content-length"))
    return HttpServerResponse.text(escaped, { status, statusText, headers: kept, cookies, contentType })
  }
  const { status, statusText, headers, cookies } = answer
  const escaped = body.stream.pipe(Stream.decodeText, Stream.map(escapeInLines), Stream.encodeText)
  return HttpServerResponse.stream(escaped, { status, statusText, headers, cookies, contentType })
}
