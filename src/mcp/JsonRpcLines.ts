/**
 * Lines of standard input, before the protocol sees them. Only a message of JSON-RPC goes on; anything else is answered
 * here, so that no input can stop the server.
 */
import { Option, Predicate, Result, Schema } from "effect"

/** Bytes of one message: the largest entry, with every character escaped. */
export const maxLine = 64 * 1024 * 1024

/** What becomes of a line: it goes on, it is answered, or it is nothing. */
export type Line =
  | { readonly _tag: "Message"; readonly text: string }
  | { readonly _tag: "Refused"; readonly answer: string }
  | { readonly _tag: "Blank" }

const Id = Schema.Union([Schema.String, Schema.Finite])

const Message = Schema.Struct({
  jsonrpc: Schema.Literal("2.0"),
  id: Schema.optionalKey(Id),
  method: Schema.optionalKey(Schema.String),
  params: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown))
})

const isMessage = Schema.is(Message)
const isId = Schema.is(Id)

const decoder = new TextDecoder("utf-8", { fatal: true })

/** Reads a line. */
export const read = (bytes: Uint8Array): Line => {
  const decoded = Result.try(() => decoder.decode(bytes))
  if (Result.isFailure(decoded)) return refused(-32700, "the message is not UTF-8")
  const text = decoded.success.trim()
  if (text === "") return { _tag: "Blank" }
  const parsed = Result.try((): unknown => JSON.parse(text))
  if (Result.isFailure(parsed))
    return refused(-32700, "the message is not JSON: send one message of JSON-RPC on each line")
  const value = parsed.success
  const parts: ReadonlyArray<unknown> = Array.isArray(value) ? value : [value]
  if (parts.length > 0 && parts.every((part) => isMessage(part) && isWhole(part))) return { _tag: "Message", text }
  return refused(-32600, "the message is not a message of JSON-RPC 2.0", idOf(value))
}

/** A request, a notification, or an answer to a request of ours. */
const isWhole = (part: object): boolean =>
  "method" in part || ("id" in part && ("result" in part || ("error" in part && Predicate.isObject(part.error))))

/** For a line that is longer than `maxLine`. */
export const tooLong: Line = { _tag: "Refused", answer: answerOf(-32600, `the message is over ${maxLine} bytes`) }

const refused = (code: number, message: string, id?: string | number): Line => ({
  _tag: "Refused",
  answer: answerOf(code, message, id)
})

function answerOf(code: number, message: string, id: string | number | null = null): string {
  return JSON.stringify({ jsonrpc: "2.0", id, error: { code, message } })
}

const idOf = (value: unknown): string | number | undefined =>
  Predicate.hasProperty(value, "id") && isId(value.id) ? value.id : undefined

/** Cuts bytes into lines. A line that is too long is left out, and noted once. */
export class Splitter {
  private parts: Array<Uint8Array> = []
  private length = 0
  private isTooLong = false

  /** The lines that `bytes` complete. */
  push(bytes: Uint8Array): ReadonlyArray<Option.Option<Uint8Array>> {
    const lines: Array<Option.Option<Uint8Array>> = []
    let start = 0
    for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, start)) {
      this.keep(bytes.subarray(start, end))
      lines.push(this.take())
      start = end + 1
    }
    this.keep(bytes.subarray(start))
    return lines
  }

  /** What came after the last newline. */
  take(): Option.Option<Uint8Array> {
    const line = this.isTooLong ? Option.none() : Option.some(Buffer.concat(this.parts))
    this.parts = []
    this.length = 0
    this.isTooLong = false
    return line
  }

  private keep(bytes: Uint8Array): void {
    this.length += bytes.length
    if (this.length > maxLine) {
      this.isTooLong = true
      this.parts = []
    } else if (bytes.length > 0) this.parts.push(bytes)
  }
}
