/**
 * Looks into a database without changing anything: no file is made, no lock is kept, a running node is not held up.
 */
import { Effect, FileSystem, Option, Schema } from "effect"
import { join } from "node:path"
import { NodeId } from "../../core/replica/NodeId.ts"
import {
  asItStands,
  busyTimeout,
  connect,
  databaseIn,
  refuseForeignLog,
  sizeWithLog,
  toRead,
  versionOf
} from "./SqliteFile.ts"
import * as SqliteSchema from "./SqliteSchema.ts"
import * as SqliteError from "./SqliteError.ts"

export interface Report {
  readonly bytes: number
  readonly version: number
  /** The version that this feral-sync writes. */
  readonly current: number
  readonly nodeId: NodeId | undefined
  /** Operations that could not be read: how many are kept, and the peer and the reason of the latest. */
  readonly quarantine: { readonly count: number; readonly latest: string }
  /** What SQLite finds wrong; nothing when it was not asked. */
  readonly damage: ReadonlyArray<string>
  readonly isChecked: boolean
}

/** Files up to this size are checked: reading them takes a few seconds at most. */
const checkedBytes = 2 * 1024 * 1024 * 1024

/** Whether a process that writes to the database of `home` is alive. */
export const isLocked = Effect.fn("SqliteCheck.isLocked")(
  function* (home: string) {
    const fs = yield* FileSystem.FileSystem
    const lock = join(home, "lock")
    if (!(yield* fs.exists(lock))) return false
    const reader = yield* connect({ filename: lock, readonly: true })
    return yield* SqliteError.mapped(reader`SELECT count(*) FROM sqlite_schema`).pipe(
      Effect.as(false),
      Effect.catchTag("StoreUnavailable", (error) =>
        error.reason === "locked" ? Effect.succeed(true) : Effect.fail(error)
      )
    )
  },
  Effect.scoped,
  SqliteError.opening
)

/**
 * Looks at the database of `home`; none when there is no file. `isInUse` says that another process may be writing to
 * it.
 */
export const inspect = Effect.fn("SqliteCheck.inspect")(
  function* (home: string, isInUse: boolean) {
    const fs = yield* FileSystem.FileSystem
    const file = databaseIn(home)
    if (!(yield* fs.exists(file))) return Option.none<Report>()
    const bytes = yield* sizeWithLog(file)
    if (!isInUse) yield* refuseForeignLog(file)
    // Reading makes files beside a database that is in WAL mode, but where it cannot change.
    const isAtRest = !isInUse && !(yield* fs.exists(`${file}-wal`))
    const url = isAtRest ? asItStands(file) : yield* toRead(file)
    const sql = yield* connect({ filename: url, readonly: true })
    yield* sql.unsafe(busyTimeout)
    const version = yield* versionOf(sql)
    const isChecked = bytes <= checkedBytes
    const damage = isChecked ? yield* decodeDamage(yield* sql`PRAGMA quick_check(5)`) : []
    const known = version >= 1 && version <= SqliteSchema.current
    const meta = known
      ? yield* decodeMeta(
          yield* sql`SELECT node_id, (SELECT count(*) FROM quarantine) AS quarantine,
            (SELECT peer || ': ' || reason FROM quarantine ORDER BY id DESC LIMIT 1) AS latest FROM meta`
        )
      : []
    return Option.some<Report>({
      bytes,
      version,
      current: SqliteSchema.current,
      nodeId: meta[0]?.node_id,
      quarantine: { count: meta[0]?.quarantine ?? 0, latest: meta[0]?.latest ?? "" },
      damage: damage.map(({ quick_check }) => quick_check).filter((line) => line !== "ok"),
      isChecked
    })
  },
  Effect.scoped,
  SqliteError.opening
)

const decodeDamage = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ quick_check: Schema.String })))
const decodeMeta = Schema.decodeUnknownEffect(
  Schema.Array(Schema.Struct({ node_id: NodeId, quarantine: Schema.Natural, latest: Schema.NullOr(Schema.String) }))
)
