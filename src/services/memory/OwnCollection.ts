/**
 * The rows of a kind of an application by its schema: typed writes and reads over the rows in JSON (`OwnRows.ts`), of
 * this node or of one in another process.
 */
import { Effect, Predicate, Result, Schema, Stream } from "effect"
import * as Hlc from "../../core/replica/Hlc.ts"
import type { Content, Operation } from "../../core/replica/Operation.ts"
import * as Rule from "../../core/replica/Rule.ts"
import { InputInvalid, type KindUndeclared, QueryInvalid, RowUnreadable } from "../node/NodeFailure.ts"
import type { StoreUnavailable } from "../node/NodeFailure.ts"
import type { FeedEvent, FeedOptions } from "../store/Store.ts"
import * as Inputs from "./Inputs.ts"
import * as Live from "./Live.ts"
import type { Found, Page } from "./Reads.ts"
import type { Any, ChangeEvent, Collection, Provenance, Unreadable } from "./OwnKind.ts"
import { columnsOf, isUnreadable } from "./OwnKind.ts"
import { type FindInput, isRange } from "./OwnQuestion.ts"
import { fieldsOf } from "./OwnInput.ts"
import { type OwnRow, type OwnRows, valueOf, type WriteInput } from "./OwnRows.ts"
import { limits, wrong } from "./Reads.ts"

/** What a collection is made over. */
export interface Over {
  readonly own: OwnRows
  /** Called before each use of a kind. */
  readonly ready: (kind: Any) => Effect.Effect<void, StoreUnavailable>
  feed(options?: FeedOptions): Stream.Stream<FeedEvent, StoreUnavailable>
}

/** Rows that are read at once, at most. */
const pageRows = limits.most

type AnyRow = (Provenance & Content) | Unreadable

interface Asked {
  readonly where?: object | undefined
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

const invalid = (field: string, problem: string) => new InputInvalid({ problems: [{ field, problem }] })

/** What `ready` has made sure of. */
const declared = <A, E>(use: Effect.Effect<A, E | KindUndeclared>): Effect.Effect<A, E> =>
  Effect.catch(use, (error) => (isUndeclared(error) ? Effect.die(error) : Effect.fail(error)))

const isUndeclared = <E>(error: E | KindUndeclared): error is KindUndeclared =>
  Predicate.isTagged(error, "KindUndeclared")

export function make<K extends Any>(kind: K, over: Over): Collection<K>
export function make(kind: Any, { own, ready, feed }: Over): object {
  const { rule, row: schema, table } = kind
  const { verbs }: Rule.Rule = Rule.rules[rule]
  const decodeRow = Schema.decodeUnknownResult(schema, { errors: "all" })
  const columns = columnsOf(kind)
  const fields = fieldsOf(kind)

  /** The columns of a row, by its schema; or the problem. */
  const read = (value: Content): Result.Result<object, string> => {
    if (rule === "counter") return Result.succeed(value)
    if (rule !== "set")
      return Result.mapBoth(decodeRow(value), {
        onSuccess: (decoded) => ({ ...Object(decoded) }),
        onFailure: ({ message }) => message
      })
    const { members } = value
    const all = Result.all((Array.isArray(members) ? members : []).map((member: unknown) => decodeRow(member)))
    return Result.mapBoth(all, { onSuccess: (members) => ({ members }), onFailure: ({ message }) => message })
  }

  const present = (row: OwnRow): AnyRow => {
    const { id, updated_at, origin_node, hlc } = row
    const provenance = { id, updated_at, origin_node, hlc }
    const value = valueOf(row)
    return Result.match(read(value), {
      onSuccess: (columns) => ({ ...columns, ...provenance }),
      onFailure: (problem): Unreadable => ({ _tag: "Unreadable", ...provenance, value, problem })
    })
  }

  const write = Effect.fnUntraced(function* (verb: string, input: WriteInput) {
    yield* ready(kind)
    return yield* declared(own.write(table, verb, input))
  })

  const put = Effect.fnUntraced(function* (first: unknown, second?: unknown) {
    const isNew = second === undefined
    const input = yield* Inputs.encoder(schema)(isNew ? first : second)
    return yield* write("put", { ...(isNew ? {} : { id: String(first) }), input })
  })

  const patch = Effect.fnUntraced(function* (id: string, some: object) {
    const input: { [column: string]: unknown } = {}
    const unset: Array<string> = []
    for (const [column, value] of Object.entries(some)) {
      if (!Object.hasOwn(fields, column)) return yield* invalid(column, "is not a known field")
      if (value === undefined) unset.push(column)
      else input[column] = yield* encodedField(column, value)
    }
    return yield* write("patch", { id, input, unset })
  })

  const encodedField = (column: string, value: unknown) =>
    Effect.map(
      Inputs.encoder(Schema.Struct({ [column]: fields[column] ?? Schema.Unknown }))({ [column]: value }),
      (content) => (Predicate.hasProperty(content, column) ? content[column] : undefined)
    )

  const member = (verb: "add" | "remove") => (id: string, given: unknown) =>
    Effect.flatMap(Inputs.encoder(schema)(given), (member) => write(verb, { id, input: { member } }))

  const get = Effect.fnUntraced(function* (id: string) {
    yield* ready(kind)
    const row = present(yield* declared(own.get(table, id)))
    if (!isUnreadable(row)) return row
    return yield* new RowUnreadable({ kind: kind.name, id, value: row.value, reason: row.problem })
  })

  const find = Effect.fnUntraced(function* (input: FindInput) {
    yield* ready(kind)
    return yield* declared(own.find(table, input))
  })

  const list = Effect.fnUntraced(function* ({ after, limit = Infinity }: Page = {}) {
    const rows: Array<AnyRow> = []
    let from: FindInput = after === undefined ? {} : { after }
    while (rows.length < limit) {
      const wanted = { ...from, limit: Math.min(pageRows, limit - rows.length) }
      const page: Found<OwnRow> = yield* Effect.catchTag(find(wanted), "QueryInvalid", Effect.die)
      for (const row of page.rows) rows.push(present(row))
      if (page.next === undefined) break
      from = { cursor: page.next }
    }
    return rows
  })

  /** The readable rows that are found, a page of them. */
  const found = Effect.fnUntraced(function* (input: FindInput) {
    const { limit = limits.usual } = input
    const rows: Array<AnyRow> = []
    for (let from = input; ;) {
      const page: Found<OwnRow> = yield* find({ ...from, limit: limit - rows.length })
      rows.push(...page.rows.map(present).filter((row) => !isUnreadable(row)))
      if (page.next === undefined || rows.length === limit) {
        return { rows, ...(page.next === undefined ? {} : { next: page.next }) } satisfies Found<AnyRow>
      }
      from = { ...input, cursor: page.next }
    }
  })

  /** Conditions in JSON. */
  const conditions = Effect.fnUntraced(function* ({ where = {}, limit, cursor }: Asked) {
    const all: { [field: string]: unknown } = {}
    for (const [field, wanted] of Object.entries(where)) {
      if (wanted === undefined) continue
      if (!columns.includes(field)) return yield* wrong(field, "is not a known field")
      if (!isRange(wanted)) {
        all[field] = yield* comparable(field, wanted)
        continue
      }
      const ends = Object.entries(wanted).filter(([, end]) => end !== undefined)
      const range: { [end: string]: unknown } = {}
      for (const [end, value] of ends) range[end] = yield* comparable(field, value)
      all[field] = range
    }
    return {
      where: all,
      ...(limit === undefined ? {} : { limit }),
      ...(cursor === undefined ? {} : { cursor })
    } satisfies FindInput
  })

  const comparable = (field: string, value: unknown): Effect.Effect<unknown, QueryInvalid> =>
    !Object.hasOwn(fields, field)
      ? Effect.succeed(value)
      : Effect.mapError(encodedField(field, value), ({ problems }) => new QueryInvalid({ problems }))

  const query = (input: Asked = {}) => Effect.flatMap(conditions(input), found)

  const count = Effect.fnUntraced(function* (input: Asked = {}) {
    const asked = yield* conditions(input)
    yield* ready(kind)
    return yield* declared(own.count(table, asked))
  })

  const live = (input: Asked = {}) =>
    Live.make(
      { feed },
      [table],
      Effect.map(query({ limit: limits.most, ...input }), ({ rows }) => rows)
    )

  const search = ({
    query: words,
    ...page
  }: {
    readonly query: string
    readonly limit?: number
    readonly cursor?: string
  }) => found({ ...page, words, columns: kind.search })

  const changed = Effect.fnUntraced(function* (operations: ReadonlyArray<Operation>) {
    const latest = new Map<string, Operation>()
    for (const operation of operations) {
      const before = latest.get(operation.row_id)
      if (before === undefined || Hlc.HlcOrder(operation.hlc, before.hlc) > 0) latest.set(operation.row_id, operation)
    }
    return yield* Effect.forEach([...latest.values()], ({ row_id: id, hlc }) =>
      declared(own.get(table, id)).pipe(
        Effect.map(present),
        Effect.catchTag("RowNotFound", () => Effect.undefined),
        Effect.map((row) => ({ id, row, origin_node: hlc.node, hlc: Hlc.toText(hlc) }))
      )
    )
  })

  const changes = (options: { readonly since?: string } = {}) =>
    Stream.unwrap(
      Effect.as(
        ready(kind),
        Stream.mapEffect(
          feed({ ...options, kinds: [table] }),
          (event): Effect.Effect<ChangeEvent<Any>, StoreUnavailable> =>
            event._tag === "Reset"
              ? Effect.succeed({ _tag: "Reset", cursor: event.cursor })
              : Effect.map(changed(event.operations), (rows) => ({ _tag: "Changed", cursor: event.cursor, rows }))
        )
      )
    )

  const all = {
    put,
    patch,
    delete: (id: string) => write("delete", { id, input: {} }),
    increment: (id: string, by = 1) => write("increment", { id, input: { by } }),
    add: member("add"),
    remove: member("remove")
  }
  return {
    ...Object.fromEntries(Object.entries(all).filter(([verb]) => Object.hasOwn(verbs, verb))),
    get,
    list,
    query,
    count,
    search,
    live,
    changes
  }
}
