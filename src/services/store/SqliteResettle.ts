/**
 * Merges rows that an earlier version kept side by side because it did not know their rule, when a version that knows
 * it opens the file. `known` in `meta` says which rules the rows of a file were merged by. All of it is one
 * transaction.
 */
import { Effect, Option, Schema } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import * as Digest from "../../core/replica/Digest.ts"
import * as Kind from "../../core/replica/Kind.ts"
import type { Operation } from "../../core/replica/Operation.ts"
import * as Replica from "../../core/replica/Replica.ts"
import * as Rule from "../../core/replica/Rule.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"
import * as Opaque from "./Opaque.ts"
import * as SqliteCommit from "./SqliteCommit.ts"
import * as SqliteRows from "./SqliteRows.ts"
import * as SqliteSchema from "./SqliteSchema.ts"
import * as SqliteWords from "./SqliteWords.ts"
import { sizeOf } from "./Sizes.ts"
import * as StoreState from "./StoreState.ts"
import * as Planning from "./Planning.ts"

/** Rows that are merged at once. */
const page = 1_000

const Known = Schema.fromJsonString(
  Schema.Struct({ kinds: Schema.Record(Schema.String, Schema.String), rules: Schema.Array(Schema.String) })
)
const decodeKnown = Schema.decodeUnknownOption(Known)

/** What this version knows: rules, and the rules of kinds by their names. */
const known = Schema.encodeSync(Known)({
  kinds: Object.fromEntries(Kind.all.map(({ name, rule }) => [name, rule])),
  rules: Object.keys(Rule.rules).filter(Rule.isKnown)
})

/** What a file of a version knows that did not say so. */
const before = {
  kinds: { notes: "lww", knowledge: "lww", episodes: "log", execution_log: "log" },
  rules: []
} satisfies typeof Known.Type

/** The rule of a kind for a version that knew this much. */
const ruleIn = ({ kinds, rules }: typeof Known.Type, kind: string): string => {
  const rule = kind.slice(kind.lastIndexOf("!") + 1)
  const byName = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined
  return byName ?? (kind.lastIndexOf("!") > 0 && rules.includes(rule) ? rule : "opaque")
}

const decodeMeta = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ known: Schema.String })]))

/** Whether a file was written by a version that knew less, or other rules. */
export const isDue = (sql: SqlClient) =>
  Effect.map(Effect.flatMap(sql`SELECT known FROM meta`, decodeMeta), ([meta]) => meta.known !== known)

/** Merges the rows of a file, inside the caller's transaction. */
export const write = Effect.fnUntraced(function* (connection: Connection) {
  const run = (statement: string, parameters: ReadonlyArray<unknown> = []) =>
    connection.execute(statement, parameters, undefined)
  const [meta] = yield* decodeMeta(yield* run("SELECT known FROM meta"))
  const then = Option.getOrElse(decodeKnown(meta.known), () => before)
  const kinds = (yield* SqliteSchema.kinds(run)).filter((kind) => {
    const now = Kind.ruleOf(kind)
    return now !== "opaque" && now !== ruleIn(then, kind)
  })
  yield* run("UPDATE meta SET known = ?", [known])
  if (kinds.length === 0) return
  const list = JSON.stringify(kinds)
  // Their words may come into the index now.
  yield* SqliteWords.drop(connection)
  yield* run(
    "CREATE TEMP TABLE unsettled AS SELECT * FROM operations WHERE kind IN (SELECT value FROM json_each(?)) ORDER BY seq",
    [list]
  )
  yield* run("DELETE FROM operations WHERE kind IN (SELECT value FROM json_each(?))", [list])
  const { nodeId, state } = yield* SqliteRows.state(
    yield* run("SELECT *, (SELECT count(*) FROM quarantine) AS quarantine FROM meta"),
    yield* run("SELECT * FROM clock"),
    yield* run("SELECT * FROM purged")
  )
  let settled = state
  for (let offset = 0; ; offset += page) {
    const operations = yield* SqliteRows.operations(
      yield* run("SELECT * FROM temp.unsettled ORDER BY seq LIMIT ? OFFSET ?", [page, offset])
    )
    if (operations.length === 0) break
    const batch = { operations, coverage: VectorClock.empty, quarantined: [] }
    const current = yield* SqliteCommit.current(run, operations)
    const commit = Planning.plan(without(settled, operations), current, batch, nodeId)
    // Of origins all of whose rows have lost, too.
    const moved = new Set([...commit.moved, ...operations.map(({ hlc }) => hlc.node)])
    for (const node of commit.forgotten) moved.delete(node)
    yield* SqliteCommit.write(
      connection,
      { ...commit, moved },
      { hasPurged: false, newCut: undefined, before: undefined }
    )
    settled = commit.state
  }
  yield* run("DROP TABLE temp.unsettled")
})

/**
 * A state without operations that were kept side by side: they counted as rows of a kind without a use, and as no
 * tombstones.
 */
const without = (state: StoreState.State, operations: ReadonlyArray<Operation>): StoreState.State => {
  const sum = operations.reduce((sum, operation) => Digest.add(sum, Digest.ofOperation(operation)), Digest.empty)
  let { opaque } = state
  for (const operation of operations) opaque = Opaque.withBytes(opaque, operation.hlc.node, -sizeOf(operation))
  return {
    ...state,
    digest: Digest.subtract(state.digest, sum),
    live: Digest.subtract(state.live, sum),
    opaque,
    holdings: Replica.addHoldings(
      state.holdings,
      operations.map((operation) => [
        operation.hlc.node,
        { rows: -1, digest: Digest.subtract(Digest.empty, Digest.ofOperation(operation)) }
      ])
    )
  }
}
