/**
 * Loro: one document with a map of notes, each note one value of the map. Loro leaves network and storage to the
 * application: here its updates go over ws, and it is held in memory. A connection begins with the version of the sink, to
 * which the source answers with what is missing there; then both send each local update.
 */
import { LoroDoc, VersionVector } from "loro-crdt"
import { WebSocket, WebSocketServer } from "ws"
import { closeServer, listening } from "./Listening.ts"
import type { About, Replica } from "./Peer.ts"

export const about: About = {
  name: "Loro over ws",
  packages: ["loro-crdt", "ws"],
  storage: undefined,
  tls: false,
  inSync: "the answer to the sink's version is imported"
}

const options = { perMessageDeflate: false, maxPayload: 1 << 30 }

export const open = async (): Promise<Replica> => {
  const doc = new LoroDoc()
  const notes = doc.getMap("notes")
  let server: WebSocketServer | undefined
  let connection: WebSocket | undefined

  const receive = (bytes: Buffer) => {
    doc.import(new Uint8Array(bytes))
  }

  return {
    write: async (batch) => {
      for (const { id, content, tags, importance } of batch) notes.set(id, { id, content, tags: [...tags], importance })
      doc.commit()
    },
    adopt: async ({ id, content, tags, importance }) => {
      const third = new LoroDoc()
      third.getMap("notes").set(id, { id, content, tags: [...tags], importance })
      third.commit()
      doc.import(third.export({ mode: "update" }))
    },
    listen: async () => {
      server = new WebSocketServer({ host: "127.0.0.1", port: 0, ...options })
      server.on("connection", (socket) => {
        socket.once("message", (version: Buffer) => {
          socket.send(doc.export({ mode: "update", from: VersionVector.decode(new Uint8Array(version)) }))
          socket.on("message", receive)
        })
        socket.once(
          "close",
          doc.subscribeLocalUpdates((update) => socket.send(update))
        )
      })
      return listening(server)
    },
    sync: async (port, count) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`, options)
      connection = socket
      socket.once("open", () => socket.send(doc.version().encode()))
      await new Promise<void>((resolve, reject) => {
        socket.once("error", reject)
        socket.on("message", (bytes: Buffer) => {
          receive(bytes)
          resolve()
        })
      })
      socket.once(
        "close",
        doc.subscribeLocalUpdates((update) => socket.send(update))
      )
      if (notes.size !== count) throw new Error(`in sync with ${notes.size} of ${count} notes`)
    },
    count: async () => notes.size,
    onNote: (seen) => {
      notes.subscribe(({ by, events }) => {
        if (by !== "import") return
        for (const { diff } of events) if (diff.type === "map") Object.keys(diff.updated).forEach(seen)
      })
    },
    disconnect: async () => {
      const closing = connection
      if (closing === undefined) return
      await new Promise((resolve) => {
        closing.once("close", resolve)
        closing.close()
      })
    },
    close: async () => {
      connection?.terminate()
      if (server !== undefined) await closeServer(server)
    }
  }
}
