/**
 * Tools for facts: statements of a subject, a predicate and an object.
 */
import { Effect } from "effect"
import { Schema } from "effect"
import * as Kind from "../../core/replica/Kind.ts"
import * as ToolArgs from "../ToolArgs.ts"
import * as Rows from "../Rows.ts"
import * as Tool from "../Tool.ts"

const { columns, name: kind } = Kind.table.facts

const statement = {
  input: {
    subject: columns.subject.input,
    predicate: columns.predicate.input,
    object: columns.object.input,
    confidence: columns.confidence.input
  },
  args: {
    subject: "What it is about, always under the same name",
    predicate: "What is stated of it, like prefers, lives in or deadline",
    object: "The value",
    confidence: ToolArgs.args.confidence
  },
  output: Rows.writtenFields
}

export const set = Tool.make({
  ...statement,
  name: "set_fact",
  title: "Set a fact",
  description:
    "Sets the value of a subject and predicate, and replaces the previous one on every machine. Use it for what has one value at a time, like a deadline. For several values use add_fact.",
  does: "sets",
  purpose: "write",
  run: (input, { memory }) => Effect.map(memory.facts.set(input), (written) => Rows.written(kind, written))
})

export const add = Tool.make({
  ...statement,
  name: "add_fact",
  title: "Add a fact",
  description:
    "Adds a fact without replacing others. Use it for what can have several values, like a skill or a friend.",
  does: "adds",
  purpose: "write",
  run: (input, { memory }) => Effect.map(memory.facts.add(input), (written) => Rows.written(kind, written))
})

export const about = Tool.make({
  name: "facts_about",
  title: "Facts about a subject",
  description: "Lists the facts about a subject. The name must be exact. Use search_memory to find the name.",
  input: {
    subject: Schema.String,
    predicate: Schema.optionalKey(Schema.String),
    limit: ToolArgs.limit,
    cursor: Schema.optionalKey(Schema.String)
  },
  args: {
    subject: "The subject, as it was written",
    predicate: "Only facts with this predicate",
    limit: ToolArgs.args.limit,
    cursor: ToolArgs.args.cursor
  },
  output: Rows.answerFields,
  does: "reads",
  purpose: "read",
  run: Effect.fnUntraced(function* ({ limit = 10, ...query }, opened) {
    const { rows, ...found } = yield* opened.memory.facts.about({ ...query, limit })
    const facts = rows.map((row) => ({ ...row, kind }))
    return yield* Rows.answer(
      opened,
      { ...found, rows: facts },
      { limit, kinds: [kind], narrow: "Name a predicate to get less." }
    )
  })
})
