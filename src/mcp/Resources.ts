/**
 * Resources: what a client can read and watch without a tool. They are the answers of tools, under an address.
 */
import { Predicate, Result } from "effect"
import * as Kind from "../core/replica/Kind.ts"
import type { Operation } from "../core/replica/Operation.ts"
import * as Row from "../core/replica/Row.ts"
import { dataNotice } from "./Rows.ts"
import type { Tool } from "./Tool.ts"
import * as Facts from "./tools/Facts.ts"
import * as Looking from "./tools/Looking.ts"
import * as Notes from "./tools/Notes.ts"

export interface Resource {
  /** The address, or what it begins with when `parameter` follows. */
  readonly uri: string
  readonly parameter?: string
  readonly name: string
  readonly title: string
  readonly description: string
  readonly tool: Tool
  /** The arguments of the tool. */
  readonly args: (parameter: string) => object
}

const addresses = {
  recent: "feral://recent",
  status: "feral://status",
  note: "feral://notes/",
  facts: "feral://facts/"
} as const

export const resources: ReadonlyArray<Resource> = [
  {
    uri: addresses.recent,
    name: "recent",
    title: "What was written lately",
    description: `The rows that were written last, by any agent on any machine. ${dataNotice}`,
    tool: Looking.recent,
    args: () => ({ limit: 20 })
  },
  {
    uri: addresses.status,
    name: "status",
    title: "Memory status",
    description: "How many rows there are, and whether everything from the other machines has arrived.",
    tool: Looking.status,
    args: () => ({})
  },
  {
    uri: addresses.note,
    parameter: "id",
    name: "note",
    title: "A note",
    description: `A note, by its id. ${dataNotice}`,
    tool: Notes.read,
    args: (id) => ({ id })
  },
  {
    uri: addresses.facts,
    parameter: "subject",
    name: "facts",
    title: "Facts about a subject",
    description: `The facts about a subject. ${dataNotice}`,
    tool: Facts.about,
    args: (subject) => ({ subject, limit: 50 })
  }
]

/** The parameter in an address. */
export const parameterOf = (uri: string, { uri: prefix }: Resource): Result.Result<string, string> =>
  Result.try({
    try: () => decodeURIComponent(uri.slice(prefix.length)),
    catch: () => `${JSON.stringify(uri)} is not a well-formed address: encode it with encodeURIComponent`
  })

/** Addresses that are named for one commit, at most: those of a large one are not all of interest. */
const mostUpdates = 500

/** What a commit changed: the addresses, and whether rows came or went that have one. */
export const changedBy = (operations: ReadonlyArray<Operation>) => {
  const uris = new Set<string>([addresses.recent, addresses.status])
  let isListChanged = false
  for (const operation of operations) {
    const { op_type, row_id, table } = operation
    if (table !== Kind.table.notes.name && table !== Kind.table.facts.name) continue
    isListChanged ||= op_type !== "update"
    if (uris.size >= mostUpdates) continue
    if (table === Kind.table.notes.name) uris.add(`${addresses.note}${encodeURIComponent(row_id)}`)
    // Of a deleted fact only its id is left.
    const { subject } = Row.columnsOf(operation)
    if (Predicate.isString(subject)) uris.add(`${addresses.facts}${encodeURIComponent(subject.toWellFormed())}`)
  }
  return { uris: [...uris], isListChanged }
}

/** What may have changed before it was watched. */
export const alwaysChanged: ReadonlyArray<string> = [addresses.recent, addresses.status]
