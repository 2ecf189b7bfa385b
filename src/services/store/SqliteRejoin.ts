/**
 * Lets a node that was too long away begin anew (`core/replica/Cut.ts`): its database is put aside, and a fresh one
 * with the same id takes its place.
 *
 * Guarantees:
 * - The old database is kept as it is, under another name.
 * - No timestamp is issued again: the fresh one goes on after the latest that the old one knew.
 * - What the old one held waits in the table `rejoin`. When the node meets the others again, it writes anew what their
 *   clock does not cover: with new timestamps, after all that was deleted meanwhile (`Engine.ts`). The rest comes from
 *   them, or was deleted.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, FileSystem, Option, Schema } from "effect"
import { join } from "node:path"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import * as Cut from "../../core/replica/Cut.ts"
import { kinds } from "../../core/replica/Merge.ts"
import { isKnown as isKnownRule, rules } from "../../core/replica/Rule.ts"
import { NodeId } from "../../core/replica/NodeId.ts"
import { StoreUnavailable } from "../node/NodeFailure.ts"
import * as CutText from "./CutText.ts"
import * as LockHolder from "./LockHolder.ts"
import { databaseIn, givesBack, holdLock, makePrivate, openLocked, transaction } from "./SqliteFile.ts"
import * as SqliteLog from "./SqliteLog.ts"
import { discard, replace } from "./SqliteReplace.ts"
import * as Opaque from "./Opaque.ts"
import * as SqliteOwnRows from "./SqliteOwnRows.ts"
import * as Rows from "./SqliteRows.ts"
import * as SqliteError from "./SqliteError.ts"

/** Where the old database is now, and how many of its rows wait until the node meets the others. */
export interface Rejoined {
  readonly kept: string
  readonly nodeId: NodeId
  readonly waiting: number
}

/** Rejoins as the replica in `home`, which no node may be using. */
export const rejoin = Effect.fn("SqliteRejoin.rejoin")(
  function* (home: string) {
    const fs = yield* FileSystem.FileSystem
    const database = databaseIn(home)
    if (!(yield* fs.exists(database))) {
      return yield* new StoreUnavailable({ reason: "not found", detail: `there is no ${database}` })
    }
    yield* Effect.catch(
      holdLock({ home, lockWait: 0 }),
      LockHolder.named(home, "stop the node, and run feral-sync rejoin again")
    )
    const incoming = `${database}.rejoining`
    return yield* Effect.gen(function* () {
      const { nodeId, waiting } = yield* begin(home, incoming)
      const kept = `${database}.before-rejoin-${yield* SqliteLog.stampNow}`
      yield* replace(database, incoming, Option.some(kept))
      return { kept, nodeId, waiting } satisfies Rejoined
    }).pipe(Effect.ensuring(Effect.ignore(discard(incoming))))
  },
  Effect.scoped,
  SqliteError.opening,
  Effect.provide(NodeFileSystem.layer)
)

/** Writes the fresh database of the replica in `home`, whose lock the caller holds, to `incoming`. */
export const begin = Effect.fnUntraced(function* (home: string, incoming: string) {
  const fs = yield* FileSystem.FileSystem
  const database = databaseIn(home)
  const room = join(home, "rejoining")
  yield* discard(incoming)
  yield* fs.remove(room, { recursive: true, force: true })
  // Brings an older file up to date, and its log into it.
  yield* Effect.scoped(Effect.flatMap(openLocked(home), (sql) => sql.unsafe("PRAGMA wal_checkpoint(TRUNCATE)")))
  yield* fs.makeDirectory(room, { mode: 0o700 })
  return yield* Effect.gen(function* () {
    const sql = yield* openLocked(room)
    yield* sql`ATTACH DATABASE ${database} AS old`
    const begun = yield* transaction(sql, fill)
    yield* sql`DETACH DATABASE old`
    yield* makePrivate(fs, incoming)
    yield* sql.unsafe(`PRAGMA ${givesBack}`)
    yield* sql`VACUUM INTO ${incoming}`
    return begun
  }).pipe(Effect.scoped, Effect.ensuring(Effect.ignore(fs.remove(room, { recursive: true, force: true }))))
})

/**
 * An operation with a winner in its row may be written again by any node that holds it. Of unknown kinds, each node
 * rewrites only its own.
 */
const isKnown = [
  `kind IN (${kinds.map((kind) => `'${kind}'`).join(", ")})`,
  ...Object.keys(rules)
    .filter(isKnownRule)
    .map((rule) => `kind GLOB '?*!${rule}'`)
].join(" OR ")

const fill = Effect.fnUntraced(function* (connection: Connection) {
  const run = (statement: string, parameters: ReadonlyArray<unknown> = []) =>
    connection.execute(statement, parameters, undefined)
  const [{ node_id: nodeId, cut }] = yield* decodeMeta(yield* run("SELECT node_id, cut FROM old.meta"))
  if ((yield* CutText.fromText(cut)).isAway !== true) {
    const detail = "no other node has reported TooLongAway for this node"
    const nextStep = "see feral-sync status for what is wrong"
    return yield* new StoreUnavailable({ reason: "other", detail, advice: nextStep })
  }
  const [last] = yield* decodeLast(
    yield* run(
      `SELECT wall, counter FROM (SELECT wall, counter FROM old.clock UNION SELECT top_wall, top_counter FROM old.clock
        UNION SELECT 0, 0) ORDER BY wall DESC, counter DESC LIMIT 1`
    )
  )
  yield* run("UPDATE meta SET node_id = ?, cut = ?", [nodeId, CutText.toText({ ...Cut.none, isRejoined: true })])
  yield* run("INSERT INTO clock (origin, wall, counter, top_wall, top_counter) VALUES (?, 0, 0, ?, ?)", [
    nodeId,
    last.wall,
    last.counter
  ])
  // A fresh file has no rows yet: its kinds are declared without any.
  yield* SqliteOwnRows.declare(connection, Opaque.noKinds, yield* SqliteOwnRows.declaredIn(run, "old.declared"))
  const columns = "kind, row_id, origin, wall, counter, op_id, op_type, data, timestamp"
  yield* run(`CREATE TABLE rejoin AS SELECT ${columns} FROM old.operations AS o
    WHERE (${isKnown} OR origin = '${nodeId.replaceAll("'", "''")}')
      AND (wall, counter) <= (SELECT wall, counter FROM old.clock WHERE origin = o.origin)
    ORDER BY wall, counter`)
  const [{ waiting }] = yield* decodeCount(yield* run("SELECT count(*) AS waiting FROM rejoin"))
  return { nodeId, waiting }
})

/** What waits in a file; none where it never rejoined, or has met the others since. */
export const waiting = Effect.fnUntraced(function* (sql: SqlClient) {
  const found = yield* sql`SELECT 1 FROM sqlite_schema WHERE name = 'rejoin'`
  if (found.length === 0) return undefined
  return {
    read: Effect.fnUntraced(function* (from: number, most: number) {
      return yield* Rows.operations(yield* sql`SELECT * FROM rejoin ORDER BY rowid LIMIT ${most} OFFSET ${from}`)
    }, SqliteError.mapped),
    clear: SqliteError.mapped(Effect.asVoid(sql`DROP TABLE IF EXISTS rejoin`))
  }
})

const decodeMeta = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ node_id: NodeId, cut: Schema.String })]))
const decodeLast = Schema.decodeUnknownEffect(
  Schema.Tuple([Schema.Struct({ wall: Schema.Natural, counter: Schema.Natural })])
)
const decodeCount = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ waiting: Schema.Natural })]))
