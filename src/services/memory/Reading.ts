/**
 * The reads of `Memory` over the store: by id, by filters, and by words.
 */
import { Effect, Option, Schema } from "effect"
import * as Kind from "../../core/replica/Kind.ts"
import { Kind as KindName, type Operation } from "../../core/replica/Operation.ts"
import * as Row from "../../core/replica/Row.ts"
import * as Search from "../../core/replica/Search.ts"
import * as Selection from "../../core/replica/Selection.ts"
import { RowNotFound } from "../node/NodeFailure.ts"
import type { Store } from "../store/Store.ts"
import * as Reads from "./Reads.ts"

export const make = (store: Store["Service"]) => {
  /** Some rows, and the cursor of the next ones. One more than wanted is read, to know whether there are any. */
  const page = <Row>(
    operations: ReadonlyArray<Operation>,
    limit: number,
    read: (operation: Operation) => ReadonlyArray<Row>
  ): Reads.Found<Row> => {
    const rows = operations.slice(0, limit)
    const last = rows.at(-1)
    const next =
      operations.length > limit && last !== undefined ? Selection.cursorOf(Selection.placeOf(last)) : undefined
    return { rows: rows.flatMap(read), ...(next === undefined ? {} : { next }) }
  }

  const select = <Row>({ limit, ...question }: Reads.Question, read: (operation: Operation) => ReadonlyArray<Row>) =>
    Effect.map(store.select({ ...question, limit: limit + 1 }), (operations) => page(operations, limit, read))

  const get = Effect.fn("Memory.get")(function* (kind: string, id: string) {
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
    return yield* select(
      { ...question, filter: { ...question.filter, kinds: [Kind.table.facts.name] } },
      (operation) => [Row.factFromOperation(operation)]
    )
  })

  const find = Effect.fnUntraced(function* (query: string, { filter, after, limit }: Reads.Question) {
    const words = Search.wordsOf(query)
    const fits = Selection.matcher(filter)
    const operations = (yield* store.search(words, 100_000)).filter(
      (row) => fits(row) && (after === undefined || Selection.isAfter(Selection.placeOf(row), after))
    )
    return page(operations.toSorted(Selection.OperationOrder).slice(0, limit + 1), limit, matchOf(words))
  })

  const searchPage = Effect.fn("Memory.searchPage")(function* (input: Reads.SearchPageInput) {
    const { given, question } = yield* Reads.decodeSearchPage(input)
    return yield* find(given.query, question)
  })

  const search = Effect.fn("Memory.search")(function* (input: Reads.SearchInput) {
    const { given, question } = yield* Reads.decodeSearch(input)
    return (yield* find(given.query, question)).rows
  })

  return { get, recent, about, searchPage, search }
}

const readers = new Map<string, (operation: Operation) => object>(
  Kind.all.map((kind: Kind.Kind) => [kind.name, Row.reader(kind)])
)
const isRow = Schema.is(Reads.AnyRow)
const isMatch = Schema.is(Reads.Match)

const anyRow = (operation: Operation): ReadonlyArray<Reads.AnyRow> => {
  const row: unknown = { kind: operation.table, ...readers.get(operation.table)?.(operation) }
  return isRow(row) ? [row] : []
}

const matchOf =
  (words: ReadonlyArray<string>) =>
  (operation: Operation): ReadonlyArray<Reads.Match> => {
    const snippet = Search.snippetOf(Search.textOf(operation) ?? "", words)
    const match: unknown = { kind: operation.table, snippet, ...readers.get(operation.table)?.(operation) }
    return isMatch(match) ? [match] : []
  }
