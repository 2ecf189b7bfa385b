/**
 * The file of the reference memory server of the Model Context Protocol: a line of JSON for each entity and each
 * relation.
 *
 * An entity becomes a fact about what it is, and one for each observation; a relation becomes a fact. The file has no
 * times, so these facts are as old as can be: anything that was written here wins over them, a deletion too.
 *
 * Files that several servers wrote to at once are damaged: values run together on one line, lines are cut, or end in
 * the rest of an earlier line. Of such a line each whole value is taken, and the rest is refused with its number.
 */
import { Predicate, Result } from "effect"
import * as Digest from "../replica/Digest.ts"
import * as Kind from "../replica/Kind.ts"
import { endOfValue, parse, skipSpace } from "../replica/Json.ts"
import { maxDataDepth } from "../replica/Operation.ts"
import { type Found, fromBare } from "./Found.ts"

const kind = Kind.table.facts.name

/** The predicate of what an entity is, and of what was observed. */
export const predicates = { isA: "is a", observation: "observation" } as const

/** What the text of such a file has. */
export function* found(text: string): Generator<Found> {
  const whole = parse(text, maxDataDepth)
  if (Result.isSuccess(whole)) return yield* fromWhole(whole.success)
  let number = 0
  let start = 0
  while (start <= text.length) {
    const end = text.indexOf("\n", start)
    const line = text.slice(start, end === -1 ? undefined : end)
    number++
    if (line.trim() !== "") yield* fromLine(line, `line ${number}`)
    if (end === -1) return
    start = end + 1
  }
}

/** A file that is one value: a graph, a list, or a single line. */
function* fromWhole(value: unknown): Generator<Found> {
  const graph = Predicate.isObject(value) && !("type" in value) ? { ...value } : undefined
  const listed = (key: string, type: string): ReadonlyArray<unknown> => {
    const items: unknown = graph === undefined ? undefined : Reflect.get(graph, key)
    return Array.isArray(items)
      ? items.map((item: unknown) => (Predicate.isObject(item) ? { ...item, type } : item))
      : []
  }
  const items: ReadonlyArray<unknown> = Array.isArray(value)
    ? value
    : graph === undefined
      ? [value]
      : [...listed("entities", "entity"), ...listed("relations", "relation")]
  for (const [index, item] of items.entries())
    yield* fromValue(item, Array.isArray(value) || graph ? `item ${index + 1}` : "line 1")
}

function* fromLine(line: string, where: string): Generator<Found> {
  const text = line
    .replaceAll("\0", "")
    .replace(/^\uFEFF/, "")
    .trim()
  const value = parse(text, maxDataDepth)
  if (Result.isSuccess(value)) return yield* fromValue(value.success, where)
  let at = 0
  while (at < text.length) {
    const end = text[at] === "{" ? endOfValue(text, at) : undefined
    const part = end === undefined ? Result.fail("") : parse(text.slice(at, end), maxDataDepth)
    if (end === undefined || Result.isFailure(part)) {
      yield refused(where, `${at === 0 ? "it" : `what follows after ${at} characters`} is not JSON, or was cut`)
      return
    }
    yield* fromValue(part.success, where)
    at = skipSpace(text, end)
    if (text[at] === ",") at = skipSpace(text, at + 1)
  }
}

const refused = (where: string, reason: string): Found => ({ _tag: "Refused", kind, where, reason })

const stringOf = (value: unknown): string | undefined =>
  Predicate.isString(value) && value.trim() !== "" ? value.toWellFormed() : undefined

function* fromValue(value: unknown, where: string): Generator<Found> {
  if (!Predicate.isObject(value)) return yield refused(where, "neither an entity nor a relation")
  const row: { readonly [key: string]: unknown } = { ...value }
  const type = row["type"] ?? ("relationType" in row ? "relation" : "entityType" in row ? "entity" : undefined)
  if (type === "entity") return yield* fromEntity(row, where)
  if (type !== "relation") return yield refused(where, "neither an entity nor a relation")
  const [from, relation, to] = [stringOf(row["from"]), stringOf(row["relationType"]), stringOf(row["to"])]
  yield from === undefined || relation === undefined || to === undefined
    ? refused(where, "a relation needs from, relationType and to")
    : fact(from, relation, to, where)
}

function* fromEntity(row: { readonly [key: string]: unknown }, where: string): Generator<Found> {
  const name = stringOf(row["name"])
  if (name === undefined) return yield refused(where, "an entity needs a name")
  const type = stringOf(row["entityType"])
  if (type !== undefined) yield fact(name, predicates.isA, type, where)
  const observations: unknown = row["observations"] ?? []
  for (const observation of Array.isArray(observations) ? observations : [observations]) {
    const text = stringOf(observation) ?? (Predicate.isObject(observation) ? JSON.stringify(observation) : undefined)
    yield text === undefined
      ? refused(where, `an observation of ${JSON.stringify(name)} has no text`)
      : fact(name, predicates.observation, text, where)
  }
}

/** One statement is one row, on every machine. */
const fact = (subject: string, predicate: string, object: string, where: string): Found => {
  const said = [subject, predicate, object].join("\0")
  const rowId = ["", "\0"].map((end) => Digest.toText(Digest.fingerprint(`${said}${end}`))).join("")
  const data = { id: rowId, subject, predicate, object, source: "mcp-memory" }
  return fromBare({ kind, where, rowId, opType: "insert", data, at: 0 })
}
