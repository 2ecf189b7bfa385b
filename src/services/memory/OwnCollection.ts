/**
 * The rows of a kind of an application, over the store: typed writes and reads.
 */
import { Effect, Option, Predicate, Result, Schema, type Semaphore, Stream, Struct } from "effect"
import * as Hlc from "../../core/replica/Hlc.ts"
import { canonical, isWellFormed } from "../../core/replica/Json.ts"
import { type Content, Kind as KindName, maxDataDepth, type Operation, RowId } from "../../core/replica/Operation.ts"
import * as Query from "../../core/replica/Query.ts"
import * as Rule from "../../core/replica/Rule.ts"
import { slotOfMember } from "../../core/replica/rules/Set.ts"
import * as Cursor from "../../core/text/Cursor.ts"
import * as SearchQuery from "../../core/search/SearchQuery.ts"
import * as Tokens from "../../core/search/Tokens.ts"
import { InputInvalid, KindUndeclared, QueryInvalid, RowNotFound, RowUnreadable } from "../node/NodeFailure.ts"
import type { OperationTooLarge, StoreUnavailable } from "../node/NodeFailure.ts"
import type { Store } from "../store/Store.ts"
import * as Inputs from "./Inputs.ts"
import * as Live from "./Live.ts"
import type { Page, Written } from "./Reads.ts"
import type { Any, ChangeEvent, Collection, Provenance, Unreadable } from "./OwnKind.ts"
import { columnsOf, isUnreadable } from "./OwnKind.ts"
import { type Found, limits, wrong } from "./Reads.ts"

/** What a collection is made over. */
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

/** Rows that are read from the store at once. */
const pageRows = 1_000

type AnyRow = (Provenance & Content) | Unreadable

const invalid = (field: string, problem: string) => new InputInvalid({ problems: [{ field, problem }] })
const isRowId = Schema.is(RowId)

export function make<K extends Any>(kind: K, over: Over): Collection<K>
export function make(kind: Any, { store, write, fresh, epoch, editing }: Over): object {
  const { rule, row: schema } = kind
  const table = KindName.make(kind.table)
  const { verbs }: Rule.Rule = Rule.rules[rule]
  const decodeRow = Schema.decodeUnknownResult(schema, { errors: "all" })
  const columns = columnsOf(kind)
  const fields: { readonly [name: string]: unknown } = "fields" in schema ? { ...Object(schema.fields) } : {}

  const declared = Effect.flatMap(store.declared, (kinds) =>
    kinds.has(table) ? Effect.void : Effect.die(new KindUndeclared({ kind: kind.name }))
  )

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

  const present = ({ id, value, hlc }: Query.Shown): AnyRow => {
    const provenance = { id, updated_at: hlc.wall / 1000, origin_node: hlc.node, hlc: Hlc.toText(hlc) }
    return Result.match(read(value), {
      onSuccess: (columns) => ({ ...columns, ...provenance }),
      onFailure: (problem): Unreadable => ({ _tag: "Unreadable", ...provenance, value, problem })
    })
  }

  /** What an input says in JSON. */
  const encoded = (of: Schema.Codec<unknown, unknown>, input: unknown, field = "") =>
    Effect.flatMap(Inputs.encoder(of)(input), (value) =>
      isWellFormed(value)
        ? Option.match(canonical(value, maxDataDepth), {
            onNone: () => Effect.fail(invalid(field, `is nested more than ${maxDataDepth} deep`)),
            onSome: () => Effect.succeed(value)
          })
        : Effect.fail(
            invalid(field, "contains half of a surrogate pair: cut text between characters, or use toWellFormed")
          )
    )

  /** Does what a verb does. */
  const change = Effect.fnUntraced(function* (verb: string, id: string, input: Content, isOfRow: boolean) {
    yield* declared
    if (!isRowId(id)) return yield* invalid("id", "is not 1 to 256 bytes of printable text")
    const held = yield* store.held(table, id)
    if (isOfRow && Query.shownOf(held) === undefined) return yield* new RowNotFound({ kind: kind.name, id })
    const writings = verbs[verb]?.(held, input, verb === "increment" ? yield* epoch : "") ?? []
    if (writings.length === 0) return yield* invalid("", "has nothing to write")
    return yield* write(table, id, writings)
  }, editing.withPermit)

  const put = Effect.fnUntraced(function* (first: unknown, second?: unknown) {
    const [id, given] = second === undefined ? [yield* fresh, first] : [String(first), second]
    const content: object = Object(yield* encoded(schema, given))
    // A column without a value is one that is taken out.
    const missing = rule === "fields" ? columns.map((column) => [column, undefined] as const) : []
    return yield* Effect.catchTag(
      change("put", id, { ...Object.fromEntries(missing), ...content }, false),
      "RowNotFound",
      Effect.die
    )
  })

  const patch = Effect.fnUntraced(function* (id: string, some: object) {
    const content: { [column: string]: unknown } = {}
    for (const [column, value] of Object.entries(some)) {
      const field = Object.hasOwn(fields, column) ? fields[column] : undefined
      if (!isCodec(field)) return yield* invalid(column, "is not a known field")
      content[column] = value === undefined ? undefined : yield* encodedField(column, value)
    }
    return yield* change("patch", id, content, true)
  })

  const encodedField = (column: string, value: unknown) => {
    const field = fields[column]
    return Effect.map(
      encoded(Schema.Struct({ [column]: isCodec(field) ? field : Schema.Unknown }), { [column]: value }),
      (content) => (Predicate.hasProperty(content, column) ? content[column] : undefined)
    )
  }

  const increment = Effect.fnUntraced(function* (id: string, by = 1) {
    if (!Number.isSafeInteger(by)) return yield* invalid("by", "is not a whole number")
    return yield* Effect.catchTag(change("increment", id, { by }, false), "RowNotFound", Effect.die)
  })

  const member = (verb: "add" | "remove") =>
    Effect.fnUntraced(function* (id: string, given: unknown) {
      const value = yield* encoded(schema, given, "member")
      if (slotOfMember(value) === undefined)
        return yield* invalid("member", "is more than 256 bytes of JSON, or not printable")
      return yield* Effect.catchTag(change(verb, id, { member: value }, false), "RowNotFound", Effect.die)
    })

  const get = Effect.fnUntraced(function* (id: string) {
    yield* declared
    const shown = Query.shownOf(yield* store.held(table, id))
    if (shown === undefined) return yield* new RowNotFound({ kind: kind.name, id })
    const row = present(shown)
    if (!isUnreadable(row)) return row
    return yield* new RowUnreadable({ kind: kind.name, id, value: row.value, reason: row.problem })
  })

  const list = Effect.fnUntraced(function* ({ after, limit = Infinity }: Page = {}) {
    yield* declared
    const rows: Array<AnyRow> = []
    let from: Query.Place | undefined = after === undefined ? undefined : { key: null, id: after }
    while (rows.length < limit) {
      const wanted = Math.min(pageRows, limit - rows.length)
      const page: ReadonlyArray<Query.Shown> = yield* store.rows(table, { where: [], after: from, limit: wanted })
      for (const shown of page) rows.push(present(shown))
      const last = page.at(-1)
      if (last === undefined || page.length < wanted) break
      from = Query.placeOf(last, undefined)
    }
    return rows
  })

  /** The readable rows that fit, a page of them. */
  const found = Effect.fnUntraced(function* (
    where: ReadonlyArray<Query.Condition>,
    fits: (shown: Query.Shown) => boolean,
    { limit, cursor }: { readonly limit?: number | undefined; readonly cursor?: string | undefined }
  ) {
    yield* declared
    const most = yield* limitOf(limit)
    const ordered = Query.orderedBy(where)
    const rows: Array<AnyRow> = []
    let end: Query.Place | undefined
    for (let after = yield* placeFrom(cursor); ;) {
      const page: ReadonlyArray<Query.Shown> = yield* store.rows(table, { where, after, limit: most + 1 })
      for (const shown of page) {
        const row = fits(shown) ? present(shown) : undefined
        if (row === undefined || isUnreadable(row)) continue
        if (rows.length === most && end !== undefined)
          return { rows, next: cursors.toText(end) } satisfies Found<AnyRow>
        rows.push(row)
        end = Query.placeOf(shown, ordered)
      }
      const last = page.at(-1)
      if (last === undefined || page.length <= most) return { rows } satisfies Found<AnyRow>
      after = Query.placeOf(last, ordered)
    }
  })

  const query = Effect.fnUntraced(function* (
    input: { readonly where?: object; readonly limit?: number; readonly cursor?: string } = {}
  ) {
    const where: Array<Query.Condition> = []
    for (const [field, wanted] of Object.entries(input.where ?? {})) {
      if (wanted !== undefined) where.push(yield* condition(field, wanted))
    }
    return yield* found(where, () => true, input)
  })

  const live = (input: { readonly where?: object; readonly limit?: number } = {}) =>
    Live.make(
      store,
      [table],
      Effect.map(query({ limit: limits.most, ...input }), ({ rows }) => rows)
    )

  const comparable = Effect.fnUntraced(function* (field: string, value: unknown) {
    if (value === undefined) return undefined
    const content =
      columns.includes(field) && rule !== "counter" && rule !== "set"
        ? encodedField(field, value)
        : Effect.succeed(value)
    const scalar = yield* Effect.mapError(content, ({ problems }) => new QueryInvalid({ problems }))
    if (Predicate.isString(scalar) || Predicate.isNumber(scalar) || Predicate.isBoolean(scalar) || scalar === null)
      return scalar
    return yield* wrong(field, "is neither text nor a number, nor true or false")
  })

  const condition = Effect.fnUntraced(function* (
    field: string,
    wanted: unknown
  ): Effect.fn.Return<Query.Condition, QueryInvalid> {
    if (!columns.includes(field)) return yield* wrong(field, "is not a known field")
    if (!isRange(wanted)) return { field, equals: (yield* comparable(field, wanted)) ?? null }
    const [from, to] = [yield* comparable(field, wanted.from), yield* comparable(field, wanted.to)]
    const isBound = (bound: unknown) => bound === undefined || Predicate.isString(bound) || Predicate.isNumber(bound)
    if (!isBound(from) || !isBound(to))
      return yield* wrong(field, "has a range that is neither of texts nor of numbers")
    return {
      field,
      ...(Predicate.isString(from) || Predicate.isNumber(from) ? { from } : {}),
      ...(Predicate.isString(to) || Predicate.isNumber(to) ? { to } : {})
    }
  })

  const search = ({
    query,
    ...page
  }: {
    readonly query: string
    readonly limit?: number
    readonly cursor?: string
  }) => {
    const wanted = SearchQuery.fromText(query)
    const textOf = ({ value }: Query.Shown) =>
      kind.search
        .map((column) => (Predicate.isString(value[column]) ? value[column] : JSON.stringify(value[column] ?? "")))
        .join("\n")
    return found([], (shown) => SearchQuery.rankOf(Tokens.of(textOf(shown)), wanted) > 0, page)
  }

  const changed = Effect.fnUntraced(function* (operations: ReadonlyArray<Operation>) {
    const latest = new Map<string, Operation>()
    for (const operation of operations) {
      const before = latest.get(operation.row_id)
      if (before === undefined || Hlc.HlcOrder(operation.hlc, before.hlc) > 0) latest.set(operation.row_id, operation)
    }
    return yield* Effect.forEach([...latest.values()], ({ row_id: id, hlc }) =>
      Effect.map(store.held(table, id), (held) => {
        const shown = Query.shownOf(held)
        return { id, row: shown && present(shown), origin_node: hlc.node, hlc: Hlc.toText(hlc) }
      })
    )
  })

  const changes = (options: { readonly since?: string } = {}) =>
    Stream.unwrap(
      Effect.as(
        declared,
        Stream.mapEffect(
          store.feed({ ...options, kinds: [table] }),
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
    delete: (id: string) => change("delete", id, {}, true),
    increment,
    add: member("add"),
    remove: member("remove")
  }
  return {
    ...Object.fromEntries(Object.entries(all).filter(([verb]) => Object.hasOwn(verbs, verb))),
    get,
    list,
    query,
    search,
    live,
    changes
  }
}

/** The collection of a kind where no application has declared it: each use is a defect. */
export function absent<K extends Any>(kind: K): Collection<K>
export function absent({ name }: Any): object {
  const dead = () => Effect.die(new KindUndeclared({ kind: name }))
  const deadStream = () => Stream.die(new KindUndeclared({ kind: name }))
  const verbs = ["put", "patch", "delete", "increment", "add", "remove", "get", "list", "query", "search"] as const
  return { ...Struct.Record(verbs, dead), live: deadStream, changes: deadStream }
}

/** The fields of a struct that is a codec are codecs. */
const isCodec = (field: unknown): field is Schema.Codec<unknown> => Schema.isSchema(field)

const isRange = (value: unknown): value is { readonly from?: unknown; readonly to?: unknown } =>
  Predicate.isObject(value) &&
  Object.keys(value).length > 0 &&
  Object.keys(value).every((key) => key === "from" || key === "to")

const limitOf = (limit: number = limits.usual) =>
  Number.isSafeInteger(limit) && limit >= 1 && limit <= limits.most
    ? Effect.succeed(limit)
    : Effect.fail(wrong("limit", `is not a number from 1 to ${limits.most}`))

const cursors = Cursor.make(
  Schema.Struct({ key: Schema.Union([Schema.String, Schema.Finite, Schema.Null]), id: Schema.String })
)

const placeFrom = (cursor: string | undefined): Effect.Effect<Query.Place | undefined, QueryInvalid> =>
  cursor === undefined
    ? Effect.undefined
    : Effect.mapError(Effect.fromOption(cursors.fromText(cursor)), () =>
        wrong("cursor", "is not the next of an answer before")
      )
