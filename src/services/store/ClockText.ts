/**
 * A vector clock as text, in the columns of a file.
 */
import { Result, Schema } from "effect"
import { NodeId } from "../../core/replica/NodeId.ts"
import * as VectorClock from "../../core/replica/VectorClock.ts"

/** What JSON makes of it. */
export const Entries = Schema.Record(Schema.String, Schema.String)

export const toText = (clock: VectorClock.VectorClock): string => JSON.stringify(VectorClock.toRecord(clock))

/** The clock of these entries; fails with the node of one that is none. */
export const fromEntries = (entries: typeof Entries.Type): Result.Result<VectorClock.VectorClock, string> =>
  VectorClock.fromRecord(entries, Schema.is(NodeId))
