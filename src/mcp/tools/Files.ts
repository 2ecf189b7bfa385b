/**
 * The one `memory` tool that some agents know: files below `/memories`. A file is a note whose tags have its path, so
 * it is found by its words like any note, and is on the other machines too.
 */
import { Effect, Result, Schema } from "effect"
import type { Note } from "../../core/replica/Row.ts"
import * as Kind from "../../core/replica/Kind.ts"
import type { Memory } from "../../services/memory/Memory.ts"
import * as Pages from "../../services/memory/Pages.ts"
import { cutText, limits } from "../Bounds.ts"
import { type CallFailure, CallRefused } from "../CallFailure.ts"
import * as FileText from "../FileText.ts"
import * as HowComplete from "../HowComplete.ts"
import type { Opened } from "../Reach.ts"
import * as Rows from "../Rows.ts"
import * as Tool from "../Tool.ts"

/** The tag of notes that are files. Another tag of them is the path. */
const fileTag = "file"

const Text = Schema.optionalKey(Kind.table.notes.columns.content.input)
const Path = Schema.optionalKey(Schema.String)
const Line = Schema.optionalKey(Schema.Natural)

const viewing = {
  path: Path,
  view_range: Schema.optionalKey(Schema.Array(Schema.Int).check(Schema.isMinLength(2), Schema.isMaxLength(2)))
}

const viewingArgs = {
  path: "The file or directory; /memories for all",
  view_range: "For view: the first and the last line to show, from 1; -1 for the end"
}

const output = { result: Schema.String, notice: Schema.optionalKey(Schema.String) }

const text = (content: object): string => ("result" in content ? String(content.result) : JSON.stringify(content))

interface Given {
  readonly command: string
  readonly path?: string
  readonly view_range?: ReadonlyArray<number>
  readonly file_text?: string
  readonly old_str?: string
  readonly new_str?: string
  readonly insert_line?: number
  readonly insert_text?: string
  readonly old_path?: string
  readonly new_path?: string
}

const refuse = (problem: string, nextStep: string) => Effect.fail(new CallRefused({ problem, nextStep }))

const needed = <A>(value: A | undefined, name: string, command: string) =>
  value === undefined ? refuse(`${command} needs ${name}`, `call it again with ${name}`) : Effect.succeed(value)

const pathOf = (path: string) =>
  Result.match(FileText.normalize(path), {
    onSuccess: Effect.succeed,
    onFailure: (problem) => refuse(problem, `give a path like ${FileText.root}/notes.md`)
  })

const pathIn = ({ tags }: Note): string | undefined => tags.find((tag) => tag.startsWith(`${FileText.root}/`))

const notesOf = (memory: Memory["Service"], tags: ReadonlyArray<string>) => {
  const { name: kind } = Kind.table.notes
  const wanted = { kinds: [kind], tags: [fileTag, ...tags], limit: 250 }
  return Effect.map(
    Pages.all((start) => memory.recent({ ...wanted, ...start })),
    (rows) => rows.flatMap((row): ReadonlyArray<Note> => (row.kind === kind ? [row] : []))
  )
}

/** The notes of a path, the one that counts first: the newest. Several nodes may have created it at once. */
const versions = (memory: Memory["Service"], path: string) => notesOf(memory, [path])

const file = Effect.fnUntraced(function* (memory: Memory["Service"], path: string) {
  const [note] = yield* versions(memory, path)
  return note ?? (yield* refuse(`the path ${path} does not exist`, `view ${FileText.root} to see what is there`))
})

const below = Effect.fnUntraced(function* (memory: Memory["Service"], directory: string) {
  return (yield* notesOf(memory, [])).filter((note) => FileText.isIn(pathIn(note) ?? "", directory))
})

const put = (memory: Memory["Service"], path: string, content: string) =>
  memory.notes.put({ content, tags: [fileTag, path] })

const view = Effect.fnUntraced(function* (opened: Opened, given: Given) {
  const path = yield* pathOf(given.path ?? FileText.root)
  const [note, ...others] = path === FileText.root ? [] : yield* versions(opened.memory, path)
  if (note === undefined) return yield* viewDirectory(opened, path)
  const lines = note.content.split("\n")
  const [from = 1, to = -1] = given.view_range ?? []
  const last = to === -1 ? lines.length : to
  if (from < 1 || last < from || from > lines.length) {
    return yield* refuse(`view_range does not fit: ${path} has ${lines.length} lines`, "give a range within them")
  }
  const shown = FileText.numbered(lines.slice(from - 1, last), from)
  const isWhole = shown.length <= limits.most / 2
  return [
    `The content of ${path} with line numbers:`,
    isWhole ? shown : cutText(shown, limits.most / 2),
    ...(isWhole ? [] : [`This is cut: ${path} has ${lines.length} lines. Give a view_range to see others.`]),
    ...others.map(({ id, origin_node }) => `Another version of it was written by node ${origin_node}: note ${id}`)
  ].join("\n")
})

const viewDirectory = Effect.fnUntraced(function* (opened: Opened, path: string) {
  const files = (yield* below(opened.memory, path)).map((note) => ({
    path: pathIn(note) ?? "",
    bytes: Buffer.byteLength(note.content)
  }))
  if (files.length === 0 && path !== FileText.root) return yield* file(opened.memory, path).pipe(Effect.as(""))
  const { behind, in_sync } = yield* HowComplete.of(opened, { found: files.length, kinds: ["notes"] })
  const list = FileText.listing(path, files)
  return [
    list.length <= limits.most / 2
      ? list
      : `${cutText(list, limits.most / 2)}\nThis is cut: view a directory below it.`,
    ...(in_sync ? [] : [`There may be more on other machines: ${behind.map(({ node }) => node).join(", ")}.`])
  ].join("\n")
})

const create = Effect.fnUntraced(function* ({ memory }: Opened, given: Given) {
  const path = yield* pathOf(yield* needed(given.path, "path", "create"))
  const content = yield* needed(given.file_text, "file_text", "create")
  yield* mustBeFree(memory, path)
  yield* put(memory, path, content)
  return `File created successfully at: ${path}`
})

const mustBeFree = Effect.fnUntraced(function* (memory: Memory["Service"], path: string) {
  if (path === FileText.root || (yield* below(memory, path)).length > 0) {
    return yield* refuse(`${path} exists already`, "change it with str_replace or insert, or take another path")
  }
})

const replace = Effect.fnUntraced(function* ({ memory }: Opened, given: Given) {
  const path = yield* pathOf(yield* needed(given.path, "path", "str_replace"))
  const from = yield* needed(given.old_str, "old_str", "str_replace")
  const to = given.new_str ?? ""
  const { content, id } = yield* file(memory, path)
  const lines = from === "" ? [] : FileText.occurrences(content, from)
  const [line] = lines
  if (line === undefined) return yield* refuse(`old_str is not in ${path}`, "view the file, and copy the text exactly")
  if (lines.length > 1) {
    return yield* refuse(
      `old_str is in ${path} ${lines.length} times, in lines ${lines.slice(0, 20).join(", ")}`,
      "include more of the text around it"
    )
  }
  const at = content.indexOf(from)
  const edited = content.slice(0, at) + to + content.slice(at + from.length)
  yield* memory.notes.edit(id, edited)
  return edits(path, edited, line, to)
})

const insert = Effect.fnUntraced(function* ({ memory }: Opened, given: Given) {
  const path = yield* pathOf(yield* needed(given.path, "path", "insert"))
  const at = yield* needed(given.insert_line, "insert_line", "insert")
  const added = yield* needed(given.insert_text, "insert_text", "insert")
  const { content, id } = yield* file(memory, path)
  const lines = content.split("\n")
  if (at > lines.length) {
    return yield* refuse(
      `insert_line ${at} is not in ${path}, which has ${lines.length} lines`,
      "give 0 for the beginning"
    )
  }
  const more = added.endsWith("\n") ? added.slice(0, -1) : added
  const edited = [...lines.slice(0, at), ...more.split("\n"), ...lines.slice(at)].join("\n")
  yield* memory.notes.edit(id, edited)
  return edits(path, edited, at + 1, more)
})

const edits = (path: string, edited: string, line: number, part: string): string =>
  cutText(
    `${path} has been edited. The lines there now:\n${FileText.around(edited, line, part.split("\n").length - 1)}`,
    limits.usual
  ).replace(/…$/, "")

const remove = Effect.fnUntraced(function* ({ memory }: Opened, given: Given) {
  const path = yield* pathOf(yield* needed(given.path, "path", "delete"))
  if (path === FileText.root) return yield* refuse(`${FileText.root} itself is not deleted`, "delete what is in it")
  const notes = yield* below(memory, path)
  if (notes.length === 0) yield* file(memory, path)
  yield* removeAll(memory, notes)
  return `Successfully deleted ${path}`
})

const removeAll = (memory: Memory["Service"], notes: ReadonlyArray<Note>) =>
  Effect.forEach(notes, ({ id }) => Effect.catchTag(memory.notes.delete(id), "RowNotFound", () => Effect.void), {
    discard: true
  })

const rename = Effect.fnUntraced(function* ({ memory }: Opened, given: Given) {
  const from = yield* pathOf(yield* needed(given.old_path, "old_path", "rename"))
  const to = yield* pathOf(yield* needed(given.new_path, "new_path", "rename"))
  if (from === FileText.root || FileText.isIn(to, from)) {
    return yield* refuse(`${from} cannot be moved to ${to}`, "take a path outside of it")
  }
  yield* mustBeFree(memory, to)
  const notes = yield* below(memory, from)
  if (notes.length === 0) yield* file(memory, from)
  // The new ones first: whatever happens in between, nothing is lost.
  for (const note of notes.toReversed()) {
    yield* put(memory, `${to}${(pathIn(note) ?? "").slice(from.length)}`, note.content)
  }
  yield* removeAll(memory, notes)
  return `Successfully renamed ${from} to ${to}`
})

type Command = "view" | "create" | "str_replace" | "insert" | "delete" | "rename"

const commands: Readonly<Record<Command, (opened: Opened, given: Given) => Effect.Effect<string, CallFailure>>> = {
  view,
  create,
  str_replace: replace,
  insert,
  delete: remove,
  rename
}

const answered = (result: string) => ({ result, notice: Rows.dataNotice })

/** All commands. */
export const tool = Tool.make({
  name: "memory",
  title: "Memory files",
  description:
    "Files below /memories that are kept for later conversations, and shared with the agents on the user's other machines. View /memories before a task. Commands: view, create, str_replace, insert, delete, rename.",
  input: {
    command: Schema.Literals(["view", "create", "str_replace", "insert", "delete", "rename"]),
    ...viewing,
    file_text: Text,
    old_str: Text,
    new_str: Schema.optionalKey(Schema.String),
    insert_line: Line,
    insert_text: Schema.optionalKey(Schema.String),
    old_path: Path,
    new_path: Path
  },
  args: {
    command: "What to do",
    ...viewingArgs,
    file_text: "For create: the content of the file",
    old_str: "For str_replace: the text to replace, which must occur exactly once",
    new_str: "For str_replace: the new text; if left out, the old text is deleted",
    insert_line: "For insert: the line after which to insert, 0 for the beginning",
    insert_text: "For insert: the text",
    old_path: "For rename: the current path",
    new_path: "For rename: the new path"
  },
  output,
  text,
  does: "changes",
  purpose: "write",
  run: ({ command, ...given }, opened) => Effect.map(commands[command](opened, { command, ...given }), answered)
})

/** Only the command that reads. */
export const viewer = Tool.make({
  name: "memory",
  title: "Memory files",
  description: "Files below /memories, which can only be viewed here.",
  input: { command: Schema.Literals(["view"]), ...viewing },
  args: { command: "view", ...viewingArgs },
  output,
  text,
  does: "reads",
  purpose: "read",
  run: (given, opened) => Effect.map(view(opened, given), answered)
})
