/**
 * Yjs: one document with a map of notes, each note one value of the map. The source is y-websocket's server with its
 * LevelDB persistence, as its documentation sets it up; the sink is y-websocket's provider with the same persistence.
 */
import { getYDoc, setupWSConnection } from "@y/websocket-server/utils"
import { LeveldbPersistence } from "y-leveldb"
import { WebsocketProvider } from "y-websocket"
import { WebSocket, WebSocketServer } from "ws"
import * as Y from "yjs"
import { closeServer, listening } from "./Listening.ts"
import type { About, Note, Replica } from "./Peer.ts"

export const about: About = {
  name: "Yjs, y-websocket",
  packages: ["yjs", "y-websocket", "@y/websocket-server", "y-leveldb"],
  storage: "LevelDB (y-leveldb)",
  tls: false,
  inSync: "the provider's `sync` event, and y-leveldb's writes done"
}

const name = "notes"

export const open = async (directory: string): Promise<Replica> => {
  const persistence = new LeveldbPersistence(directory)
  const writes = new Set<Promise<unknown>>()
  const stored = async () => {
    while (writes.size > 0) await Promise.all(writes)
  }

  // The server's document. Stored from here, it stays in memory when the last connection ends; with `setPersistence` the
  // server would drop it, and answer the next connection before it is read again.
  const doc: Y.Doc = getYDoc(name)
  const notes = doc.getMap<Note>("notes")
  const before = await persistence.getYDoc(name)
  Y.applyUpdate(doc, Y.encodeStateAsUpdate(before))
  before.destroy()
  doc.on("update", (update: Uint8Array) => {
    const write = persistence.storeUpdate(name, update).finally(() => writes.delete(write))
    writes.add(write)
  })

  let server: WebSocketServer | undefined
  let provider: WebsocketProvider | undefined

  return {
    write: async (batch) => {
      doc.transact(() => {
        for (const note of batch) notes.set(note.id, note)
      })
      await stored()
    },
    adopt: async (note) => {
      const third = new Y.Doc()
      third.getMap("notes").set(note.id, note)
      Y.applyUpdate(doc, Y.encodeStateAsUpdate(third))
      await stored()
    },
    listen: async () => {
      server = new WebSocketServer({ host: "127.0.0.1", port: 0 })
      server.on("connection", setupWSConnection)
      return listening(server)
    },
    sync: async (port, count) => {
      const connection = new WebsocketProvider(`ws://127.0.0.1:${port}`, name, doc, {
        WebSocketPolyfill: WebSocket as never,
        disableBc: true
      })
      provider = connection
      await new Promise<void>((resolve) => {
        connection.on("sync", (isSynced) => {
          if (isSynced) resolve()
        })
      })
      await stored()
      if (notes.size !== count) throw new Error(`in sync with ${notes.size} of ${count} notes`)
    },
    count: async () => notes.size,
    onNote: (seen) => {
      notes.observe(({ keysChanged }) => keysChanged.forEach(seen))
    },
    close: async () => {
      provider?.destroy()
      if (server !== undefined) await closeServer(server)
      await stored()
      await persistence.destroy()
    }
  }
}
