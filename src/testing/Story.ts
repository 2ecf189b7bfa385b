/** Operations in words that a person can follow. */
import * as Operation from "../core/replica/Operation.ts"

/** What an operation says, whatever it is called: an update says what an insert says. */
export const said = (of: Operation.Operation): string =>
  Operation.toWire({ ...of, op_type: of.op_type === "update" ? "insert" : of.op_type })

/** A write in one line. */
export const write = ({ hlc, op_type, row_id, data }: Operation.Operation): string => {
  const what = op_type === "delete" ? `deletes in ${row_id}` : `writes to ${row_id}`
  return `node ${JSON.stringify(hlc.node)} at ${hlc.wall}:${hlc.counter} ${what} ${data}`
}

/** Writes with their numbers, a line each. */
export const writes = (operations: ReadonlyArray<Operation.Operation>): ReadonlyArray<string> =>
  operations.map((operation, index) => `${index + 1}. ${write(operation)}`)

/** What a row shows, in one line. */
export const contentOf = (value: unknown): string =>
  value === undefined ? "(no row)" : typeof value === "string" ? value : JSON.stringify(value)
