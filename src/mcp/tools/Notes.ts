/**
 * Tools for notes: things to remember.
 */
import { Effect, Schema } from "effect"
import * as Kind from "../../core/replica/Kind.ts"
import { RowNotFound } from "../../services/node/NodeFailure.ts"
import { atCharacter, cutText, limits } from "../Bounds.ts"
import * as Completeness from "../HowComplete.ts"
import * as ToolArgs from "../ToolArgs.ts"
import * as Rows from "../Rows.ts"
import * as Tool from "../Tool.ts"

const { columns, name: kind } = Kind.table.notes

export const remember = Tool.make({
  name: "remember",
  title: "Remember a note",
  description:
    "Saves a note in the memory that all agents and machines of this user share. Write one thing in each note, in words that a later search will use. Search first, so that nothing is noted twice.",
  input: { text: columns.content.input, tags: columns.tags.input, importance: columns.importance.input },
  args: {
    text: "What to remember: one thing, with enough context to be understood on its own",
    tags: "Words to find it by, like the project or the subject",
    importance: `low, normal or high; ${columns.importance.byDefault} when left out`
  },
  output: Rows.writtenFields,
  does: "adds",
  purpose: "write",
  run: ({ text, ...others }, { memory }) =>
    Effect.map(memory.notes.put({ content: text, ...others }), (written) => Rows.written(kind, written))
})

export const read = Tool.make({
  name: "read_note",
  title: "Read a note",
  description: "Gives the whole text of a note. A very long one is cut: next_offset then says where to continue.",
  input: { id: Schema.String, offset: Schema.optionalKey(Schema.Natural) },
  args: {
    id: ToolArgs.args.id,
    offset: "Where to start in the text, in characters: next_offset of the previous answer"
  },
  output: {
    ...Rows.rowFields,
    content: Schema.String,
    length: Schema.Natural.annotate({ description: "Characters of the whole text" }),
    truncated: Schema.Boolean,
    next_offset: Schema.optionalKey(Schema.Natural),
    narrow: Schema.optionalKey(Schema.String),
    ...Completeness.fields,
    notice: Schema.String
  },
  does: "reads",
  purpose: "read",
  run: Effect.fnUntraced(function* ({ id, offset = 0 }, opened) {
    const note = yield* opened.memory.get(kind, id)
    const text = "content" in note ? note.content : ""
    const { content: _, ...row } = Rows.shown(kind, note)
    const rest = text.slice(offset)
    const isWhole = JSON.stringify(rest).length <= limits.usual - limits.frame
    const part = isWhole ? rest : cutText(rest, limits.usual - limits.frame).slice(0, -1)
    const end = atCharacter(text, offset + part.length).length
    return {
      ...row,
      content: part,
      length: text.length,
      truncated: !isWhole,
      ...(isWhole ? {} : { cut: true, next_offset: end, narrow: `This is a part. Call again with offset ${end}.` }),
      ...(yield* Completeness.of(opened, { found: 1, kinds: [kind] })),
      notice: Rows.dataNotice
    }
  })
})

export const edit = Tool.make({
  name: "edit_note",
  title: "Change a note",
  description: "Replaces the text of a note. Its tags and importance stay. The last change wins on every machine.",
  input: { id: Schema.String, text: columns.content.input },
  args: { id: ToolArgs.args.id, text: "The complete new text" },
  output: Rows.writtenFields,
  does: "sets",
  purpose: "change",
  run: ({ id, text }, { memory }) => Effect.map(memory.notes.edit(id, text), (written) => Rows.written(kind, written))
})

export const forget = Tool.make({
  name: "forget",
  title: "Forget a note or a fact",
  description:
    "Deletes a note or a fact on every machine. No tool brings it back. A person can bring it back with `feral-sync note list --deleted` and `note restore`, on a machine that still keeps its earlier versions. For a fact, these are `fact list --deleted` and `fact restore`. Episodes and log entries are never deleted.",
  input: { id: Schema.String },
  args: { id: ToolArgs.args.id },
  output: Rows.writtenFields,
  does: "removes",
  purpose: "change",
  run: ({ id }, { memory }) =>
    memory.notes.delete(id).pipe(
      Effect.map((written) => Rows.written(kind, written)),
      Effect.catchTag("RowNotFound", () =>
        Effect.map(memory.facts.delete(id), (written) => Rows.written(Kind.table.facts.name, written))
      ),
      Effect.catchTag("RowNotFound", () => Effect.fail(new RowNotFound({ kind: "notes or facts", id })))
    )
})
