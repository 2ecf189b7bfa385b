/**
 * `fact`: statements about the world.
 */
import { Effect } from "effect"
import { Command } from "effect/cli"
import * as Kind from "../core/replica/Kind.ts"
import { commandLine } from "../services/node/Invocation.ts"
import type { FactInput } from "../services/memory/Memory.ts"
import * as Fields from "./Fields.ts"
import * as Input from "./Input.ts"
import * as Listing from "./Listing.ts"
import * as Writing from "./Writing.ts"

const statement = {
  subject: Fields.text("subject", "The subject: what the fact is about"),
  predicate: Fields.text("predicate", "The predicate: which property of the subject"),
  object: Fields.text("object", "The object: the value; - reads standard input"),
  confidence: Fields.maybe(
    Fields.number("confidence", "C", (value) => value >= 0 && value <= 1, "a number from 0 to 1 (default: 1)")
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

const remove = Command.make("delete", { id: Fields.id, wait: Writing.wait }, ({ id, wait }) =>
  Writing.run("Deleted fact", wait, ({ facts }) => facts.delete(id), "change")
).pipe(
  Command.withDescription("Delete a fact on every node"),
  Command.withExamples([{ command: "feral-sync fact delete 5f3c…" }])
)

const list = Listing.command(Kind.table.facts, {
  list: ({ facts }) => facts.list,
  columns: [
    { title: "SURE", text: ({ confidence }) => `${Math.round(confidence * 100)}%`, whole: true },
    { title: "SUBJECT", text: ({ subject }) => subject },
    { title: "PREDICATE", text: ({ predicate }) => predicate },
    { title: "OBJECT", text: ({ object }) => object }
  ],
  whenEmpty: `No facts yet. Set one: ${commandLine("fact set kitchen temperature 21")}`
})

export const command = Command.make("fact").pipe(
  Command.withDescription("Facts have a subject, a predicate and an object. The last change wins on every node."),
  Command.withShortDescription("Set, add, delete and list facts"),
  Command.withSubcommands([set, add, remove, list])
)
