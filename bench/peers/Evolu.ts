/**
 * Evolu: a table of notes in SQLite. The source is a relay with a client of it, which writes; the sink is another client.
 * What passes the relay is encrypted from end to end.
 *
 * There is no client for Node: it is put together from Evolu's platform-free parts, with its workers in this process.
 */
import * as E from "@evolu/common"
import * as Local from "@evolu/common/local-first"
import { installPolyfills } from "@evolu/common/polyfills"
import { createHash } from "node:crypto"
import { mkdirSync } from "node:fs"
import { closeDatabases, createSqliteDriver, quiet, type Relay, startRelay } from "./EvoluParts.ts"
import type { About, Note, Replica } from "./Peer.ts"

export const about: About = {
  name: "Evolu",
  packages: ["@evolu/common"],
  storage: "SQLite (node:sqlite)",
  tls: false,
  inSync: "its state says `synced`, and all notes are in the table"
}

installPolyfills()

const Text = E.maxLength(1000)(E.String)
const schema = {
  note: { id: E.id("Note"), key: Text, content: Text, tags: Text, importance: Text }
}

/** The same person everywhere. */
const owner = Local.createAppOwner(
  Local.OwnerSecret.orThrow(new Uint8Array(createHash("sha256").update("feral-sync benchmark").digest()))
)

const query = Local.createQueryBuilder(schema)
const counted = query((db) => db.selectFrom("note").select((eb) => eb.fn.countAll<number>().as("count")))
const newest = query((db) => db.selectFrom("note").select("key").orderBy("createdAt", "desc").limit(200))

/** A client: the parts of one application, with `now` as its clock. */
const client = async (appName: string, memoryOnly: boolean, time: E.Time = E.createTime()) => {
  const parts = {
    console: quiet(),
    consoleStoreOutputEntry: E.createConsoleStoreOutput().entry,
    createBroadcastChannel: E.createBroadcastChannel,
    createMessageChannel: E.createMessageChannel,
    createMessagePort: E.createMessagePort,
    createSqliteDriver,
    createWebSocket: E.createWebSocket,
    lockManager: E.testCreateLockManager(),
    reloadApp: () => {},
    time
  }
  const workers = E.createRun(parts)
  const deps = Local.createEvoluDeps({
    ...parts,
    createDbWorker: () => E.createWorker<Local.DbWorkerInit>((self) => void workers(Local.startDbWorker(self))),
    sharedWorker: E.createSharedWorker<Local.SharedWorkerInput, Local.SharedWorkerOutput>(
      (self) => void workers(Local.initSharedWorker(self))
    )
  })
  const run = E.createRun({ ...deps, time })
  const evolu = await run.ok(
    Local.createEvolu(schema, { appName: Local.AppName.orThrow(appName), appOwner: owner, memoryOnly, transports: [] })
  )
  const count = async () => Number((await evolu.loadQuery(counted))[0]?.count ?? 0)

  return {
    evolu,
    count,
    write: (batch: ReadonlyArray<Note>) =>
      new Promise<void>((resolve) => {
        let left = batch.length
        const onComplete = () => {
          if (--left === 0) resolve()
        }
        for (const { id, content, tags, importance } of batch) {
          evolu.upsert(
            "note",
            {
              id: E.createIdFromString<"Note">(id),
              key: Text.orThrow(id),
              content: Text.orThrow(content),
              tags: Text.orThrow(tags.join(",")),
              importance: Text.orThrow(importance)
            },
            { onComplete }
          )
        }
      }),
    connect: (port: number) => evolu.useOwner(owner, [{ type: "WebSocket", url: `ws://127.0.0.1:${port}` }]),
    /** Resolves once everything is exchanged and `count` notes are here. */
    synced: async (expected: number) => {
      const isSynced = () => {
        const state = deps.syncState.get()
        return state !== null && Local.syncStateToOwnerSyncStates(state).some(({ status }) => status === "synced")
      }
      while (!isSynced() || (await count()) < expected) {
        const error = deps.evoluError.get()
        if (error !== null) throw new Error(JSON.stringify(error))
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    },
    close: () => evolu[Symbol.asyncDispose]()
  }
}

/** Before every note of the benchmark. */
const longAgo = E.Millis.orThrow(1_600_000_000_000)

export const open = async (directory: string): Promise<Replica> => {
  mkdirSync(directory, { recursive: true })
  process.chdir(directory)
  const own = await client("bench", false)
  let relay: Relay | undefined

  return {
    write: own.write,
    adopt: async (note) => {
      // Its clock is right again when it connects: messages from the future would be refused.
      const time = E.createTime()
      const clock = { ...time, now: (() => longAgo) as E.Time["now"] }
      const third = await client(`third-${note.id.slice(0, 8)}`, true, clock)
      await third.write([note])
      clock.now = time.now
      const expected = (await own.count()) + 1
      third.connect(relay?.port ?? 0)
      await third.synced(expected)
      await own.synced(expected)
      await third.close()
    },
    listen: async () => {
      relay = await startRelay()
      own.connect(relay.port)
      await own.synced(0)
      return relay.port
    },
    sync: async (port, count) => {
      own.connect(port)
      await own.synced(count)
    },
    count: own.count,
    onNote: (seen) => {
      void own.evolu.loadQuery(newest)
      own.evolu.subscribeQuery(newest)(() => {
        for (const { key } of own.evolu.getQueryRows(newest)) if (key !== null) seen(key)
      })
    },
    close: async () => {
      await relay?.close()
      await own.close()
      closeDatabases()
    }
  }
}
