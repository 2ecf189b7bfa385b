/**
 * The rule `fields`: each field of a row is a register of its own, so that two nodes edit different fields and both
 * edits stay.
 *
 * An operation holds one field: `{"title":"tea"}`. Its slot is the name of the field. A delete of a field takes it out
 * of the row. A delete without a field deletes the row: it has a slot of its own, the empty name. The fields that count
 * are those that were written after it, by HLC. So a delete wins over all that was written before it, wherever that
 * was, and a later write brings the row back with what was written since.
 */
import * as Hlc from "../Hlc.ts"
import { membersOf } from "../Json.ts"
import { byCodePoint, isPlainText } from "../NodeId.ts"
import { contentOf, type Operation } from "../Operation.ts"
import type { Rule, Verb, Writing } from "./Shape.ts"
import { latestOf, PrecedenceOrder } from "./Precedence.ts"

/** Bytes of the name of a field, at most. */
export const maxName = 128

/** The slot of deletes of whole rows. */
const ofRow = ""

/** The field that an operation writes, or the empty name; none where it says nothing by this rule. */
const fieldOf = ({ data, op_type }: Operation): string | undefined => {
  const names = [...(membersOf(data)?.keys() ?? [])].filter((name) => name !== "id")
  const [name] = names
  if (name === undefined) return op_type === "delete" ? ofRow : undefined
  return names.length === 1 && isPlainText(name, maxName) ? name : undefined
}

/** The operations on fields that count, of those that the slots of a row hold, in the order of names. */
const counting = (current: ReadonlyArray<Operation>): ReadonlyArray<readonly [string, Operation]> => {
  const fields = current.flatMap((operation) => {
    const field = fieldOf(operation)
    return field === undefined ? [] : [[field, operation] as const]
  })
  const deleted = latestOf(fields.flatMap(([field, operation]) => (field === ofRow ? [operation] : [])))
  return fields
    .filter(([field, { hlc }]) => field !== ofRow && (deleted === undefined || Hlc.HlcOrder(hlc, deleted) > 0))
    .sort(([a], [b]) => byCodePoint(a, b))
}

const isPresent = ([, { op_type }]: readonly [string, Operation]): boolean => op_type !== "delete"

const write = ([name, value]: readonly [string, unknown]): Writing =>
  value === undefined
    ? { op_type: "delete", data: { [name]: null } }
    : { op_type: "update", data: Object.fromEntries([[name, value]]) }

/** The fields of a row that have a value. */
const present = (current: ReadonlyArray<Operation>): ReadonlyArray<string> =>
  counting(current)
    .filter(isPresent)
    .map(([field]) => field)

const patch: Verb = (_, columns) => Object.entries(columns).map(write)

export const fields = {
  slotOf: (operation) => fieldOf(operation) ?? ofRow,
  order: PrecedenceOrder,
  ignores: (operation) => fieldOf(operation) === undefined,
  read: (current) => {
    const counted = counting(current)
    const shown = counted.filter(isPresent)
    const latest = latestOf(counted.map(([, operation]) => operation))
    return shown.length === 0 || latest === undefined
      ? undefined
      : { value: Object.fromEntries(shown.map(([field, operation]) => [field, contentOf(operation)[field]])), latest }
  },
  verbs: {
    // A column without a value is taken out where it has one.
    put: (current, columns) => {
      const there = new Set(present(current))
      return Object.entries(columns)
        .filter(([name, value]) => value !== undefined || there.has(name))
        .map(write)
    },
    patch,
    // The content of the fields goes as well, also where this is read by another node.
    delete: (current) => [
      ...present(current).map((field) => write([field, undefined])),
      { op_type: "delete", data: {} }
    ]
  }
} satisfies Rule
