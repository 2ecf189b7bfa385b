/**
 * Gives a database an identity of its own, when it is a copy of one that another node uses. No row changes.
 *
 * While both wrote under one identity, a node that has seen it up to some timestamp has seen the writes of one of them
 * alone, and so has each of them. That shows as a difference between replicas that claim the same. Comparing rows
 * repairs it, as after the restore of a backup: the next node that either of them connects to passes on what the other
 * lacks.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, FileSystem, Schema } from "effect"
import { NodeId } from "../../core/replica/NodeId.ts"
import { StoreUnavailable } from "../node/NodeFailure.ts"
import { databaseIn, freshNodeId, open, transaction } from "./SqliteFile.ts"
import * as SqliteFeed from "./SqliteFeed.ts"
import * as SqliteReissue from "./SqliteReissue.ts"
import * as SqliteError from "./SqliteError.ts"

/** The identity that a replica had, and the one that it has from now on. */
export interface Renewed {
  readonly before: NodeId
  readonly nodeId: NodeId
  /** The rows that were written anew, at the present. */
  readonly reissued: number
}

/**
 * Changes the identity of the replica in `home`, which no node may be using. With `reissueAt` (ms), the new identity
 * rewrites, at that time, everything that the replica itself wrote later than that. Other nodes do not accept such
 * operations before their time, so the new ones replace them. A node that has taken one all the same keeps it, with the
 * same content.
 */
export const renew = (home: string, reissueAt?: number) =>
  Effect.provide(
    Effect.suspend(() => renewAs(freshNodeId(), home, reissueAt)),
    NodeFileSystem.layer
  )

/** The same with a given identity, which must be unique. */
export const renewAs = Effect.fn("SqliteIdentity.renew")(
  function* (nodeId: NodeId, home: string, reissueAt: number | undefined) {
    const fs = yield* FileSystem.FileSystem
    const file = databaseIn(home)
    if (!(yield* fs.exists(file))) {
      return yield* new StoreUnavailable({ reason: "not found", detail: `there is no ${file}` })
    }
    const sql = yield* open({ home, lockWait: 0 })
    const { before, reissued } = yield* transaction(
      sql,
      Effect.fnUntraced(function* (connection) {
        const [meta] = yield* decodeMeta(yield* connection.execute("SELECT node_id FROM meta", [], undefined))
        yield* connection.execute("UPDATE meta SET node_id = ?", [nodeId], undefined)
        yield* connection.execute(SqliteFeed.forgetId, [], undefined)
        const reissued =
          reissueAt === undefined ? 0 : yield* SqliteReissue.write(connection, meta.node_id, nodeId, reissueAt)
        return { before: meta.node_id, reissued }
      })
    )
    return { before, nodeId, reissued } satisfies Renewed
  },
  Effect.scoped,
  SqliteError.opening
)

const decodeMeta = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ node_id: NodeId })]))
