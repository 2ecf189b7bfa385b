/**
 * `note`: things to remember.
 */
import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import * as Kind from "../core/replica/Kind.ts"
import { commandLine } from "../services/node/Invocation.ts"
import * as Fields from "./Fields.ts"
import * as Input from "./Input.ts"
import * as Listing from "./Listing.ts"
import * as Writing from "./Writing.ts"

const add = Command.make(
  "add",
  {
    text: Fields.text("text", "The text of the note; - reads standard input"),
    tag: Flag.String("tag").pipe(
      Flag.withMetavar("TAG"),
      Flag.withDescription("A tag; may be given several times"),
      Flag.atLeast(0)
    ),
    wait: Writing.wait,
    importance: Fields.maybe(Fields.textFlag("importance", "WORD", "The importance (default: normal)"))
  },
  ({ tag, importance, wait, ...given }) =>
    Effect.flatMap(Input.resolve(given), ({ text }) =>
      Writing.run("Added note", wait, ({ notes }) =>
        notes.put({ content: text, tags: tag, ...(importance === undefined ? {} : { importance }) })
      )
    )
).pipe(
  Command.withDescription("Write a note"),
  Command.withExamples([
    { command: 'feral-sync note add "water the plants" --tag home --tag garden' },
    { command: 'feral-sync note add "- buy bread with Anna"' },
    { command: 'feral-sync note add "call Ada" --wait-for 2', description: "Done when 2 other nodes have it" },
    { command: "feral-sync note add - < letter.txt", description: "The text from standard input" },
    { command: "feral-sync note add -- --tag", description: "After -- everything is text" }
  ])
)

const edit = Command.make(
  "edit",
  { id: Fields.id, text: Fields.text("text", "The new text; - reads standard input"), wait: Writing.wait },
  ({ id, wait, ...given }) =>
    Effect.flatMap(Input.resolve(given), ({ text }) =>
      Writing.run("Changed note", wait, ({ notes }) => notes.edit(id, text), "change")
    )
).pipe(
  Command.withDescription("Replace the text of a note and keep its tags and importance"),
  Command.withExamples([{ command: 'feral-sync note edit 0198c0de-… "water the plants twice"' }])
)

const remove = Command.make("delete", { id: Fields.id, wait: Writing.wait }, ({ id, wait }) =>
  Writing.run("Deleted note", wait, ({ notes }) => notes.delete(id), "change")
).pipe(
  Command.withDescription("Delete a note on every node"),
  Command.withExamples([{ command: "feral-sync note delete 0198c0de-…" }])
)

const list = Listing.command(Kind.table.notes, {
  list: ({ notes }) => notes.list,
  columns: [
    { title: "TAGS", text: ({ tags }) => tags.join(", ") },
    {
      title: "TEXT",
      text: ({ content, importance }) => (importance === "normal" ? content : `[${importance}] ${content}`)
    }
  ],
  whenEmpty: `No notes yet. Write one: ${commandLine('note add "water the plants" --tag home')}`
}).pipe(
  Command.withExamples([
    { command: "feral-sync note list" },
    { command: "feral-sync note list --json | jq -r '.[].content'" }
  ])
)

export const command = Command.make("note").pipe(
  Command.withDescription("Notes are things to remember. The last change wins on every node."),
  Command.withShortDescription("Write, change, delete and list notes"),
  Command.withSubcommands([add, edit, remove, list])
)
