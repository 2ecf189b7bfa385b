/**
 * What Evolu needs of a platform, for Node: a SQLite driver, and a relay over ws. Its own package for Node fits no release of
 * @evolu/common that can be installed here, and needs a native build; this does as it does, on node:sqlite.
 */
import * as E from "@evolu/common"
import * as Local from "@evolu/common/local-first"
import { timingSafeEqual } from "node:crypto"
import { existsSync } from "node:fs"
import { DatabaseSync, type StatementSync } from "node:sqlite"
import { WebSocket, WebSocketServer } from "ws"
import { closeServer, listening } from "./Listening.ts"

const databases: Array<DatabaseSync> = []

/** Closes every file. The workers have no end that can be waited for. */
export const closeDatabases = () => {
  for (const database of databases) if (database.isOpen) database.close()
}

/** A driver for files of the working directory. */
export const createSqliteDriver: E.CreateSqliteDriver = (name, options) => () => {
  const database = new DatabaseSync(options?.mode === "memory" ? ":memory:" : `${name}.db`)
  databases.push(database)
  database.exec("PRAGMA journal_mode = WAL")
  const statements = new Map<string, StatementSync>()
  const driver: E.SqliteDriver = {
    exec: ({ sql, parameters }) => {
      let statement = statements.get(sql)
      if (statement === undefined) statements.set(sql, (statement = database.prepare(sql)))
      return statement.columns().length > 0
        ? { rows: statement.all(...parameters) as Array<E.SqliteRow>, changes: 0 }
        : { rows: [], changes: Number(statement.run(...parameters).changes) }
    },
    deleteDatabase: () => database.close(),
    export: () => new Uint8Array(),
    [Symbol.dispose]: () => database.close()
  }
  return Promise.resolve(E.ok(driver))
}

/** A console that says warnings and errors, without the traffic. */
export const quiet = () => E.createConsole({ level: "warn" })

export interface Relay {
  readonly port: number
  close(): Promise<void>
}

/** Starts a relay that lets everybody in, on loopback. */
export const startRelay = async (): Promise<Relay> => {
  const name = E.Name.orThrow("evolu-relay")
  const run = E.createRun({ createSqliteDriver, console: quiet(), random: E.createRandom(), timingSafeEqual })
  const isNew = !existsSync(`${name}.db`)
  const sqlite = await run.ok(E.createSqlite(name))
  const deps = { ...run.deps, sqlite }
  if (isNew) {
    Local.createBaseSqliteStorageTables(deps)
    Local.createRelayStorageTables(deps)
  }
  const relay = run.create({
    ...run.deps,
    storage: Local.createRelaySqliteStorage(deps)({ isOwnerWithinQuota: () => true })
  })

  const subscribers = E.createRelation<Local.OwnerId, WebSocket>()
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, maxPayload: Local.defaultProtocolMessageMaxSize })
  server.on("connection", (socket) => {
    socket.on("message", (message: Buffer) => {
      const answered = relay(
        Local.applyProtocolMessageAsRelay(new Uint8Array(message), {
          subscribe: (owner) => void subscribers.add(owner, socket),
          unsubscribe: (owner) => void subscribers.remove(owner, socket),
          broadcast: (owner, news) => {
            for (const other of subscribers.iterateB(owner)) {
              if (other !== socket && other.readyState === WebSocket.OPEN) other.send(news, { binary: true })
            }
          }
        })
      )
      void answered.then((response) => {
        if (!response.ok) throw new Error(`the relay: ${JSON.stringify(response.error)}`)
        socket.send(response.value.message, { binary: true })
      })
    })
    socket.on("close", () => void subscribers.removeByB(socket))
  })

  return {
    port: await listening(server),
    close: async () => {
      await closeServer(server)
      await relay[Symbol.asyncDispose]()
      await sqlite[Symbol.asyncDispose]()
      await run[Symbol.asyncDispose]()
    }
  }
}
