/**
 * The memory of an agent, kept in the store: how each kind of row is written, and read back.
 */
import { Clock, Effect, Layer, Option, Semaphore } from "effect"
import { createHash } from "node:crypto"
import * as Hlc from "../../core/replica/Hlc.ts"
import { canonical, emptyObject, wellFormedText } from "../../core/replica/Json.ts"
import type { KnownKind } from "../../core/replica/Merge.ts"
import { utf8Length } from "../../core/replica/NodeId.ts"
import { Kind, maxDataDepth, OpId, type Operation, type OpType, RowId, toWire } from "../../core/replica/Operation.ts"
import * as Row from "../../core/replica/Row.ts"
import * as Search from "../../core/replica/Search.ts"
import { OperationTooLarge, RowNotFound } from "../node/NodeFailure.ts"
import {
  type EpisodeInput,
  type ExecutionInput,
  type FactInput,
  type Match,
  Memory,
  type NoteInput,
  type Page,
  type SearchInput,
  type Written
} from "./Memory.ts"
import { Store } from "../store/Store.ts"
import * as Inputs from "./Inputs.ts"
import { Uuid } from "../node/Uuid.ts"

/** Limits of what can be written. */
export interface Options {
  /**
   * Bytes that the largest operation may take on the wire; by default 8 MiB, which is what every peer takes in one frame,
   * less some room for the frame.
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
export const layer = layerWith({}).pipe(Layer.provide(Uuid.layer))

const make = Effect.fnUntraced(function* ({ maxOperationBytes = 8 * 1024 * 1024 - 64 * 1024 }: Options = {}) {
  const store = yield* Store
  const uuid = yield* Uuid
  // An edit reads a row before it writes it: one at a time, or the later would undo the earlier.
  const editing = yield* Semaphore.make(1)

  const write = Effect.fnUntraced(function* (table: KnownKind, op_type: OpType, id: string, columns?: Row.Columns) {
    const data = columns === undefined ? Option.some(emptyObject) : canonical(columns, maxDataDepth)
    const draft = {
      op_id: OpId.make(yield* uuid.next),
      table: Kind.make(table),
      op_type,
      row_id: RowId.make(id),
      data: yield* Effect.orDie(Effect.fromOption(data))
    }
    const bytes = utf8Length(
      toWire({ ...draft, hlc: { ...longest, node: store.nodeId }, timestamp: longest.wall / 1000 })
    )
    if (bytes > maxOperationBytes) return yield* new OperationTooLarge({ bytes, limit: maxOperationBytes })
    const [operation] = yield* Effect.catchTag(store.append([draft]), "KindUnknown", Effect.die)
    return { id, hlc: operation === undefined ? "" : Hlc.toText(operation.hlc) } satisfies Written
  })

  /** The row, unless it is missing or deleted. */
  const find = Effect.fnUntraced(function* (kind: KnownKind, id: string) {
    const row = Option.getOrUndefined(yield* store.get(Kind.make(kind), id))
    if (row === undefined || row.op_type === "delete") return yield* new RowNotFound({ kind, id })
    return row
  })

  const remove = (kind: KnownKind, id: string) =>
    editing.withPermit(Effect.andThen(find(kind, id), write(kind, "delete", id)))

  const list =
    <A>(kind: KnownKind, fromOperation: (operation: Operation) => A) =>
    ({ after, limit = Infinity }: Page = {}) =>
      Effect.gen(function* () {
        const rows: Array<A> = []
        let last = after
        while (rows.length < limit) {
          const wanted = Math.min(limit - rows.length, pageRows)
          const page = yield* store.list(Kind.make(kind), { after: last, limit: wanted })
          for (const operation of page) rows.push(fromOperation(operation))
          last = page.at(-1)?.row_id
          if (page.length < wanted) break
        }
        return rows
      }).pipe(Effect.withSpan(`Memory.${kind}.list`))

  const now = Effect.map(Clock.currentTimeMillis, (millis) => millis / 1000)

  const putNote = Effect.fn("Memory.notes.put")(function* (given: NoteInput) {
    const input = yield* Inputs.decodeNote(given)
    const id = yield* uuid.next
    return yield* write("notes", "insert", id, {
      id,
      content: input.content,
      tags: JSON.stringify(input.tags ?? []),
      importance: input.importance ?? "normal",
      source: input.source ?? "user",
      created_at: yield* now
    })
  })

  const editNote = Effect.fn("Memory.notes.edit")(
    function* (id: string, text: string) {
      const { content } = yield* Inputs.decodeNoteChange({ content: text })
      const note = yield* find("notes", id)
      // Its other columns may be of a node that does not look at its texts.
      const columns = Row.exactColumnsOf({ ...note, data: wellFormedText(note.data) })
      return yield* write("notes", "update", id, { ...columns, id, content })
    },
    (edit) => editing.withPermit(edit)
  )

  const stateFact = Effect.fnUntraced(function* (id: string, input: FactInput) {
    return yield* write("knowledge", "insert", id, {
      id,
      subject: input.subject,
      predicate: input.predicate,
      object: input.object,
      confidence: input.confidence ?? 1,
      source: input.source ?? "user",
      created_at: yield* now
    })
  })

  const recordEpisode = Effect.fn("Memory.episodes.record")(function* (given: EpisodeInput) {
    const input = yield* Inputs.decodeEpisode(given)
    const id = yield* uuid.next
    return yield* write("episodes", "insert", id, {
      id,
      session_id: input.session_id,
      event_type: input.event_type,
      summary: input.summary,
      detail: input.detail ?? "",
      importance: input.importance ?? 0.5,
      created_at: yield* now
    })
  })

  const appendExecution = Effect.fn("Memory.executionLog.append")(function* (given: ExecutionInput) {
    const input = yield* Inputs.decodeExecution(given)
    const id = yield* uuid.next
    return yield* write("execution_log", "insert", id, {
      id,
      session_id: input.session_id,
      skill_id: input.skill_id,
      endpoint_id: input.endpoint_id,
      args: JSON.stringify(input.args ?? {}),
      result_status: input.result_status,
      result_summary: input.result_summary ?? "",
      latency_ms: input.latency_ms ?? 0,
      created_at: yield* now
    })
  })

  const search = Effect.fn("Memory.search")(function* ({ query, limit = 20 }: SearchInput) {
    const words = Search.wordsOf(query)
    const operations = yield* store.search(words, limit)
    return operations.flatMap((operation) => {
      const snippet = Search.snippetOf(Search.textOf(operation) ?? "", words)
      return matchOf(operation, snippet)
    })
  })

  return {
    notes: {
      put: putNote,
      edit: editNote,
      delete: Effect.fn("Memory.notes.delete")((id: string) => remove("notes", id)),
      list: list("notes", Row.noteFromOperation)
    },
    facts: {
      set: Effect.fn("Memory.facts.set")(function* (given: FactInput) {
        const input = yield* Inputs.decodeFact(given)
        return yield* stateFact(statementId(input), input)
      }),
      add: Effect.fn("Memory.facts.add")(function* (given: FactInput) {
        const input = yield* Inputs.decodeFact(given)
        return yield* stateFact(yield* uuid.next, input)
      }),
      delete: Effect.fn("Memory.facts.delete")((id: string) => remove("knowledge", id)),
      list: list("knowledge", Row.factFromOperation)
    },
    episodes: { record: recordEpisode, list: list("episodes", Row.episodeFromOperation) },
    executionLog: { append: appendExecution, list: list("execution_log", Row.executionFromOperation) },
    search,
    changes: store.changes
  } satisfies Memory["Service"]
})

const matchOf = (operation: Operation, snippet: string): ReadonlyArray<Match> => {
  switch (operation.table) {
    case "notes":
      return [{ kind: "notes", snippet, ...Row.noteFromOperation(operation) }]
    case "knowledge":
      return [{ kind: "knowledge", snippet, ...Row.factFromOperation(operation) }]
    case "episodes":
      return [{ kind: "episodes", snippet, ...Row.episodeFromOperation(operation) }]
    default:
      return []
  }
}

/** The reading with the longest text. The size of an operation is judged before it gets its own. */
const longest: Hlc.Reading = { wall: Number.MAX_SAFE_INTEGER, counter: Number.MAX_SAFE_INTEGER }

/** The row of what is stated about subject and predicate, the same on every node. */
const statementId = ({ subject, predicate }: FactInput): string =>
  createHash("sha256").update(`${subject}\0${predicate}`).digest("hex").slice(0, 32)
