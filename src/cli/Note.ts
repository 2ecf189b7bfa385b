/**
 * `note`: things to remember.
 */
import { Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as Kind from "../core/replica/Kind.ts"
import { commandLine } from "../services/node/Invocation.ts"
import * as Fields from "./Fields.ts"
import { WrongUsage } from "./Failure.ts"
import * as Filters from "./Filters.ts"
import * as History from "./History.ts"
import * as Input from "./Input.ts"
import * as Listing from "./Listing.ts"
import * as Show from "./Show.ts"
import * as Writing from "./Writing.ts"

const tags = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar("TAG"), Flag.withDescription(description), Flag.atLeast(0))

const add = Command.make(
  "add",
  {
    text: Fields.text("text", "The text of the note; - reads standard input"),
    tag: tags("tag", "A tag; may be given several times"),
    wait: Writing.wait,
    importance: Fields.maybe(
      Fields.textFlag("importance", "WORD", `The importance ${Fields.byDefault(Kind.table.notes.columns.importance)}`)
    )
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
  {
    id: Fields.id,
    text: Fields.text("text", "The new text; - reads standard input").pipe(
      Argument.optional,
      Argument.map(Option.getOrUndefined)
    ),
    tag: tags("tag", "A tag to add; may be given several times"),
    untag: tags("untag", "A tag to remove; may be given several times"),
    wait: Writing.wait
  },
  Effect.fnUntraced(function* ({ id, text: given, tag, untag, wait }) {
    const { text } = yield* Input.resolve({ text: given })
    if (text === undefined && tag.length + untag.length === 0) {
      return yield* new WrongUsage({ problem: "give the new text, --tag or --untag" })
    }
    const change = {
      ...(text === undefined ? {} : { content: text }),
      ...(tag.length === 0 ? {} : { tag }),
      ...(untag.length === 0 ? {} : { untag })
    }
    yield* Writing.run("Changed note", wait, ({ notes }) => notes.edit(id, change), "change")
  })
).pipe(
  Command.withDescription("Replace the text of a note, or add and remove tags, and keep the rest"),
  Command.withExamples([
    { command: 'feral-sync note edit 0198c0de-… "water the plants twice"' },
    { command: "feral-sync note edit 0198c0de-… --tag garden --untag home" }
  ])
)

const remove = Command.make("delete", { id: Fields.id, wait: Writing.wait }, ({ id, wait }) =>
  Writing.run("Deleted note", wait, ({ notes }) => notes.delete(id), "change")
).pipe(
  Command.withDescription("Delete a note on every node"),
  Command.withExamples([{ command: "feral-sync note delete 0198c0de-…" }])
)

const text: History.Text = (column) => column("content")

const list = Listing.command(Kind.table.notes, {
  flags: { tag: Filters.tag, deleted: Filters.deleted },
  text,
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
    { command: "feral-sync note list --tag home --since 7d" },
    { command: "feral-sync note list --json | jq -r '.[].content'" },
    { command: "feral-sync note list --deleted", description: "Then note restore ID@VERSION" }
  ])
)

const show = Show.of(["notes"]).pipe(
  Command.withDescription("Show a note, with all its columns. The start of its id is enough if it is unambiguous."),
  Command.withExamples([{ command: "feral-sync note show 0198c0de" }])
)

const { history, restore } = History.commands(Kind.table.notes, text)

export const command = Command.make("note").pipe(
  Command.withDescription("Notes are things to remember. The last change wins on every node."),
  Command.withShortDescription("Write, change, delete and list notes"),
  Command.withSubcommands([add, edit, remove, list, show, history, restore])
)
