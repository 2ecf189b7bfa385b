/**
 * The memory of an agent, kept in the store: how each kind of row is written, and read back.
 */
import { Clock, Effect, Layer, Option, Semaphore } from "effect"
import * as SecureRandom from "effect/crypto/SecureRandom"
import { createHash } from "node:crypto"
import * as Hlc from "../../core/replica/Hlc.ts"
import { canonical, wellFormedText } from "../../core/replica/Json.ts"
import * as Kind from "../../core/replica/Kind.ts"
import { utf8Length } from "../../core/replica/NodeId.ts"
import { Kind as KindName, maxDataDepth, OpId, type OpType, RowId, toWire } from "../../core/replica/Operation.ts"
import * as Row from "../../core/replica/Row.ts"
import type { Writing } from "../../core/replica/Rule.ts"
import { KindUndeclared, OperationTooLarge, RowNotFound } from "../node/NodeFailure.ts"
import { collections, type FactInput, Memory, type Page, type Written } from "./Memory.ts"
import { Store } from "../store/Store.ts"
import * as Arguments from "./Arguments.ts"
import * as Versions from "./Versions.ts"
import * as Waiting from "./Waiting.ts"
import * as Inputs from "./Inputs.ts"
import * as Newest from "./Newest.ts"
import * as OwnCollection from "./OwnCollection.ts"
import { type Any, Kinds } from "./OwnKind.ts"
import * as OwnRows from "./OwnRows.ts"
import * as Reading from "./Reading.ts"

/** Limits of what can be written. */
export interface Options {
  /**
   * Bytes that the largest operation may take on the wire; by default 8 MiB, which is what every peer takes in one
   * frame, less some room for the frame.
   */
  readonly maxOperationBytes?: number | undefined
}

/** Rows that are read from the store at once. */
const pageRows = 1_000

/** With other limits, or other identifiers. */
export const layerWith = (options: Options) =>
  Layer.effect(
    Memory,
    Effect.suspend(() => make(options))
  )

/** Over the store of this node. */
export const layer = layerWith({}).pipe(Layer.provide(SecureRandom.layerWebCrypto))

const make = Effect.fnUntraced(function* ({ maxOperationBytes = 8 * 1024 * 1024 - 64 * 1024 }: Options = {}) {
  const store = yield* Store
  // Each is greater, as text, than every one before it: a database inserts ordered keys several times faster than
  // random ones.
  const fresh = (yield* SecureRandom.SecureRandom).uuidV7()
  // An edit reads a row before it writes it: one at a time, or the later would undo the earlier.
  const editing = yield* Semaphore.make(1)

  const draft = Effect.fnUntraced(function* (table: string, id: string, { op_type, data }: Writing) {
    const text = canonical(data, maxDataDepth)
    const draft = {
      op_id: OpId.make(yield* fresh),
      table: KindName.make(table),
      op_type,
      row_id: RowId.make(id),
      data: yield* Effect.orDie(Effect.fromOption(text))
    }
    const bytes = utf8Length(
      toWire({ ...draft, hlc: { ...longest, node: store.nodeId }, timestamp: longest.wall / 1000 })
    )
    return bytes > maxOperationBytes ? yield* new OperationTooLarge({ bytes, limit: maxOperationBytes }) : draft
  })

  /** Writes some operations on a row, in one transaction. */
  const writeAll = Effect.fnUntraced(function* (table: string, id: string, writings: ReadonlyArray<Writing>) {
    const drafts = yield* Effect.forEach(writings, (writing) => draft(table, id, writing))
    const last = (yield* Effect.catchTag(store.append(drafts), "KindUnknown", Effect.die)).at(-1)
    return { id, hlc: last === undefined ? "" : Hlc.toText(last.hlc) } satisfies Written
  })

  const write = (kind: Kind.Kind, op_type: OpType, id: string, columns: Row.Columns = {}) =>
    writeAll(kind.name, id, [{ op_type, data: columns }])

  let epoch: string | undefined
  const over: OwnRows.Over = {
    store,
    write: writeAll,
    fresh,
    epoch: Effect.suspend(() =>
      epoch === undefined ? Effect.tap(fresh, (made) => Effect.sync(() => (epoch = made))) : Effect.succeed(epoch)
    ),
    editing
  }

  /** The row, unless it is missing or deleted. */
  const find = Effect.fnUntraced(function* ({ name: kind }: Kind.Kind, id: string) {
    const row = Option.getOrUndefined(yield* store.get(KindName.make(kind), id))
    if (row === undefined || row.op_type === "delete") return yield* new RowNotFound({ kind, id })
    return row
  })

  const remove = (kind: Kind.Kind) =>
    Effect.fn(`Memory.${kind.name}.delete`)((given: string) =>
      Effect.flatMap(Arguments.id({ id: given }), ({ id }) =>
        editing.withPermit(Effect.andThen(find(kind, id), write(kind, "delete", id)))
      )
    )

  const page = (kind: Kind.Kind) => {
    const fromOperation = Row.reader(kind)
    return ({ after, limit }: Page & { readonly limit: number }) =>
      Effect.map(store.list(KindName.make(kind.name), { after, limit }), (page) => page.map(fromOperation))
  }

  const add = Effect.fnUntraced(function* (kind: Kind.Kind, id: string, input: object) {
    const created_at = (yield* Clock.currentTimeMillis) / 1000
    return yield* write(kind, "insert", id, { id, ...Row.columnsFromInput(kind, input), created_at })
  })

  const insert = (kind: Kind.Kind) => {
    const decode = Inputs.decoder(kind.input)
    return Effect.fn(`Memory.${kind.name}.${kind.verb}`)(function* (given: object) {
      return yield* add(kind, yield* fresh, yield* decode(given))
    })
  }

  const { notes, facts, ...others } = collections({ pageRows, page, insert, remove })

  const edit = Effect.fn("Memory.notes.edit")(
    function* (givenId: string, given: string | Inputs.NoteChange) {
      const { id } = yield* Arguments.id({ id: givenId })
      const change = yield* Inputs.decodeNoteChange(typeof given === "string" ? { content: given } : given)
      const note = yield* find(Kind.table.notes, id)
      // Its other columns may be of a node that does not look at its texts.
      const columns = Row.exactColumnsOf({ ...note, data: wellFormedText(note.data) })
      return yield* write(Kind.table.notes, "update", id, { ...columns, id, ...changed(columns, change) })
    },
    (edit) => editing.withPermit(edit)
  )

  const set = Effect.fn("Memory.facts.set")(function* (given: FactInput) {
    const input = yield* Inputs.decodeFact(given)
    return yield* add(Kind.table.facts, statementId(input), input)
  })

  const { about, ...reading } = Reading.make(store)

  const { history, conflicts, deleted, eraseHistory, columnsOf, kindOf } = Versions.make(store)
  const restoreVersion = Effect.fn("Memory.restoreVersion")(
    function* (givenKind: string, givenId: string, givenVersion: number) {
      const given = { kind: givenKind, id: givenId, version: givenVersion }
      const { kind: name, id, version } = yield* Arguments.version(given)
      const kind = yield* kindOf(name, id, version)
      const columns = yield* columnsOf(kind, id, version)
      return yield* write(kind, "update", id, { ...columns, id })
    },
    (restore) => editing.withPermit(restore)
  )

  // A collection encodes by the schema itself.
  const own = OwnRows.make(over, [])
  const ready = ({ name, table }: Any) =>
    Effect.flatMap(store.declared, (kinds) =>
      kinds.has(table) ? Effect.void : Effect.die(new KindUndeclared({ kind: name }))
    )

  const rowsOfKinds = OwnRows.make(over, yield* Kinds)
  return Memory.of({
    ...others,
    ...reading,
    collection: (kind) => OwnCollection.make(kind, { own, ready, feed: store.feed }),
    own: rowsOfKinds,
    newest: Newest.make({ recent: reading.recent, own: rowsOfKinds }),
    notes: { ...notes, edit },
    facts: { ...facts, set, about },
    changes: store.changes,
    history,
    conflicts,
    deleted,
    eraseHistory,
    restoreVersion,
    waitFor: Waiting.make(store),
    feed: store.feed,
    live: Reading.live(store, reading.recent)
  })
})

/** The columns of a note that a change makes new. */
const changed = (columns: Row.Columns, { content, tag = [], untag = [] }: Inputs.NoteChange) => {
  const before = Kind.table.notes.columns.tags.read(columns["tags"])
  const tags = [...before, ...tag].filter((one, index, all) => !untag.includes(one) && all.indexOf(one) === index)
  return {
    ...(content === undefined ? {} : { content }),
    ...(tag.length + untag.length === 0 ? {} : { tags: JSON.stringify(tags) })
  }
}

/** The timestamp with the longest text. The size of an operation is judged before it gets its own. */
const longest: Hlc.Timestamp = { wall: Number.MAX_SAFE_INTEGER, counter: Number.MAX_SAFE_INTEGER }

/** The row id of a fact with this subject and predicate, the same on every node. */
const statementId = ({ subject, predicate }: FactInput): string =>
  createHash("sha256").update(`${subject}\0${predicate}`).digest("hex").slice(0, 32)
