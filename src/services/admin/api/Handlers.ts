/**
 * Answers the requests of the contract from the services of the node.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer, Stream } from "effect"
import { HttpRouter } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import * as Archive from "../Archive.ts"
import { Config } from "../../node/Config.ts"
import { Memory } from "../../memory/Memory.ts"
import * as Inputs from "../../memory/Inputs.ts"
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

const search = HttpApiBuilder.group(
  Contract.Contract,
  "search",
  Effect.fnUntraced(function* (handlers) {
    const memory = yield* Memory
    return handlers.handleAll({ search: ({ payload }) => memory.search(payload) })
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

const notes = HttpApiBuilder.group(
  Contract.Contract,
  "notes",
  Effect.fnUntraced(function* (handlers) {
    const { notes } = yield* Memory
    return handlers.handleAll({
      list: ({ query }) => notes.list(page(query)),
      put: ({ payload }) => Effect.flatMap(Inputs.decodeNote(payload), notes.put),
      edit: ({ query, payload }) =>
        Effect.flatMap(Inputs.decodeNoteChange(payload), ({ content }) => notes.edit(query.id, content)),
      delete: ({ query }) => notes.delete(query.id)
    })
  })
)

const facts = HttpApiBuilder.group(
  Contract.Contract,
  "facts",
  Effect.fnUntraced(function* (handlers) {
    const { facts } = yield* Memory
    return handlers.handleAll({
      list: ({ query }) => facts.list(page(query)),
      set: ({ payload }) => Effect.flatMap(Inputs.decodeFact(payload), facts.set),
      add: ({ payload }) => Effect.flatMap(Inputs.decodeFact(payload), facts.add),
      delete: ({ query }) => facts.delete(query.id)
    })
  })
)

const episodes = HttpApiBuilder.group(
  Contract.Contract,
  "episodes",
  Effect.fnUntraced(function* (handlers) {
    const { episodes } = yield* Memory
    return handlers.handleAll({
      list: ({ query }) => episodes.list(page(query)),
      record: ({ payload }) => Effect.flatMap(Inputs.decodeEpisode(payload), episodes.record)
    })
  })
)

const log = HttpApiBuilder.group(
  Contract.Contract,
  "log",
  Effect.fnUntraced(function* (handlers) {
    const { executionLog } = yield* Memory
    return handlers.handleAll({
      list: ({ query }) => executionLog.list(page(query)),
      append: ({ payload }) => Effect.flatMap(Inputs.decodeExecution(payload), executionLog.append)
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
      Layer.provide([verify, search, purge, origins, archive, events, notes, facts, episodes, log]),
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
