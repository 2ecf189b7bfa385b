/**
 * TinyBase: a MergeableStore with a table of notes. The source is its WebSocket server; each side saves itself by the
 * persister for node:sqlite. A MergeableStore is saved as one JSON value, whole, whenever it changes.
 */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { createMergeableStore } from "tinybase"
import { createSqliteNodePersister } from "tinybase/persisters/persister-sqlite-node"
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

const path = "notes"

/** The synchronizer gives up on an answer after this long; its default of one second ends large syncs. */
const requestTimeoutSeconds = 120

export const open = async (directory: string): Promise<Replica> => {
  mkdirSync(directory, { recursive: true })
  const store = createMergeableStore()
  const database = new DatabaseSync(join(directory, "notes.db"))
  database.exec("PRAGMA journal_mode = WAL")
  const failures: Array<unknown> = []
  const persister = createSqliteNodePersister(store, database, { mode: "json" }, undefined, (error) =>
    failures.push(error)
  )
  await persister.load()
  // A database without a saved store is an error of that load; every later one counts.
  failures.length = 0
  await persister.startAutoSave()
  const saved = async () => {
    await persister.save()
    if (failures.length > 0) throw failures[0]
  }
  const held = () => store.getRowCount("notes")

  let server: WsServer | undefined
  let local: WsSynchronizer<WebSocket> | undefined
  let remote: WsSynchronizer<WebSocket> | undefined

  const put = (into: typeof store, { id, content, tags, importance }: Note) =>
    into.setRow("notes", id, { content, tags: tags.join(","), importance })

  const connect = async (port: number) => {
    const synchronizer = await createWsSynchronizer(
      store,
      new WebSocket(`ws://127.0.0.1:${port}/${path}`),
      requestTimeoutSeconds
    )
    await synchronizer.startSync()
    return synchronizer
  }

  return {
    write: async (batch) => {
      store.transaction(() => {
        for (const note of batch) put(store, note)
      })
      await saved()
    },
    adopt: async (note) => {
      const third = createMergeableStore("third", () => 1_600_000_000_000)
      put(third, note)
      store.merge(third)
      await saved()
    },
    // The server relays between its clients; the store of the source is one of them, in the same process.
    listen: async () => {
      const listener = new WebSocketServer({ host: "127.0.0.1", port: 0, maxPayload: 1 << 30 })
      const port = await listening(listener)
      server = createWsServer(listener)
      local = await connect(port)
      return port
    },
    sync: async (port, count) => {
      const arrived = new Promise<void>((resolve) => {
        const listener = store.addTableListener("notes", () => {
          if (held() < count) return
          store.delListener(listener)
          resolve()
        })
      })
      const isHere = held() >= count
      remote = await connect(port)
      if (!isHere) await arrived
      await saved()
    },
    count: async () => held(),
    onNote: (seen) => {
      store.addRowListener("notes", null, (_store, _table, id) => seen(id))
    },
    close: async () => {
      await remote?.destroy()
      await local?.destroy()
      await server?.destroy()
      await persister.destroy()
      database.close()
    }
  }
}
