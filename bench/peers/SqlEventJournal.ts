/**
 * Effect's event log: each write is an event in a journal, kept in SQLite. The source is the unencrypted event-log server
 * with its SQL storage, over WebSocket RPC; the sink is an event log with the SQL journal and that server as its remote.
 *
 * The handler does nothing: the journal alone is measured, not a table of notes that an application would keep beside it. The
 * server passes on the last event of each note, by a compactor.
 */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Context, Effect, Exit, Layer, Logger, Schema, Scope } from "effect"
import { SchemaBinary } from "effect/encoding"
import {
  EventGroup,
  EventJournal,
  EventLog,
  EventLogEncryption,
  EventLogMessage,
  EventLogRemote,
  EventLogServerUnencrypted,
  SqlEventJournal,
  SqlEventLogServerUnencrypted
} from "effect/eventlog"
import { RpcClient, RpcSerialization, RpcServer } from "effect/rpc"
import { SocketServer } from "effect/socket"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { About, Note, Replica } from "./Peer.ts"

export const about: About = {
  name: "Effect SqlEventJournal",
  packages: ["effect"],
  storage: "SQLite (node:sqlite)",
  tls: false,
  inSync: "the server has authenticated the sink, and the journal holds an event of each note"
}

const Saved = Schema.Struct({
  id: Schema.String,
  content: Schema.String,
  tags: Schema.Array(Schema.String),
  importance: Schema.String
})

const Notes = EventGroup.empty.add({ tag: "NoteSaved", primaryKey: ({ id }: Note) => id, payload: Saved })
const schema = EventLog.schema(Notes)
const storeId = EventLogMessage.StoreId.make("default")

/** Before every note of the benchmark. */
const longAgo = 1_600_000_000_000

/** The last event of a note is what counts. */
const compaction = EventLog.groupCompaction(Notes, ({ entries, forward }) => {
  const last = entries.at(-1)
  return last === undefined ? Effect.void : forward(last)
})

const handlers = (handle: (note: Note) => void) =>
  EventLog.group(Notes, (handlers) => handlers.handle("NoteSaved", ({ payload }) => Effect.sync(() => handle(payload))))

/** Everybody may read and write the one store. */
const everybody = Layer.merge(
  EventLogServerUnencrypted.layerStoreMappingStatic({ storeId }),
  Layer.succeed(EventLogServerUnencrypted.EventLogServerAuthorization, {
    authorizeWrite: () => Effect.void,
    authorizeRead: () => Effect.void,
    authorizeIdentity: () => Effect.void
  })
)

/** The backlog comes as one frame: its default limit would end a sync of more than about 30,000 notes. */
const serialization = RpcSerialization.layerSchemaBinary({ maxFrameSize: "unbounded" })

const encode = Schema.encodeEffect(SchemaBinary.toCodec(Saved))

const entryOf = (note: Note, msecs: number) =>
  Effect.map(
    encode(note),
    (payload) =>
      new EventJournal.Entry({
        id: EventJournal.makeEntryIdUnsafe({ msecs }),
        event: "NoteSaved",
        primaryKey: note.id,
        payload
      })
  )

export const open = async (directory: string): Promise<Replica> => {
  mkdirSync(directory, { recursive: true })
  const scope = await Effect.runPromise(Scope.make())
  const quiet = Logger.layer([])
  const build = <A, E>(layer: Layer.Layer<A, E>) =>
    Effect.runPromise(Layer.buildWithScope(Layer.provideMerge(layer, quiet), scope))

  const database = await build(SqliteClient.layer({ filename: join(directory, "events.db") }))
  const client = Layer.succeedContext(database)
  const sql = Context.get(database, SqliteClient.SqliteClient)
  const listeners: Array<(id: string) => void> = []
  const handledIds = new Set<string>()
  const handled = handlers(({ id }) => {
    handledIds.add(id)
    listeners.forEach((seen) => seen(id))
  })

  const journal = await build(SqlEventJournal.layer().pipe(Layer.provide(client)))
  const storage = Context.get(
    await build(SqlEventLogServerUnencrypted.layerStorage().pipe(Layer.provide(client))),
    EventLogServerUnencrypted.Storage
  )

  const identity = async () => {
    const file = join(directory, "identity")
    if (existsSync(file)) return EventLog.decodeIdentityString(readFileSync(file, "utf8"))
    const made = await Effect.runPromise(EventLog.makeIdentity.pipe(Effect.provide(EventLogEncryption.layerSubtle)))
    writeFileSync(file, EventLog.encodeIdentityString(made), { mode: 0o600 })
    return made
  }

  const countIn = (table: string) =>
    Effect.runPromise(
      Effect.map(
        sql<{ count: number }>`SELECT COUNT(DISTINCT primary_key) AS count FROM ${sql(table)}`,
        ([row]) => row?.count ?? 0
      )
    )
  const counted = () => countIn("effect_event_journal")

  return {
    write: async (batch) => {
      const now = Date.now()
      await Effect.runPromise(
        Effect.forEach(batch, (note) => entryOf(note, now)).pipe(
          Effect.flatMap((entries) => storage.write(storeId, entries))
        )
      )
    },
    adopt: async (note) => {
      await Effect.runPromise(Effect.flatMap(entryOf(note, longAgo), (entry) => storage.write(storeId, [entry])))
    },
    listen: async () => {
      const server = await build(NodeSocketServer.layerWebSocket({ host: "127.0.0.1", port: 0 }))
      await build(
        EventLogServerUnencrypted.layer(schema, Layer.merge(handled, compaction)).pipe(
          Layer.provide(RpcServer.layerProtocolSocketServer),
          Layer.provide([
            everybody,
            serialization,
            Layer.succeedContext(server),
            Layer.succeed(EventLogServerUnencrypted.Storage, storage)
          ])
        )
      )
      const { address } = Context.get(server, SocketServer.SocketServer)
      if (address._tag === "UnixPathAddress") throw new Error("the server listens on no port")
      return address.port
    },
    sync: async (port, count) => {
      const present = await counted()
      const log = await build(
        EventLogRemote.layerUnencrypted.pipe(
          Layer.provideMerge(EventLog.layer(schema, handled)),
          Layer.provideMerge(Layer.succeedContext(journal)),
          Layer.provideMerge(Layer.succeed(EventLog.Identity, await identity())),
          Layer.provide(RpcClient.layerProtocolSocket({ pingTimeout: "2 minutes" })),
          Layer.provide(NodeSocket.layerWebSocket(`ws://127.0.0.1:${port}`)),
          Layer.provide(serialization),
          Layer.provide(client)
        )
      )
      await Effect.runPromise(
        Context.get(log, EventLogRemote.EventLogRemote).whenAuthenticated(Effect.void).pipe(Effect.provide(log))
      )
      // Counting rows takes time from the journal: only once all may be there.
      const isDone = async () => present + handledIds.size >= count && (await counted()) >= count
      while (!(await isDone())) await new Promise((resolve) => setTimeout(resolve, 5))
    },
    count: async () => Math.max(await counted(), await countIn("effect_events")),
    onNote: (seen) => {
      listeners.push(seen)
    },
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
