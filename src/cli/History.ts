/**
 * `history` and `restore`: the earlier versions of a row that this node keeps, and the way back to one. For each kind
 * where the last writer wins.
 */
import { Clock, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import type * as Kind from "../core/replica/Kind.ts"
import type { Memory, VersionRow } from "../services/memory/Memory.ts"
import * as Access from "./Access.ts"
import * as Fields from "./Fields.ts"
import * as Globals from "./Globals.ts"
import { ago, counted, writeJson, writeLine } from "./Output.ts"
import * as Pager from "./Pager.ts"
import * as Table from "./Table.ts"
import * as Writing from "./Writing.ts"

/** The text of a column of a version. */
type Columns = (name: string) => string
/** What people know a version by, from its columns. */
export type Text = (columns: Columns) => string
export const columnsOf =
  (row: NonNullable<VersionRow["row"]>): Columns =>
  (name) => {
    const value = row[name]
    return typeof value === "string" ? value : JSON.stringify(value ?? null)
  }

/** The commands of a kind. */
export const commands = (kind: Kind.Kind, text: Text) => {
  const { name, words } = kind
  const { one, command } = words

  const printed = Effect.fnUntraced(function* (versions: ReadonlyArray<VersionRow>) {
    if (versions.length === 0) return yield* writeLine(`This node keeps no earlier version of this ${one}.`)
    const now = yield* Clock.currentTimeMillis
    const columns: ReadonlyArray<Table.Column<VersionRow>> = [
      { title: "VERSION", text: ({ version }) => String(version), whole: true },
      { title: "WRITTEN", text: ({ updated_at }) => ago(updated_at * 1000, now), whole: true },
      { title: "BY", text: ({ origin_node }) => origin_node, whole: true },
      {
        title: "TEXT",
        text: ({ row, is_conflict }) =>
          `${is_conflict ? "[conflict] " : ""}${row === null ? "(deleted)" : text(columnsOf(row))}`
      }
    ]
    yield* writeLine(Table.lines(columns, versions).join("\n"))
  })

  const history = Command.make(
    "history",
    {
      id: Fields.id,
      erase: Globals.Switch("erase").pipe(
        Flag.withDescription("Erase these versions from this node instead of showing them"),
        Flag.withDefault(false)
      )
    },
    Effect.fnUntraced(function* ({ id, erase }) {
      const { memory } = yield* Access.open(erase ? "change" : "read")
      const versions = yield* memory.history(name, id)
      const isJson = yield* Globals.Json
      if (erase) {
        yield* memory.eraseHistory(name, id)
        return yield* isJson
          ? writeJson({ erased: versions.length })
          : writeLine(`Erased ${counted(versions.length, "version")} of ${one} ${id}`)
      }
      yield* isJson ? writeJson(versions) : printed(versions)
    }, Pager.paged)
  ).pipe(
    Command.withDescription(
      `Show the earlier versions of a ${one} that this node keeps: those that were changed or deleted, and those that arrived late.\n\n[conflict] marks a version replaced by a node that had not seen it.`
    ),
    Command.withShortDescription(`Show the earlier versions of a ${one}`),
    Command.withExamples([{ command: `feral-sync ${command} history 0198c0de-…` }])
  )

  const restore = Command.make(
    "restore",
    {
      version: Argument.String("id@version").pipe(
        Argument.filterMap(versionIn, () => "an id and the number of a version, like 0198c0de-…@12"),
        Argument.withDescription(`The ${one} and the version, as shown by ${command} history`)
      ),
      wait: Writing.wait
    },
    ({ version: { id, version }, wait }) =>
      Writing.run(
        `Restored ${one}`,
        wait,
        ({ restoreVersion }: Memory["Service"]) => restoreVersion(name, id, version),
        "change"
      )
  ).pipe(
    Command.withDescription(
      `Write an earlier version of a ${one} again, on every node. It also brings back a deleted ${one}.`
    ),
    Command.withShortDescription(`Bring back an earlier version of a ${one}`),
    Command.withExamples([{ command: `feral-sync ${command} restore 0198c0de-…@12` }])
  )

  return { history, restore }
}

/** A version as it is named: the id, which may have an @ in it, and its number on this node. */
const versionIn = (text: string): Option.Option<{ readonly id: string; readonly version: number }> => {
  const [, id, number] = /^(.+)@([1-9]\d{0,14})$/s.exec(text) ?? []
  return id === undefined || number === undefined ? Option.none() : Option.some({ id, version: Number(number) })
}
