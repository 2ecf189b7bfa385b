/**
 * The rows of application kinds in JSON. Their collections are built on them, in a node and in its clients; the local
 * API and the command line show them.
 *
 * The name of a kind on the wire has its rule, so its rows can be read without the application. Written are those that
 * were declared here, by the verbs of the rule; where this process has the schema of a kind, what is written has to fit
 * it.
 */
import { Effect, Schema, type Semaphore } from "effect"
import * as Hlc from "../../core/replica/Hlc.ts"
import * as Kind from "../../core/replica/Kind.ts"
import { NodeId } from "../../core/replica/NodeId.ts"
import { type Content, Kind as KindName, RowId } from "../../core/replica/Operation.ts"
import * as Query from "../../core/replica/Query.ts"
import * as Rule from "../../core/replica/Rule.ts"
import * as SearchQuery from "../../core/search/SearchQuery.ts"
import {
  type InputInvalid,
  KindInvalid,
  type KindMismatch,
  KindUndeclared,
  type OperationTooLarge,
  type QueryInvalid,
  RowNotFound,
  type StoreUnavailable
} from "../node/NodeFailure.ts"
import type { Store } from "../store/Store.ts"
import { checked, contentOf, invalid } from "./OwnInput.ts"
import { type Any, problemIn } from "./OwnKind.ts"
import * as OwnQuestion from "./OwnQuestion.ts"
import * as OwnScan from "./OwnScan.ts"
import { type Found, limits, type Written } from "./Reads.ts"

/** A row: its columns, and what every row shows besides them. */
export const OwnRow = Schema.StructWithRest(
  Schema.Struct({ id: Schema.String, updated_at: Schema.Finite, origin_node: NodeId, hlc: Schema.String }),
  [Schema.Record(Schema.String, Schema.Unknown)]
)
export type OwnRow = typeof OwnRow.Type

/** The columns of a row alone. */
export const valueOf = ({ id: _id, updated_at: _at, origin_node: _origin, hlc: _hlc, ...value }: OwnRow): Content =>
  value

export const rowOf = ({ id, value, hlc }: Query.Shown): OwnRow => ({
  ...value,
  id,
  updated_at: hlc.wall / 1000,
  origin_node: hlc.node,
  hlc: Hlc.toText(hlc)
})

/** A kind of an application of which there are rows, or that was declared here. Its columns are known where it was. */
export const OwnKind = Schema.Struct({
  kind: Schema.String,
  name: Schema.String,
  rule: Schema.String,
  columns: Schema.optionalKey(Schema.Array(Schema.String))
})
export interface OwnKind extends Schema.Schema.Type<typeof OwnKind> {}

/** The kind of a name on the wire. */
const fromName = (kind: string, declared: ReadonlyMap<string, ReadonlyArray<string>>) => {
  const parsed = Kind.parseName(kind)
  const columns = declared.get(kind)
  return parsed && { kind, ...parsed, ...(columns === undefined ? {} : { columns }) }
}

/** The kind with a name on the wire, or the only one with a name; none where several have it. */
export const kindNamed = <K extends OwnKind>(kinds: ReadonlyArray<K>, given: string): K | undefined => {
  const [first, ...others] = kinds.filter(({ kind, name }) => kind === given || name === given)
  return others.length > 0 ? undefined : first
}

/** A write by a verb. Without an id, `put` writes a new row. `unset` are columns that a `patch` takes out. */
export interface WriteInput {
  readonly id?: string
  readonly unset?: ReadonlyArray<string>
  /** `{ by }` of `increment`, `{ member }` of `add` and `remove`; else columns. */
  readonly input: unknown
}

/** Kinds are named as on the wire, or by their names alone where only one has it. */
export interface OwnRows {
  readonly kinds: Effect.Effect<ReadonlyArray<OwnKind>, StoreUnavailable>
  /** Declares a kind, by its name on the wire. It stays declared. */
  declare(
    kind: string,
    columns: ReadonlyArray<string>
  ): Effect.Effect<void, StoreUnavailable | KindMismatch | KindInvalid>
  get(kind: string, id: string): Effect.Effect<OwnRow, StoreUnavailable | RowNotFound | KindUndeclared>
  /** A page of the rows. Of large ones, an answer has fewer. */
  find(
    kind: string,
    input: OwnQuestion.FindInput
  ): Effect.Effect<Found<OwnRow>, StoreUnavailable | QueryInvalid | KindUndeclared>
  count(
    kind: string,
    input: OwnQuestion.FindInput
  ): Effect.Effect<number, StoreUnavailable | QueryInvalid | KindUndeclared>
  write(
    kind: string,
    verb: string,
    write: WriteInput
  ): Effect.Effect<Written, StoreUnavailable | OperationTooLarge | InputInvalid | RowNotFound | KindUndeclared>
}

/** What they are made over. */
export interface Over {
  readonly store: Store["Service"]
  /** Writes some operations on a row, together. */
  readonly write: (
    table: string,
    id: string,
    writings: ReadonlyArray<Rule.Writing>
  ) => Effect.Effect<Written, StoreUnavailable | OperationTooLarge>
  readonly fresh: Effect.Effect<string>
  /** Drawn once for each opening of the store, at the first use. */
  readonly epoch: Effect.Effect<string>
  /** A write reads a row before it: one at a time. */
  readonly editing: Semaphore.Semaphore
}

/** What is read of the store at once, and what an answer has at most besides its rows (characters of JSON). */
const page = { rows: 100, length: 4 * 1024 * 1024 } as const

const isRowId = Schema.is(RowId)
const isKindName = Schema.is(KindName)

/** Over a store. What is written to one of `kinds` has to fit its schema. */
export const make = ({ store, write: writeAll, fresh, epoch, editing }: Over, kinds: ReadonlyArray<Any>): OwnRows => {
  const known = new Map(kinds.map((kind) => [kind.table, kind]))

  const all = Effect.gen(function* () {
    const declared = yield* store.declared
    const names = new Set([...declared.keys(), ...(yield* store.kinds)])
    return [...names].flatMap((kind) => fromName(kind, declared) ?? [])
  })

  const named = Effect.fnUntraced(function* (name: string) {
    const known = isKindName(name) ? fromName(name, yield* store.declared) : undefined
    return known ?? kindNamed(yield* all, name) ?? (yield* new KindUndeclared({ kind: name }))
  })

  const get = Effect.fn("OwnRows.get")(function* (name: string, id: string) {
    const { kind } = yield* named(name)
    if (!isRowId(id)) return yield* new RowNotFound({ kind: name, id: String(id) })
    const shown = Query.shownOf(yield* store.currentOfRow(KindName.make(kind), id))
    return shown === undefined ? yield* new RowNotFound({ kind: name, id }) : rowOf(shown)
  })

  /** How to read the rows that are asked for, and which of them fit. */
  const asked = Effect.fnUntraced(function* (name: string, input: OwnQuestion.FindInput) {
    const { kind, columns } = yield* named(name)
    const table = KindName.make(kind)
    const where: Array<Query.Condition> = []
    for (const [field, wanted] of Object.entries(input.where ?? {}))
      where.push(yield* OwnQuestion.conditionOf(field, wanted, columns))
    const isDeclared = columns !== undefined
    const { words } = input
    const { search = [] } = known.get(kind) ?? {}
    const searched = input.columns ?? (search.length === 0 ? undefined : search)
    const request = {
      where,
      written: input,
      ...(words !== undefined && { words: { query: SearchQuery.fromText(words), columns: searched } })
    }
    const start = yield* OwnQuestion.startOf(input)
    // Where no application has declared the kind, there is no order but that of ids.
    const ordered = { ...start, where: isDeclared ? where : [] }
    return {
      start,
      read: (page: Query.Start & { readonly limit: number }) =>
        isDeclared ? store.rows(table, { ...request, ...page }) : OwnScan.rows(store, table, { ...request, ...page }),
      startAfter: (shown: Query.Shown) => Query.startAfter(table, ordered, shown)
    }
  })

  /** Gives the rows that are asked for to `take`, in their order, as long as it wants more. */
  const each = Effect.fnUntraced(function* (
    name: string,
    input: OwnQuestion.FindInput,
    limit: number,
    take: (shown: Query.Shown, after: Query.Start) => boolean
  ) {
    const { read, startAfter, start } = yield* asked(name, input)
    for (let from: Query.Start = start; ;) {
      const next: ReadonlyArray<Query.Shown> = yield* read({ ...from, limit })
      for (const shown of next) {
        from = startAfter(shown)
        if (!take(shown, from)) return
      }
      if (next.length < limit) return
    }
  })

  const find = Effect.fn("OwnRows.find")(function* (name: string, given: OwnQuestion.FindInput) {
    const input = yield* OwnQuestion.decode(given)
    const most = input.limit ?? limits.usual
    const rows: Array<OwnRow> = []
    let length = 0
    let end: Query.Start = {}
    let isMore = false
    yield* each(name, input, Math.min(page.rows, most + 1), (shown, after) => {
      length += JSON.stringify(shown.value).length
      isMore = rows.length > 0 && (rows.length === most || length > page.length)
      if (isMore) return false
      rows.push(rowOf(shown))
      end = after
      return true
    })
    const next = isMore ? OwnQuestion.cursorOf(end) : undefined
    return (next === undefined ? { rows } : { rows, next }) satisfies Found<OwnRow>
  })

  const count = Effect.fn("OwnRows.count")(function* (name: string, given: OwnQuestion.FindInput) {
    let sum = 0
    yield* each(name, yield* OwnQuestion.decode(given), page.rows, () => ++sum > 0)
    return sum
  })

  const write = Effect.fn("OwnRows.write")(function* (
    name: string,
    verb: string,
    { id: given, unset, input }: WriteInput
  ) {
    const { kind, rule, columns } = yield* named(name)
    if (columns === undefined) return yield* new KindUndeclared({ kind: name })
    const { verbs }: Rule.Rule = Rule.rules[rule]
    const does = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined
    if (does === undefined)
      return yield* invalid(
        "verb",
        `is ${JSON.stringify(verb)}, but rows with the rule ${rule} take ${Object.keys(verbs).join(", ")}`
      )
    const fitting = known.get(kind)
    if (fitting !== undefined) yield* checked(fitting, verb, input)
    const content = yield* contentOf(verb, input)
    if (given === undefined && verb !== "put") return yield* invalid("id", "is missing")
    const id = given ?? (yield* fresh)
    if (!isRowId(id)) return yield* invalid("id", "is not 1 to 256 bytes of printable text")
    // A column without a value is one that is taken out.
    const out = verb === "patch" ? (unset ?? []) : verb === "put" && rule === "fields" ? columns : []
    const whole = { ...Object.fromEntries(out.map((column) => [column, undefined])), ...content }
    return yield* editing.withPermit(
      Effect.gen(function* () {
        const current = yield* store.currentOfRow(KindName.make(kind), id)
        const isOfRow = verb === "patch" || verb === "delete"
        if (isOfRow && Query.shownOf(current) === undefined) return yield* new RowNotFound({ kind: name, id })
        const writings = does(current, whole, verb === "increment" ? yield* epoch : "")
        if (writings.length === 0) return yield* invalid("", "has nothing to write")
        return yield* writeAll(kind, id, writings)
      })
    )
  })

  const declare = Effect.fn("OwnRows.declare")(function* (kind: string, columns: ReadonlyArray<string>) {
    const parsed = Kind.parseName(kind)
    const reason = parsed === undefined ? "its name does not end with ! and a rule" : problemIn(parsed.name, columns)
    if (reason !== undefined) return yield* new KindInvalid({ kind, reason })
    yield* store.declare(new Map([[kind, columns]]))
  })

  return { kinds: all, declare, get, find, count, write }
}
