/**
 * The local history as applications see it: versions of a row, what last-writer-wins decided, and the way back.
 */
import { Effect, Option, Schema } from "effect"
import * as Hlc from "../../core/replica/Hlc.ts"
import { wellFormedText } from "../../core/replica/Json.ts"
import * as Kind from "../../core/replica/Kind.ts"
import * as History from "../../core/replica/History.ts"
import * as Row from "../../core/replica/Row.ts"
import * as Selection from "../../core/replica/Selection.ts"
import { QueryInvalid, type StoreUnavailable, VersionNotFound } from "../node/NodeFailure.ts"
import type { Store } from "../store/Store.ts"
import * as Inputs from "./Inputs.ts"
import { type Found, Limit, limits, wrong } from "./Reads.ts"

/** A version that is kept on this node. Times are Unix seconds. */
export const VersionRow = Schema.Struct({
  /** Its number on this node. */
  version: Schema.Natural,
  kind: Schema.String,
  id: Schema.String,
  hlc: Schema.String,
  origin_node: Schema.String,
  op_type: Schema.Literals(["insert", "update", "delete"]),
  updated_at: Schema.Finite,
  kept_at: Schema.Finite,
  /** The HLC of the write that won. */
  superseded_by: Schema.String,
  /** Whether the node whose write won had not seen this version, as far as is known here. */
  is_conflict: Schema.Boolean,
  /** Its columns; none of a deletion. */
  row: Schema.NullOr(Schema.Record(Schema.String, Schema.Unknown))
})
export interface VersionRow extends Schema.Schema.Type<typeof VersionRow> {}

/** Conflicts, the newest first. `next` is the cursor of the older ones. */
export const Conflicts = Schema.Struct({ rows: Schema.Array(VersionRow), next: Schema.optionalKey(Schema.String) })
export interface Conflicts extends Schema.Schema.Type<typeof Conflicts> {}

/** Which conflicts: 20 by default, 1,000 at most. */
export const ConflictsInput = Schema.Struct({
  limit: Schema.optionalKey(Limit),
  cursor: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^[1-9]\d{0,14}$/)))
})
export interface ConflictsInput extends Schema.Schema.Type<typeof ConflictsInput> {}

/** A deleted row, with what brings it back: `restoreVersion(kind, id, version)`. Times are Unix seconds. */
export const DeletedRow = Schema.Struct({
  kind: Schema.String,
  id: Schema.String,
  deleted_at: Schema.Finite,
  /** The node that deleted it. */
  deleted_by: Schema.String,
  /** The HLC of the deletion. */
  hlc: Schema.String,
  /** The number, on this node, of the version that restoring writes: the last one before the deletion that is kept. */
  version: Schema.Natural,
  /** When that version was written, and by which node. */
  updated_at: Schema.Finite,
  origin_node: Schema.String,
  /** Its columns. */
  row: Schema.Record(Schema.String, Schema.Unknown)
})
export interface DeletedRow extends Schema.Schema.Type<typeof DeletedRow> {}

const restorable = Kind.all.filter(({ rule }) => rule === "lww").map(({ name }) => name)

/** Which deleted rows: of one kind or of all, 20 by default, 1,000 at most. */
export const DeletedInput = Schema.Struct({
  kind: Schema.optionalKey(Schema.String),
  limit: Schema.optionalKey(Limit),
  cursor: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(4_000)))
})
export interface DeletedInput extends Schema.Schema.Type<typeof DeletedInput> {}

const decodeDeleted = Inputs.decoded(DeletedInput)

const isNote = Schema.is(Schema.Record(Schema.String, Schema.Unknown))

const fromVersion = ({ version, keptAt, operation, by, isConflict }: History.Version): VersionRow => {
  const kind: Kind.Kind | undefined = Kind.find(operation.table)
  const row: unknown = kind === undefined || operation.op_type === "delete" ? null : Row.reader(kind)(operation)
  return {
    version,
    kind: operation.table,
    id: operation.row_id,
    hlc: Hlc.toText(operation.hlc),
    origin_node: operation.hlc.node,
    op_type: operation.op_type,
    updated_at: operation.hlc.wall / 1000,
    kept_at: keptAt / 1000,
    superseded_by: Hlc.toText(by),
    is_conflict: isConflict,
    row: isNote(row) ? row : null
  }
}

const fromDeleted = ({ by, version: last }: History.Deleted): DeletedRow => {
  const { version, kind, id, row, updated_at, origin_node } = fromVersion(last)
  const deletion = { deleted_at: by.wall / 1000, deleted_by: by.node, hlc: Hlc.toText(by) }
  return { kind, id, ...deletion, version, updated_at, origin_node, row: row ?? {} }
}

export const make = (store: Pick<Store["Service"], "versions" | "conflicts" | "deleted" | "eraseVersions">) => ({
  history: Effect.fn("Memory.history")(function* (kind: string, id: string) {
    return (yield* store.versions(kind, id)).map(fromVersion)
  }),
  conflicts: Effect.fn("Memory.conflicts")(function* ({ limit = limits.usual, cursor }: ConflictsInput = {}) {
    const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(cursor)
    const found = yield* store.conflicts(before, limit + 1)
    const page = found.slice(0, limit)
    const last = page.at(-1)
    return {
      rows: page.map(fromVersion),
      ...(found.length > limit && last !== undefined ? { next: String(last.version) } : {})
    } satisfies Conflicts
  }),
  deleted: Effect.fn("Memory.deleted")(function* (
    given: DeletedInput = {}
  ): Effect.fn.Return<Found<DeletedRow>, StoreUnavailable | QueryInvalid> {
    const asked = yield* Effect.mapError(decodeDeleted(given), (problems) => new QueryInvalid({ problems }))
    const { kind, limit = limits.usual, cursor } = asked
    if (kind !== undefined && !restorable.some((name) => name === kind)) {
      return yield* wrong("kind", `has no deleted rows that can be restored: ${restorable.join(" and ")} have them`)
    }
    const after = cursor === undefined ? undefined : Option.getOrUndefined(Selection.placeFrom(cursor))
    if (cursor !== undefined && after === undefined) {
      return yield* wrong("cursor", "is not the cursor of an earlier answer")
    }
    const kinds = kind === undefined ? restorable : [kind]
    const found = yield* store.deleted({ kinds, after, limit: limit + 1 })
    const page = found.slice(0, limit)
    const last = page.at(-1)
    return {
      rows: page.map(fromDeleted),
      ...(found.length > limit && last !== undefined ? { next: Selection.cursorOf(History.placeOf(last)) } : {})
    }
  }),
  eraseHistory: (kind: string, id: string) => store.eraseVersions({ kind, id }),
  /** The columns of a version that can be written again. */
  columnsOf: Effect.fnUntraced(function* (kind: Kind.Kind, id: string, version: number) {
    const found = (yield* store.versions(kind.name, id)).find((one) => one.version === version)
    if (found === undefined || found.operation.op_type === "delete") {
      return yield* new VersionNotFound({ kind: kind.name, id, version })
    }
    return Row.exactColumnsOf({ ...found.operation, data: wellFormedText(found.operation.data) })
  }),
  /** A kind whose rows can be written again. */
  kindOf: (kind: string, id: string, version: number) => {
    const known: Kind.Kind | undefined = Kind.find(kind)
    return known?.rule === "lww" ? Effect.succeed(known) : Effect.fail(new VersionNotFound({ kind, id, version }))
  }
})
