/**
 * `fact`: statements about the world.
 */
import { Effect, Option } from "effect"
import { Argument, Command } from "effect/cli"
import * as Kind from "../core/replica/Kind.ts"
import { commandLine } from "../services/node/Invocation.ts"
import { RowNotFound } from "../services/node/NodeFailure.ts"
import type { FactInput } from "../services/memory/Memory.ts"
import * as Access from "./Access.ts"
import { IdAmbiguous } from "./Choosing.ts"
import * as Fields from "./Fields.ts"
import * as Filters from "./Filters.ts"
import * as Globals from "./Globals.ts"
import * as History from "./History.ts"
import * as Input from "./Input.ts"
import * as Listing from "./Listing.ts"
import { oneLine, writeJson, writeLine } from "./Output.ts"
import * as Writing from "./Writing.ts"

const { columns } = Kind.table.facts

const statement = {
  subject: Fields.text("subject", "The subject: what the fact is about"),
  predicate: Fields.text("predicate", "The predicate: which property of the subject"),
  object: Fields.text("object", "The object: the value; - reads standard input"),
  confidence: Fields.maybe(
    Fields.number(
      "confidence",
      "C",
      `How certain the fact is, from 0 to 1 ${Fields.byDefault(columns.confidence)}`,
      (value) => value >= 0 && value <= 1,
      "a number from 0 to 1"
    )
  )
}

const resolved = ({
  object,
  confidence,
  ...rest
}: Omit<FactInput, "confidence"> & { readonly confidence: number | undefined }) =>
  Effect.map(Input.resolve({ object }), (read): FactInput => ({
    ...rest,
    ...read,
    ...(confidence === undefined ? {} : { confidence })
  }))

const set = Command.make("set", { ...statement, wait: Writing.wait }, ({ wait, ...given }) =>
  Effect.flatMap(resolved(given), (fact) => Writing.run("Set fact", wait, ({ facts }) => facts.set(fact)))
).pipe(
  Command.withDescription("Set a fact. It replaces earlier facts with this subject and predicate, on every node."),
  Command.withExamples([
    { command: "feral-sync fact set kitchen temperature 21 --confidence 0.9" },
    { command: 'feral-sync fact set cellar temperature "-5 degrees"' },
    { command: "feral-sync fact set readme text - < README.md", description: "The object from standard input" }
  ])
)

const add = Command.make("add", { ...statement, wait: Writing.wait }, ({ wait, ...given }) =>
  Effect.flatMap(resolved(given), (fact) => Writing.run("Added fact", wait, ({ facts }) => facts.add(fact)))
).pipe(
  Command.withDescription("Add a fact without replacing others"),
  Command.withExamples([{ command: "feral-sync fact add ada likes tea" }])
)

/** The facts with a subject and predicate, or the id of one. */
const named = {
  subject: Fields.text("subject", "The subject, or the id of a fact"),
  predicate: Fields.text("predicate", "The predicate").pipe(Argument.optional, Argument.map(Option.getOrUndefined))
}

const remove = Command.make("delete", { ...named, wait: Writing.wait }, ({ subject, predicate, wait }) =>
  Writing.run(
    "Deleted fact",
    wait,
    Effect.fnUntraced(function* ({ facts }) {
      if (predicate === undefined) return yield* facts.delete(subject)
      const { rows } = yield* facts.about({ subject, predicate, limit: 2 })
      const [fact, other] = rows
      if (fact === undefined)
        return yield* new RowNotFound({ kind: Kind.table.facts.name, id: `${subject} ${predicate}` })
      if (other !== undefined)
        return yield* new IdAmbiguous({ id: `${subject} ${predicate}`, ids: rows.map(({ id }) => id) })
      return yield* facts.delete(fact.id)
    }),
    "change"
  )
).pipe(
  Command.withDescription("Delete a fact on every node, by its id or by its subject and predicate"),
  Command.withExamples([
    { command: "feral-sync fact delete 5f3c…" },
    { command: "feral-sync fact delete kitchen temperature" }
  ])
)

const get = Command.make(
  "get",
  named,
  Effect.fnUntraced(function* ({ subject, predicate }) {
    const { memory } = yield* Access.open("read")
    const { rows } = yield* memory.facts.about({
      subject,
      ...(predicate === undefined ? {} : { predicate }),
      limit: Filters.mostRows
    })
    if (yield* Globals.Json) return yield* writeJson(rows)
    if (rows.length === 0) {
      return yield* new RowNotFound({ kind: Kind.table.facts.name, id: [subject, predicate].filter(Boolean).join(" ") })
    }
    const lines = rows.map((fact) => (predicate === undefined ? `${fact.predicate}: ${fact.object}` : fact.object))
    yield* writeLine(lines.map(oneLine).join("\n"))
  }, Effect.scoped)
).pipe(
  Command.withDescription("Print the object of the facts with a subject and predicate, newest first"),
  Command.withExamples([
    { command: "feral-sync fact get kitchen temperature" },
    { command: "feral-sync fact get kitchen --json" }
  ])
)

const text: History.Text = (column) => `${column("subject")} ${column("predicate")}: ${column("object")}`

const list = Listing.command(Kind.table.facts, {
  flags: { subject: Filters.subject, predicate: Filters.predicate, deleted: Filters.deleted },
  text,
  list: ({ facts }) => facts.list,
  columns: [
    { title: "CONFIDENCE", text: ({ confidence }) => `${Math.round(confidence * 100)}%`, whole: true },
    { title: "SUBJECT", text: ({ subject }) => subject },
    { title: "PREDICATE", text: ({ predicate }) => predicate },
    { title: "OBJECT", text: ({ object }) => object }
  ],
  whenEmpty: `No facts yet. Set one: ${commandLine("fact set kitchen temperature 21")}`
})

const { history, restore } = History.commands(Kind.table.facts, text)

export const command = Command.make("fact").pipe(
  Command.withDescription("Facts have a subject, a predicate and an object. The last change wins on every node."),
  Command.withShortDescription("Set, add, delete and list facts"),
  Command.withSubcommands([set, add, get, remove, list, history, restore])
)
