/**
 * The bundle that an existing FERAL node writes to carry its memory by hand: one JSON object, with its operations in a
 * list.
 */
import { Result } from "effect"
import { endOfValue, membersOf, skipSpace } from "../replica/Json.ts"
import { fromBundle, type Options } from "./FeralMemory.ts"
import { type Found, parseMended } from "./Found.ts"

/** Whether a text is a bundle, by its members. */
export const isBundle = (text: string): boolean => {
  const operations = membersOf(text)?.get("operations")
  return operations !== undefined && text[operations.start] === "["
}

/** What a bundle has. One operation at a time is read. */
export function* found(text: string, options: Options): Generator<Found> {
  const operations = membersOf(text)?.get("operations")
  let at = operations === undefined ? text.length : operations.start + 1
  for (let number = 1; ; number++) {
    const start = skipSpace(text, at)
    const end = endOfValue(text, start)
    if (end === undefined || end === start) return
    const where = `operation ${number}`
    const value = parseMended(text.slice(start, end))
    yield Result.isSuccess(value)
      ? fromBundle(value.success, where, options)
      : { _tag: "Refused", kind: "", where, reason: value.failure }
    const next = skipSpace(text, end)
    if (text[next] !== ",") return
    at = next + 1
  }
}
