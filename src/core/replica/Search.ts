/**
 * Which text of a row is searched. How it is looked for is in `core/search`.
 */
import { Predicate } from "effect"
import * as Kind from "./Kind.ts"
import type { Operation } from "./Operation.ts"
import * as Row from "./Row.ts"

/** The searched text of an operation; none when it has nothing to find. */
export const textOf = (operation: Operation): string | undefined => {
  if (operation.op_type === "delete") return undefined
  return parts(operation)
    ?.filter((part) => part !== "")
    .join("\n")
    .replaceAll("\0", " ")
}

/** The texts of the columns that are searched. */
const parts = (operation: Operation): ReadonlyArray<string> | undefined => {
  const kind: Kind.Definition | undefined = Kind.find(operation.table)
  if (kind === undefined || kind.search.length === 0) return undefined
  const data = Row.columnsOf(operation)
  return kind.search.map((name) => {
    const value = kind.columns[name]?.read(data[name])
    return Array.isArray(value) ? value.join(" ") : Predicate.isString(value) ? value : ""
  })
}
