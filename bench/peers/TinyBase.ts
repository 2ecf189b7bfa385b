/**
 * TinyBase: a MergeableStore with a table of notes. The source is its WebSocket server; each side saves itself by the
 * persister for node:sqlite. A MergeableStore is saved as one JSON value, whole, whenever it changes.
 */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { createMergeableStore, type MergeableStore } from "tinybase"
import { createSqliteNodePersister, type SqliteNodePersister } from "tinybase/persisters/persister-sqlite-node"
import { createWsSynchronizer, type WsSynchronizer } from "tinybase/synchronizers/synchronizer-ws-client"
import { createWsServer, type WsServer } from "tinybase/synchronizers/synchronizer-ws-server"
import { WebSocket, WebSocketServer } from "ws"
import { listening } from "./Listening.ts"
import type { About, Note, Replica } from "./Peer.ts"

export const about: About = {
  name: "TinyBase",
  packages: ["tinybase"],
  storage: "SQLite (node:sqlite)",
  tls: false,
  inSync: "all notes are in the store, and the store is saved"
}

/** Before every note of the benchmark. */
const longAgo = 1_600_000_000_000

/** The synchronizer gives up on an answer after this long; its default of one second ends large syncs. */
const requestTimeoutSeconds = 120

export const open = async (directory: string): Promise<Replica> => {
  mkdirSync(directory, { recursive: true })
  const store = createMergeableStore()
  const database = new DatabaseSync(join(directory, "notes.db"))
  database.exec("PRAGMA journal_mode = WAL")
  const failures: Array<unknown> = []
  const persist = () =>
    createSqliteNodePersister(store, database, { mode: "json" }, undefined, (error) => failures.push(error))

  let persister = persist()
  await persister.load()
  // A database without a saved store is an error of that load; every later one counts.
  failures.length = 0
  const saved = async () => {
    if (persister.isAutoSaving()) await idle(persister)
    else await persister.save()
    if (failures.length > 0) throw failures[0]
  }
  const held = () => store.getRowCount("notes")

  let server: WsServer | undefined
  let synchronizer: WsSynchronizer<WebSocket> | undefined

  const put = (into: typeof store, { id, content, tags, importance }: Note) =>
    into.setRow("notes", id, { content, tags: tags.join(","), importance })

  return {
    write: async (batch) => {
      store.transaction(() => {
        for (const note of batch) put(store, note)
      })
      await saved()
    },
    adopt: async (note) => {
      const third = createMergeableStore(`third-${note.id}`, () => longAgo)
      put(third, note)
      store.merge(third)
      await saved()
    },
    // The server saves and loads by a persister as long as somebody is connected, and destroys it then.
    listen: async () => {
      const listener = new WebSocketServer({ host: "127.0.0.1", port: 0 })
      server = createWsServer(listener, () => (persister = persist()))
      return listening(listener)
    },
    sync: async (port, count) => {
      await persister.startAutoSave()
      const socket = new WebSocket(`ws://127.0.0.1:${port}/notes`)
      const connected = await createWsSynchronizer(store, socket, requestTimeoutSeconds)
      synchronizer = connected
      await Promise.race([
        connected.startSync().then(() => until(store, count)),
        new Promise((_, reject) =>
          socket.once("close", (code, reason) => reject(new Error(`the server closed: ${code} ${reason.toString()}`)))
        )
      ])
      await saved()
    },
    count: async () => held(),
    onNote: (seen) => {
      store.addRowListener("notes", null, (_store, _table, id) => seen(id))
    },
    close: async () => {
      await synchronizer?.destroy()
      await server?.destroy()
      await persister.destroy()
      database.close()
    }
  }
}

/** Resolves once nothing is being saved. */
const idle = (persister: SqliteNodePersister) =>
  new Promise<void>((resolve) => {
    const check = () => {
      if (persister.getStatus() !== 0) return
      persister.delListener(listener)
      resolve()
    }
    const listener = persister.addStatusListener(check)
    check()
  })

/** Resolves once the store holds `count` notes. */
const until = (store: MergeableStore, count: number) =>
  new Promise<void>((resolve) => {
    const check = () => {
      if (store.getRowCount("notes") < count) return
      store.delListener(listener)
      resolve()
    }
    const listener = store.addTableListener("notes", check)
    check()
  })
