/**
 * Answers the requests of the contract from the services of the node.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer, Stream, Struct } from "effect"
import { HttpRouter } from "effect/http"
import { HttpApiBuilder, HttpApiError } from "effect/http-api"
import * as Kind from "../../../core/replica/Kind.ts"
import * as Archive from "../Archive.ts"
import { Config } from "../../node/Config.ts"
import {
  type Collection,
  type Collections,
  type Deleting,
  type Inserting,
  Memory,
  type Write
} from "../../memory/Memory.ts"
import * as Inputs from "../../memory/Inputs.ts"
import * as Reads from "../../memory/Reads.ts"
import { Peers } from "../../peers/Peers.ts"
import * as Origins from "../Origins.ts"
import * as Purging from "../Purging.ts"
import { Store } from "../../store/Store.ts"
import * as Verification from "../Verification.ts"
import * as Contract from "./Contract.ts"
import * as NodeState from "./NodeState.ts"

const page = ({ after, limit }: { readonly after?: string; readonly limit?: number }) => ({
  ...(after === undefined ? {} : { after }),
  limit: limit ?? Contract.maxPage
})

const node = Effect.fnUntraced(function* (apiPort: Effect.Effect<number | null>) {
  const status = yield* NodeState.running(apiPort)
  const peers = yield* Peers
  return { status: () => status, peers: () => peers.status }
})

const events = HttpApiBuilder.group(
  Contract.Contract,
  "events",
  Effect.fnUntraced(function* (handlers) {
    const memory = yield* Memory
    return handlers.handleAll({
      // A failure in the middle breaks the connection, which the reader sees.
      feed: ({ query: { follow, ...query } }) =>
        Effect.succeed(Stream.orDie(memory.feed({ ...query, follow: follow !== "false" }))),
      changes: () => Effect.succeed(Stream.map(memory.changes, ({ version, operations }) => ({ version, operations })))
    })
  })
)

const verify = HttpApiBuilder.group(
  Contract.Contract,
  "verify",
  Effect.fnUntraced(function* (handlers) {
    const { damage, audit, compare } = Verification.make(yield* Store, (yield* Peers).compare)
    return handlers.handleAll({ damage: () => damage, audit: () => audit, compare: () => compare })
  })
)

const reads = HttpApiBuilder.group(
  Contract.Contract,
  "reads",
  Effect.fnUntraced(function* (handlers) {
    const { search, searchPage, recent, facts, get } = yield* Memory
    return handlers.handleAll({
      search: ({ payload }) => Effect.flatMap(Reads.decodeSearchPage(payload), ({ given }) => search(given)),
      searchPage: ({ payload }) => Effect.flatMap(Reads.decodeSearchPage(payload), ({ given }) => searchPage(given)),
      recent: ({ payload }) => Effect.flatMap(Reads.decodeRecent(payload), ({ given }) => recent(given)),
      about: ({ payload }) => Effect.flatMap(Reads.decodeAbout(payload), ({ given }) => facts.about(given)),
      row: ({ query: { kind, id } }) => get(kind, id)
    })
  })
)

const purge = HttpApiBuilder.group(
  Contract.Contract,
  "purge",
  Effect.fnUntraced(function* (handlers) {
    const { purge } = Purging.make(yield* Store)
    return handlers.handleAll({ purge: ({ payload }) => purge(payload) })
  })
)

const origins = HttpApiBuilder.group(
  Contract.Contract,
  "origins",
  Effect.fnUntraced(function* (handlers) {
    const { list, forget } = Origins.make(yield* Store, (yield* Peers).status)
    return handlers.handleAll({ list: () => list, forget: ({ payload }) => forget(payload) })
  })
)

const archive = HttpApiBuilder.group(
  Contract.Contract,
  "archive",
  Effect.fnUntraced(function* (handlers) {
    const archive = yield* Archive.make(yield* Config)
    return handlers.handleAll({
      header: () => archive.header,
      page: ({ payload }) => archive.page(payload.after),
      take: ({ payload }) => archive.take(payload.lines, payload.isLasting)
    })
  })
)

/** The way to the rows of a kind. A new one is made of a value of any shape. */
const routeOf = <K extends Kind.Kind>(kind: K, collection: Collection<K>) => {
  const verb: K["verb"] = kind.verb
  const inserting: Inserting<K> = collection
  const decode = Inputs.decoder(kind.input)
  return {
    list: collection.list,
    insert: (payload: unknown): Write => Effect.flatMap(decode(payload), inserting[verb]),
    remove: isDeleting(collection) ? collection.delete : () => Effect.fail(new HttpApiError.NotFound())
  }
}

const isDeleting = (collection: object): collection is Deleting => "delete" in collection

const rows = HttpApiBuilder.group(
  Contract.Contract,
  "rows",
  Effect.fnUntraced(function* (handlers) {
    const memory = yield* Memory
    const of = <Name extends keyof Kind.Table>(name: Name, memory: Collections) =>
      routeOf<Kind.Table[Name]>(Kind.table[name], memory[name])
    const routes = new Map<string, ReturnType<typeof of>>(
      Struct.keys(Kind.table).map((name) => [Kind.table[name].path, of(name, memory)])
    )
    const route = ({ params }: { readonly params: { readonly collection: string } }) =>
      Effect.mapError(Effect.fromNullishOr(routes.get(params.collection)), () => new HttpApiError.NotFound())
    return handlers.handleAll({
      list: (request) => Effect.flatMap(route(request), ({ list }) => list(page(request.query))),
      insert: (request) => Effect.flatMap(route(request), ({ insert }) => insert(request.payload)),
      remove: Effect.fnUntraced(function* (request) {
        return yield* (yield* route(request)).remove(request.query.id)
      }),
      editNote: ({ query, payload }) =>
        Effect.flatMap(Inputs.decodeNoteChange(payload), ({ content }) => memory.notes.edit(query.id, content)),
      setFact: ({ payload }) => Effect.flatMap(Inputs.decodeFact(payload), memory.facts.set)
    })
  })
)

/** The whole interface as one HTTP application. `apiPort` is what `status` shows. */
export const make = (apiPort: Effect.Effect<number | null>) =>
  HttpRouter.toHttpEffect(
    HttpApiBuilder.layer(Contract.Contract).pipe(
      Layer.provide(
        HttpApiBuilder.group(Contract.Contract, "node", (handlers) =>
          Effect.map(node(apiPort), (answers) => handlers.handleAll(answers))
        )
      ),
      Layer.provide([verify, reads, purge, origins, archive, events, rows]),
      Layer.provide(NodeHttpServer.layerHttpServices)
    )
  )

/** The part of it that shows nothing of the memory. */
export const makePublic = (apiPort: Effect.Effect<number | null>) =>
  HttpRouter.toHttpEffect(
    HttpApiBuilder.layer(Contract.Public).pipe(
      Layer.provide(
        HttpApiBuilder.group(Contract.Public, "node", (handlers) =>
          Effect.map(node(apiPort), (answers) => handlers.handleAll(answers))
        )
      ),
      Layer.provide(NodeHttpServer.layerHttpServices)
    )
  )
