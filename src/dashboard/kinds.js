/**
 * The kinds of rows, as the node describes them. Lists, forms, counts, search and what is shown of a row follow from that: no kind is
 * named here.
 */
import * as api from "./api.js"
import { capital } from "./text.js"

/** Those of the version of the node, and those of applications. */
let known = []
let own = []

/** Asked once. */
export const load = async () => {
  if (known.length === 0) known = await api.schema()
}

export const loadOwn = async () => {
  own = await api.ownSchema()
}

export const forget = () => {
  own = []
}

export const ofVersion = () => known
export const all = () => [...known, ...own]
export const find = (kind) => all().find((one) => one.kind === kind)

/** The name of a kind of an application has its rule. */
export const isNewName = (kind) => kind.includes("!") && find(kind) === undefined

/** The name of a kind of an application stays as it was given. */
export const titleOf = ({ many, is_own: isOwn }) => (isOwn ? many : capital(many))

/** What a column is called. */
export const labelOf = ({ name, filter }) => capital(filter ?? name.replace(/_(id|ms)$/, "").replaceAll("_", " "))

/** A value as text. */
export const say = (value) => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""))

/** What a row is about, in a line. */
export const gist = (kind, row) =>
  (find(kind)?.text ?? [])
    .filter((name) => row[name] !== undefined)
    .map((name) => say(row[name]))
    .join(" ")

/** The column with a meaning, or that a filter looks at. */
export const meaning = ({ columns }, means) => columns.find((column) => column.means === means)
export const filtered = ({ columns }, filter) => columns.find((column) => column.filter === filter)
