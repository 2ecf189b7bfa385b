/**
 * The reads of `Memory` over the store: by id, by filters, and by words.
 */
import { Effect, Option, Schema } from "effect"
import * as Kind from "../../core/replica/Kind.ts"
import { Kind as KindName, type Operation } from "../../core/replica/Operation.ts"
import * as Row from "../../core/replica/Row.ts"
import * as Search from "../../core/replica/Search.ts"
import * as Selection from "../../core/replica/Selection.ts"
import * as Query from "../../core/search/SearchQuery.ts"
import * as Snippet from "../../core/search/Snippet.ts"
import { RowNotFound } from "../node/NodeFailure.ts"
import type { Hits } from "../store/Searching.ts"
import type { Store } from "../store/Store.ts"
import * as Arguments from "./Arguments.ts"
import * as Live from "./Live.ts"
import type { Memory } from "./Memory.ts"
import * as Reads from "./Reads.ts"

export const make = (store: Store["Service"]) => {
  /** Rows, and the cursor of the next ones where there are more. */
  const answer = <Row>(
    rows: ReadonlyArray<Row>,
    last: Selection.Place | undefined,
    { isMore, indexing }: Pick<Hits, "isMore" | "indexing">
  ): Reads.Found<Row> => ({
    rows,
    ...(isMore && last !== undefined ? { next: Selection.cursorOf(last) } : {}),
    ...(indexing === undefined ? {} : { indexing })
  })

  const select = Effect.fnUntraced(function* <Row>(
    question: Reads.Question,
    read: (operation: Operation) => ReadonlyArray<Row>
  ) {
    const page = yield* store.select(question)
    const last = page.operations.at(-1)
    return answer(page.operations.flatMap(read), last && Selection.placeOf(last), page)
  })

  const get = Effect.fn("Memory.get")(function* (givenKind: string, givenId: string) {
    const { kind, id } = yield* Arguments.question({ kind: givenKind, id: givenId })
    const isRead = Kind.find(kind) !== undefined
    const operation = isRead ? Option.getOrUndefined(yield* store.get(KindName.make(kind), id)) : undefined
    const [row] = operation === undefined || operation.op_type === "delete" ? [] : anyRow(operation)
    return row ?? (yield* new RowNotFound({ kind, id }))
  })

  const recent = Effect.fn("Memory.recent")(function* (input: Reads.RecentInput = {}) {
    return yield* select((yield* Reads.decodeRecent(input)).question, anyRow)
  })

  const about = Effect.fn("Memory.facts.about")(function* (input: Reads.AboutInput) {
    const { question } = yield* Reads.decodeAbout(input)
    const filter = { ...question.filter, kinds: [Kind.table.facts.name] }
    return yield* select({ ...question, filter }, (operation) => [Row.factFromOperation(operation)])
  })

  const find = Effect.fnUntraced(function* (text: string, question: Reads.Question) {
    const query = Query.fromText(text)
    const found = yield* store.search({ ...question, query })
    const last = found.hits.at(-1)
    const rows = found.hits.flatMap(({ operation }) => matchOf(operation, query))
    return answer(rows, last && Selection.placeOf(last.operation, last.rank), found)
  })

  const searchPage = Effect.fn("Memory.searchPage")(function* (input: Reads.SearchPageInput) {
    const { given, question } = yield* Reads.decodeSearchPage(input)
    return yield* find(given.query, question)
  })

  const search = Effect.fn("Memory.search")(function* (input: Reads.SearchInput) {
    const { given, question } = yield* Reads.decodeSearch(input)
    yield* store.index
    return (yield* find(given.query, question)).rows
  })

  return { get, recent, about, searchPage, search }
}

/** The answers of `recent` that stay up to date. */
export const live =
  (followed: Live.Followed, recent: Memory["Service"]["recent"]): Memory["Service"]["live"] =>
  (input = {}) =>
    Live.make(
      followed,
      input.kinds,
      Effect.map(recent({ limit: Reads.limits.most, ...input }), ({ rows }) => rows)
    )

const readers = new Map<string, (operation: Operation) => object>(
  Kind.all.map((kind: Kind.Kind) => [kind.name, Row.reader(kind)])
)
const isRow = Schema.is(Reads.AnyRow)
const isMatch = Schema.is(Reads.Match)

const anyRow = (operation: Operation): ReadonlyArray<Reads.AnyRow> => {
  const row: unknown = { kind: operation.table, ...readers.get(operation.table)?.(operation) }
  return isRow(row) ? [row] : []
}

const matchOf = (operation: Operation, query: Query.Query): ReadonlyArray<Reads.Match> => {
  const snippet = Snippet.of(Search.textOf(operation) ?? "", query)
  const match: unknown = { kind: operation.table, ...snippet, ...readers.get(operation.table)?.(operation) }
  return isMatch(match) ? [match] : []
}
