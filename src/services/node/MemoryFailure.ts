/** What can be wrong with what is asked of the memory and written to it, as tagged errors. */
import { Schema } from "effect"
import * as Kind from "../../core/replica/Kind.ts"
import { NodeId } from "../../core/replica/NodeId.ts"
import { counted, messageOf, some } from "../../core/text/Explained.ts"
import { commandLine, quoted } from "./Invocation.ts"

/** An operation is too large for any peer to take. Sizes in bytes. */
export class OperationTooLarge extends Schema.TaggedError<OperationTooLarge>()("OperationTooLarge", {
  bytes: Schema.Number,
  limit: Schema.Number
}) {
  readonly problem = `an entry of ${this.bytes} bytes exceeds the limit of ${this.limit}`
  readonly nextStep = "split it into smaller ones"
  override readonly message = messageOf(this)
}

/** The input of a write is not valid. Every problem is listed; a field within another is named by its path. */
export class InputInvalid extends Schema.TaggedError<InputInvalid>()("InputInvalid", {
  problems: Schema.Array(Schema.Struct({ field: Schema.String, problem: Schema.String }))
}) {
  readonly problem = `nothing was written (${this.problems.map(({ field, problem }) => `${field === "" ? "the input" : field} ${problem}`).join("; ")})`
  readonly nextStep = "correct this and write it again"
  override readonly message = messageOf(this)
}

/** A question is not valid: a filter, a limit or a cursor. Every problem is listed. */
export class QueryInvalid extends Schema.TaggedError<QueryInvalid>()("QueryInvalid", {
  problems: Schema.Array(Schema.Struct({ field: Schema.String, problem: Schema.String }))
}) {
  readonly problem = `the query is not valid (${this.problems.map(({ field, problem }) => `${field === "" ? "it" : field} ${problem}`).join("; ")})`
  readonly nextStep = "correct this and ask again"
  override readonly message = messageOf(this)
}

/** A local write names a kind that this version does not know. Operations of such kinds are only passed on. */
export class KindUnknown extends Schema.TaggedError<KindUnknown>()("KindUnknown", { kind: Schema.String }) {
  readonly problem = `nothing was written (${JSON.stringify(this.kind)} is not a known kind)`
  readonly nextStep = `use ${Kind.names.join(", ")}`
  override readonly message = messageOf(this)
}

/** An application declares a kind with another rule than the rows have that are there. */
export class KindMismatch extends Schema.TaggedError<KindMismatch>()("KindMismatch", {
  kind: Schema.String,
  declared: Schema.String,
  held: Schema.Array(Schema.String)
}) {
  readonly problem = `the kind ${this.kind} is declared with the rule ${this.declared}, but its rows here have the rule ${this.held.join(" and ")}`
  readonly nextStep = `declare it with the rule ${this.held[0]}, or use another name and copy the rows`
  override readonly message = messageOf(this)
}

/** The declaration of a kind is not valid. */
export class KindInvalid extends Schema.TaggedError<KindInvalid>()("KindInvalid", {
  kind: Schema.String,
  reason: Schema.String
}) {
  readonly problem = `the kind ${JSON.stringify(this.kind)} cannot be declared: ${this.reason}`
  readonly nextStep = "correct its declaration"
  override readonly message = messageOf(this)
}

/** A kind is used that was not declared when the node was started. */
export class KindUndeclared extends Schema.TaggedError<KindUndeclared>()("KindUndeclared", { kind: Schema.String }) {
  readonly problem = `the kind ${JSON.stringify(this.kind)} was not declared on this node`
  readonly nextStep = `list the declared kinds with ${commandLine("list")}, or pass it to FeralSync.layer in kinds`
  override readonly message = messageOf(this)
}

const stepToFind = (name: string): string => {
  const kind = Kind.find(name)
  return kind === undefined ? "check the id" : `see the ids with ${commandLine(`${kind.words.command} list`)}`
}

/** There is no such row. */
export class RowNotFound extends Schema.TaggedError<RowNotFound>()("RowNotFound", {
  kind: Schema.String,
  id: Schema.String
}) {
  readonly problem = `no ${Kind.find(this.kind)?.words.one ?? "row"} has the id ${JSON.stringify(this.id)}`
  readonly nextStep = stepToFind(this.kind)
  override readonly message = messageOf(this)
}

/** A row of a kind of an application does not fit the schema of the kind. `value` has its columns as they are. */
export class RowUnreadable extends Schema.TaggedError<RowUnreadable>()("RowUnreadable", {
  kind: Schema.String,
  id: Schema.String,
  value: Schema.Record(Schema.String, Schema.Unknown),
  reason: Schema.String
}) {
  readonly problem = `the row ${JSON.stringify(this.id)} of ${this.kind} does not fit its schema (${this.reason})`
  readonly nextStep = "bring the application up to date on all nodes, or give new columns a default"
  override readonly message = messageOf(this)
}

/** Where the versions of a row are seen: only of kinds where the last writer wins are any kept. */
const historyOf = (name: string, id: string): string => {
  const kind: Kind.Kind | undefined = Kind.find(name)
  return kind?.rule === "lww"
    ? `see the versions with ${commandLine(`${kind.words.command} history ${quoted(id)}`)}`
    : "check the number of the version"
}

/** This node keeps no such version of a row, or one that cannot be restored. */
export class VersionNotFound extends Schema.TaggedError<VersionNotFound>()("VersionNotFound", {
  kind: Schema.String,
  id: Schema.String,
  version: Schema.Number
}) {
  readonly problem = `no version ${this.version} of ${JSON.stringify(this.id)} can be restored here`
  readonly nextStep = historyOf(this.kind, this.id)
  override readonly message = messageOf(this)
}

/**
 * A node, and when it was last heard of (Unix seconds). `via`: the nodes that passed this on, where it did not say so
 * itself.
 */
export const Holder = Schema.Struct({
  node: NodeId,
  at: Schema.Finite,
  via: Schema.optionalKey(Schema.Array(NodeId))
})
export interface Holder extends Schema.Schema.Type<typeof Holder> {}

/** A write is saved here, and not yet on as many other nodes as was asked for. */
export class NotYetOnNodes extends Schema.TaggedError<NotYetOnNodes>()("NotYetOnNodes", {
  hlc: Schema.String,
  wanted: Schema.Int,
  /** The nodes that have it, and those that are not known to have it. */
  reached: Schema.Array(Holder),
  missing: Schema.Array(Holder)
}) {
  readonly problem = `the write is saved on this node, but only ${this.reached.length} of ${counted(this.wanted, "other node")} acknowledged it in time`
  readonly nextStep =
    this.missing.length === 0
      ? `no known node lacks it: check ${commandLine("peers")}`
      : `it will reach ${some(this.missing.map(({ node }) => node))} when they are connected: see ${commandLine("peers")}`
  override readonly message = messageOf(this)
}
