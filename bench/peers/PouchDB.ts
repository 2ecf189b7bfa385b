/**
 * PouchDB: one database, each note one document. The source is express-pouchdb over LevelDB; the sink pulls by continuous
 * replication into LevelDB.
 */
import express from "express"
import expressPouchDB from "express-pouchdb"
import { mkdirSync, mkdtempSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import PouchDB from "pouchdb"
import type { About, Note, Replica } from "./Peer.ts"

export const about: About = {
  name: "PouchDB",
  packages: ["pouchdb", "express-pouchdb"],
  storage: "LevelDB (leveldown)",
  tls: false,
  inSync: "the replication's `paused` event: all changes are taken and the checkpoint is written"
}

/** Larger than its defaults of 100 and 10, which are made for browsers. */
const batches = { batch_size: 1000, batches_limit: 4 }

export const open = async (directory: string): Promise<Replica> => {
  mkdirSync(directory, { recursive: true })
  const Local = PouchDB.defaults({ prefix: `${directory}/` })
  const notes = new Local("notes")
  await notes.info()
  let server: Server | undefined
  let replication: PouchDB.Replication | undefined
  const listeners: Array<(id: string) => void> = []

  const write = async (batch: ReadonlyArray<Note>) => {
    const { rows } = await notes.allDocs({ keys: batch.map(({ id }) => id) })
    const results = await notes.bulkDocs(
      batch.map(({ id, ...rest }, at) => {
        const revision = rows[at]?.value?.rev
        return { _id: id, ...rest, ...(revision === undefined ? {} : { _rev: revision }) }
      })
    )
    const failed = results.find(({ error }) => error !== undefined)
    if (failed !== undefined) throw new Error(`not written: ${JSON.stringify(failed)}`)
  }

  return {
    write,
    adopt: async (note) => {
      const third = new PouchDB(mkdtempSync(join(directory, "third-")))
      const { id, ...rest } = note
      await third.bulkDocs([{ _id: id, ...rest }])
      await third.replicate.to(notes)
      await third.destroy()
    },
    listen: async () => {
      const app = express()
      app.use(
        "/",
        expressPouchDB(Local, {
          mode: "minimumForPouchDB",
          inMemoryConfig: true,
          logPath: join(directory, "log.txt")
        })
      )
      const listening = createServer(app)
      await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve))
      server = listening
      return (listening.address() as AddressInfo).port
    },
    sync: async (port, count) => {
      const running = notes.replicate.from(`http://127.0.0.1:${port}/notes`, { live: true, retry: false, ...batches })
      replication = running
      running.on("change", ({ docs }) => {
        for (const { _id } of docs) for (const seen of listeners) seen(_id)
      })
      await new Promise<void>((resolve, reject) => {
        running.on("error", reject)
        running.on("paused", (error) => {
          if (error !== undefined && error !== null) return reject(new Error(JSON.stringify(error)))
          notes.info().then(({ doc_count }) => {
            if (doc_count >= count) resolve()
          }, reject)
        })
      })
    },
    count: async () => (await notes.info()).doc_count,
    onNote: (seen) => {
      listeners.push(seen)
    },
    close: async () => {
      replication?.cancel()
      server?.closeAllConnections()
      await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)))
      await notes.close()
    }
  }
}
