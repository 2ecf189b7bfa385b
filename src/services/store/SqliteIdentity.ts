/**
 * Gives a database an identity of its own, when it is a copy of one that another node uses. No row changes.
 *
 * While both wrote under one identity, whoever has seen it up to some reading has seen the writes of one of them alone, and
 * so has each of them. That shows as a difference between replicas that claim the same, and is repaired by comparing rows, as
 * after the restore of a backup: the next node that either of them is connected to passes on what the other lacks.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, FileSystem, Schema } from "effect"
import { NodeId } from "../../core/NodeId.ts"
import { StoreUnavailable } from "../Failure.ts"
import { databaseIn, freshNodeId, open, transaction } from "./SqliteFile.ts"
import * as Unavailable from "./Unavailable.ts"

/** The identity that a replica had, and the one that it has from now on. */
export interface Renewed {
  readonly before: NodeId
  readonly nodeId: NodeId
}

/** Changes the identity of the replica in `home`, which no node may be using. */
export const renew = Effect.fn("SqliteIdentity.renew")(
  function* (home: string) {
    const fs = yield* FileSystem.FileSystem
    const file = databaseIn(home)
    if (!(yield* fs.exists(file))) {
      return yield* new StoreUnavailable({ reason: "not found", detail: `there is no ${file}` })
    }
    const sql = yield* open({ home, lockWait: 0 })
    const nodeId = freshNodeId()
    const before = yield* transaction(
      sql,
      Effect.fnUntraced(function* (connection) {
        const [meta] = yield* decodeMeta(yield* connection.execute("SELECT node_id FROM meta", [], undefined))
        yield* connection.execute("UPDATE meta SET node_id = ?", [nodeId], undefined)
        return meta.node_id
      })
    )
    return { before, nodeId } satisfies Renewed
  },
  Effect.scoped,
  Unavailable.opening,
  Effect.provide(NodeFileSystem.layer)
)

const decodeMeta = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ node_id: NodeId })]))
