/**
 * Writes a database anew without the space that deleted rows left, and without any trace of them. The new file gives
 * back its space by itself from then on (`SqliteUpkeep.ts`).
 *
 * Guarantee: all or nothing. The new file is made beside the old one, looked through, and put in its place at once.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, FileSystem, Option, Schema } from "effect"
import { statfs } from "node:fs/promises"
import { StoreUnavailable } from "../node/NodeFailure.ts"
import { sized } from "../node/Home.ts"
import * as LockHolder from "./LockHolder.ts"
import {
  type Client,
  databaseIn,
  givesBack,
  holdLock,
  makePrivate,
  openLocked,
  sizeOf,
  sizeWithLog,
  transaction
} from "./SqliteFile.ts"
import * as SqliteIntegrity from "./SqliteIntegrity.ts"
import { discard, replace } from "./SqliteReplace.ts"
import * as SqliteWords from "./SqliteWords.ts"
import * as SqliteError from "./SqliteError.ts"

/** Bytes that the database took, with its log, and that it takes. */
export interface Compacted {
  readonly before: number
  readonly after: number
}

/** Compacts the database in `home`, which no node may be using. */
export const compact = Effect.fn("SqliteCompact.compact")(
  function* (home: string) {
    const fs = yield* FileSystem.FileSystem
    const database = databaseIn(home)
    yield* fs.access(database)
    yield* Effect.catch(
      holdLock({ home, lockWait: 0 }),
      LockHolder.named(home, "stop the node, run feral-sync compact, and start it")
    )
    const before = yield* sizeWithLog(database)
    const incoming = `${database}.compacting`
    yield* Effect.gen(function* () {
      yield* Effect.scoped(Effect.flatMap(openLocked(home), (sql) => write(sql, home, incoming)))
      const problems = yield* SqliteIntegrity.copy(incoming)
      if (problems.length > 0) return yield* new StoreUnavailable({ reason: "corrupt", detail: problems.join("; ") })
      yield* replace(database, incoming, Option.none())
    }).pipe(Effect.ensuring(Effect.ignore(discard(incoming))))
    return { before, after: yield* sizeOf(database) } satisfies Compacted
  },
  Effect.scoped,
  SqliteError.opening,
  Effect.provide(NodeFileSystem.layer)
)

/** Writes all of an open database to `incoming`, and empties its log. */
const write = Effect.fnUntraced(function* (sql: Client, home: string, incoming: string) {
  const fs = yield* FileSystem.FileSystem
  const takeOut = transaction(sql, (connection) => SqliteWords.takeOut(connection, 64))
  while (yield* SqliteWords.mending((body) => transaction(sql, body), takeOut));
  const [{ bytes }] = yield* decodeBytes(
    yield* sql`SELECT (page_count - freelist_count) * page_size AS bytes
      FROM pragma_page_count, pragma_freelist_count, pragma_page_size`
  )
  const free = yield* Effect.tryPromise(() => statfs(home))
  if (free.bavail * free.bsize < bytes) {
    const detail = `compacting needs ${sized(bytes)} on the disk of ${home}, ${sized(free.bavail * free.bsize)} are free`
    return yield* new StoreUnavailable({ reason: "disk full", detail })
  }
  const [check] = yield* decodeCheck(yield* sql`PRAGMA quick_check(1)`)
  if (check.quick_check !== "ok") return yield* new StoreUnavailable({ reason: "corrupt", detail: check.quick_check })
  yield* discard(incoming)
  yield* makePrivate(fs, incoming)
  yield* sql.unsafe(`PRAGMA ${givesBack}`)
  yield* sql`VACUUM INTO ${incoming}`
  const [{ busy }] = yield* decodeBusy(yield* sql.unsafe("PRAGMA wal_checkpoint(TRUNCATE)"))
  if (busy === 0) return
  const advice = "stop the programs that read it, and run feral-sync compact again"
  return yield* new StoreUnavailable({ reason: "locked", detail: "another program reads the database", advice })
})

const decodeBytes = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ bytes: Schema.Natural })]))
const decodeCheck = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ quick_check: Schema.String })]))
const decodeBusy = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ busy: Schema.Natural })]))
