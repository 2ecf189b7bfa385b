/** Answers the requests of the contract that are about the memory. */
import { Effect, Stream, Struct } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import * as Kind from "../../../core/replica/Kind.ts"
import * as Inputs from "../../memory/Inputs.ts"
import * as KindView from "../../memory/KindView.ts"
import {
  type Collection,
  type Collections,
  type Deleting,
  type Inserting,
  Memory,
  type Page,
  type Rows,
  type VersionRow,
  type Write
} from "../../memory/Memory.ts"
import * as OwnKind from "../../memory/OwnKind.ts"
import * as Reads from "../../memory/Reads.ts"
import { Peers } from "../../peers/Peers.ts"
import * as Contract from "./Contract.ts"
import * as Events from "./Events.ts"
import { NotFound } from "./Failures.ts"
import * as Paging from "./Paging.ts"

const events = HttpApiBuilder.group(
  Contract.Private,
  "events",
  Effect.fnUntraced(function* (handlers) {
    const memory = yield* Memory
    const place: Events.Place = { memory, peers: yield* Peers, limits: yield* Events.Limits, readers: 0 }
    const list = (text: string | undefined) => text?.split(",").map((part) => part.trim())
    return handlers.handleAll({
      events: ({ headers, query, request }) => {
        const types = list(query.types)
        const wanted = {
          since: headers["last-event-id"] ?? query.since,
          types: types && Events.types.filter((type) => types.includes(type)),
          kinds: list(query.kinds)
        }
        return Events.answer(place, wanted, request)
      },
      // A failure in the middle breaks the connection, which the reader sees.
      feed: ({ query: { follow, ...query } }) =>
        Effect.succeed(Stream.orDie(memory.feed({ ...query, follow: follow !== "false" }))),
      changes: () => Effect.succeed(Stream.map(memory.changes, ({ version, operations }) => ({ version, operations })))
    })
  })
)

const waiting = HttpApiBuilder.group(
  Contract.Private,
  "waiting",
  Effect.fnUntraced(function* (handlers) {
    const memory = yield* Memory
    return handlers.handleAll({ wait: ({ payload }) => memory.waitFor(payload) })
  })
)

const history = HttpApiBuilder.group(
  Contract.Private,
  "history",
  Effect.fnUntraced(function* (handlers) {
    const memory = yield* Memory
    return handlers.handleAll({
      list: ({ query: { kind, id, ...page } }) => Paging.whole(memory.history(kind, id), byVersion)(page),
      deleted: ({ query: { cursor, ...query } }) => memory.deleted({ ...query, ...(cursor ? { cursor } : {}) }),
      erase: ({ query: { kind, id } }) => memory.eraseHistory(kind, id),
      restore: ({ payload: { kind, id, version } }) => memory.restoreVersion(kind, id, version),
      conflicts: ({ payload }) => memory.conflicts(payload)
    })
  })
)

/** The greatest version comes first. */
const byVersion = ({ version }: VersionRow) => String(Number.MAX_SAFE_INTEGER - version).padStart(16, "0")

const reads = HttpApiBuilder.group(
  Contract.Private,
  "reads",
  Effect.fnUntraced(function* (handlers) {
    const { search, searchPage, recent, newest, facts, get } = yield* Memory
    return handlers.handleAll({
      search: ({ payload }) => Effect.flatMap(Reads.decodeSearchPage(payload), ({ given }) => search(given)),
      searchPage: ({ payload }) => Effect.flatMap(Reads.decodeSearchPage(payload), ({ given }) => searchPage(given)),
      recent: ({ payload }) => Effect.flatMap(Reads.decodeRecent(payload), ({ given }) => recent(given)),
      // It is decoded there.
      newest: ({ payload }) => newest(Object(payload)),
      about: ({ payload }) => Effect.flatMap(Reads.decodeAbout(payload), ({ given }) => facts.about(given)),
      row: ({ query: { kind, id } }) => get(kind, id)
    })
  })
)

/** The way to the rows of a kind. A new one is made of a value of any shape. */
const routeOf = <K extends Kind.Kind>(kind: K, collection: Collection<K>) => {
  const verb: K["verb"] = kind.verb
  const inserting: Inserting<K> = collection
  const decode = Inputs.decoder(kind.input)
  return {
    list: (page: Page): Rows<{ readonly id: string }> => collection.list(page),
    insert: (payload: unknown): Write => Effect.flatMap(decode(payload), inserting[verb]),
    remove: isDeleting(collection) ? collection.delete : () => Effect.fail(new NotFound())
  }
}

const isDeleting = (collection: object): collection is Deleting => "delete" in collection

const rows = HttpApiBuilder.group(
  Contract.Private,
  "rows",
  Effect.fnUntraced(function* (handlers) {
    const memory = yield* Memory
    const of = <Name extends keyof Kind.Table>(name: Name, memory: Collections) =>
      routeOf<Kind.Table[Name]>(Kind.table[name], memory[name])
    const routes = new Map<string, ReturnType<typeof of>>(
      Struct.keys(Kind.table).map((name) => [Kind.table[name].path, of(name, memory)])
    )
    const route = ({ params }: { readonly params: { readonly collection: string } }) =>
      Effect.mapError(Effect.fromNullishOr(routes.get(params.collection)), () => new NotFound())
    return handlers.handleAll({
      list: Effect.fnUntraced(function* (request) {
        const { list } = yield* route(request)
        const { after, ...query } = request.query
        return yield* Paging.answer(
          query,
          (page) => list({ ...(after === undefined ? {} : { after }), ...page }),
          ({ id }) => id
        )
      }),
      insert: (request) => Effect.flatMap(route(request), ({ insert }) => insert(request.payload)),
      remove: Effect.fnUntraced(function* (request) {
        return yield* (yield* route(request)).remove(request.query.id)
      }),
      editNote: ({ query, payload }) =>
        Effect.flatMap(Inputs.decodeNoteChange(payload), (change) => memory.notes.edit(query.id, change)),
      setFact: ({ payload }) => Effect.flatMap(Inputs.decodeFact(payload), memory.facts.set)
    })
  })
)

const kinds = HttpApiBuilder.group(
  Contract.Private,
  "kinds",
  Effect.fnUntraced(function* (handlers) {
    const { own } = yield* Memory
    const kinds = Paging.whole(own.kinds, ({ kind }) => kind)
    return handlers.handleAll({
      all: ({ query }) => kinds(query),
      declare: ({ params, payload }) => own.declare(params.kind, payload.columns),
      list: ({ params, query: { cursor, newest, ...query } }) =>
        own.find(params.kind, {
          ...query,
          ...(newest === "true" && { newest: true }),
          ...(cursor !== undefined && cursor !== "" && { cursor })
        }),
      row: ({ params, query }) => own.get(params.kind, query.id),
      // It is decoded there.
      find: ({ params, payload }) => own.find(params.kind, Object(payload)),
      count: ({ params, payload }) => Effect.map(own.count(params.kind, Object(payload)), (count) => ({ count })),
      write: ({ params, query, payload }) => own.write(params.kind, params.verb, { ...query, input: payload })
    })
  })
)

const kindOf = ({ kind }: KindView.KindView) => kind

const ownSchema = HttpApiBuilder.group(
  Contract.Private,
  "ownSchema",
  Effect.fnUntraced(function* (handlers) {
    const { own } = yield* Memory
    const known = new Map((yield* OwnKind.Kinds).map((kind) => [kind.table, kind]))
    const views = Effect.map(own.kinds, (kinds) => kinds.map((kind) => KindView.ofOwn(kind, known.get(kind.kind))))
    return handlers.handleAll({ all: ({ query }) => Paging.whole(views, kindOf)(query) })
  })
)

/** What every user of this machine may know. */
export const schema = HttpApiBuilder.group(Contract.Public, "schema", (handlers) =>
  handlers.handleAll({ all: ({ query }) => Paging.whole(Effect.succeed(KindView.all), kindOf)(query) })
)

export const groups = [events, waiting, history, reads, rows, kinds, ownSchema] as const
