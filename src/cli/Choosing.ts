/**
 * Rows that are chosen by the beginning of their id.
 */
import { Effect, Schema } from "effect"
import * as Kind from "../core/replica/Kind.ts"
import { messageOf } from "../core/text/Explained.ts"
import { RowNotFound } from "../services/node/NodeFailure.ts"
import type { AnyRow, Memory } from "../services/memory/Memory.ts"

/** Several rows have an id that begins like this. */
export class IdAmbiguous extends Schema.TaggedError<IdAmbiguous>()("IdAmbiguous", {
  id: Schema.String,
  ids: Schema.Array(Schema.String)
}) {
  readonly problem = `${this.ids.length} rows or more have an id that begins with ${JSON.stringify(this.id)}: ${this.ids.join(", ")}`
  readonly nextStep = "type more characters of the id"
  override readonly message = messageOf(this)
}

/** Rows that are named when there are several. */
const named = 3

type Collections = { readonly [Name in keyof Kind.Table]: Kind.Table[Name] }
const collections: Collections = Kind.table

/** The row with an id, or the only one whose id begins like this, among some kinds. */
export const row = Effect.fnUntraced(function* (
  memory: Memory["Service"],
  id: string,
  kinds: ReadonlyArray<keyof Kind.Table>
) {
  const rows: Array<AnyRow> = []
  for (const name of kinds) {
    const kind = collections[name].name
    const exact = yield* Effect.option(memory.get(kind, id))
    if (exact._tag === "Some") return exact.value
    // In the order of ids, those that begin with a text come right after it.
    for (const next of yield* memory[name].list({ after: id, limit: named })) {
      if (next.id.startsWith(id)) rows.push(yield* memory.get(kind, next.id))
    }
  }
  const [first, ...others] = rows
  if (first === undefined)
    return yield* new RowNotFound({
      kind: kinds.length === 1 ? kinds.map((name) => collections[name].name).join() : "rows",
      id
    })
  if (others.length > 0) return yield* new IdAmbiguous({ id, ids: rows.slice(0, named).map((row) => row.id) })
  return first
})
