/**
 * `note`: things to remember.
 */
import { Clock, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as Kind from "../core/replica/Kind.ts"
import { commandLine } from "../services/node/Invocation.ts"
import * as Access from "./Access.ts"
import * as Fields from "./Fields.ts"
import { WrongUsage } from "./Failure.ts"
import * as Filters from "./Filters.ts"
import * as Globals from "./Globals.ts"
import * as Input from "./Input.ts"
import * as Listing from "./Listing.ts"
import { ago, counted, writeJson, writeLine } from "./Output.ts"
import * as Pager from "./Pager.ts"
import * as Show from "./Show.ts"
import * as Table from "./Table.ts"
import * as Writing from "./Writing.ts"

const tags = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar("TAG"), Flag.withDescription(description), Flag.atLeast(0))

const add = Command.make(
  "add",
  {
    text: Fields.text("text", "The text of the note; - reads standard input"),
    tag: tags("tag", "A tag; may be given several times"),
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
      return yield* new WrongUsage({ message: "give the new text, --tag or --untag" })
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

const list = Listing.command(Kind.table.notes, {
  flags: { tag: Filters.tag },
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
    { command: "feral-sync note list --json | jq -r '.[].content'" }
  ])
)

const show = Show.of(["notes"]).pipe(
  Command.withDescription(
    "Show a note, with all its columns. The beginning of its id is enough if no other note has it."
  ),
  Command.withExamples([{ command: "feral-sync note show 0198c0de" }])
)

const history = Command.make(
  "history",
  {
    id: Fields.id,
    erase: Globals.Switch("erase").pipe(
      Flag.withDescription("Erase these versions from this node instead"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ id, erase }) {
    const { memory } = yield* Access.open(erase ? "change" : "read")
    const versions = yield* memory.history(Kind.table.notes.name, id)
    const isJson = yield* Globals.Json
    if (erase) {
      yield* memory.eraseHistory(Kind.table.notes.name, id)
      return yield* isJson
        ? writeJson({ erased: versions.length })
        : writeLine(`Erased ${counted(versions.length, "version")} of note ${id}`)
    }
    if (isJson) return yield* writeJson(versions)
    if (versions.length === 0) return yield* writeLine("This node keeps no earlier version of this note.")
    const now = yield* Clock.currentTimeMillis
    const columns: ReadonlyArray<Table.Column<(typeof versions)[number]>> = [
      { title: "VERSION", text: ({ version }) => String(version), whole: true },
      { title: "WRITTEN", text: ({ updated_at }) => ago(updated_at * 1000, now), whole: true },
      { title: "BY", text: ({ origin_node }) => origin_node, whole: true },
      {
        title: "TEXT",
        text: ({ row, is_conflict }) =>
          `${is_conflict ? "[conflict] " : ""}${typeof row?.["content"] === "string" ? row["content"] : "(deleted)"}`
      }
    ]
    yield* writeLine(Table.lines(columns, versions).join("\n"))
  }, Pager.paged)
).pipe(
  Command.withDescription(
    "Show the earlier versions of a note that this node keeps: those that were changed or deleted, and those that came too late. A conflict lost to a write that had not seen it."
  ),
  Command.withShortDescription("Show the earlier versions of a note"),
  Command.withExamples([{ command: "feral-sync note history 0198c0de-…" }])
)

const restore = Command.make(
  "restore",
  {
    version: Argument.String("id@version").pipe(
      Argument.filter(
        (text) => /^.+@[1-9]\d{0,14}$/s.test(text),
        () => "an id and the number of a version, like 0198c0de-…@12"
      ),
      Argument.withDescription("The note and the version, as shown by note history")
    ),
    wait: Writing.wait
  },
  ({ version: text, wait }) => {
    const at = text.lastIndexOf("@")
    return Writing.run(
      "Restored note",
      wait,
      ({ restoreVersion }) => restoreVersion(Kind.table.notes.name, text.slice(0, at), Number(text.slice(at + 1))),
      "change"
    )
  }
).pipe(
  Command.withDescription(
    "Write an earlier version of a note again, on every node. It also brings back a deleted note."
  ),
  Command.withShortDescription("Bring back an earlier version of a note"),
  Command.withExamples([{ command: "feral-sync note restore 0198c0de-…@12" }])
)

export const command = Command.make("note").pipe(
  Command.withDescription("Notes are things to remember. The last change wins on every node."),
  Command.withShortDescription("Write, change, delete and list notes"),
  Command.withSubcommands([add, edit, remove, list, show, history, restore])
)
