/**
 * The rows of the memory, by kind: newest first, a page at a time as one scrolls, or those that a search finds. What any node writes
 * appears by itself.
 */
import * as api from "./api.js"
import { Pager } from "./pager.js"
import * as versions from "./versions.js"
import * as form from "./form.js"
import { html, nothing } from "./lit-html.js"
import * as rows from "./rows.js"
import { counted, number, visible } from "./text.js"

const kinds = { notes: "Notes", knowledge: "Facts", episodes: "Episodes", execution_log: "Log" }

/** The kinds of applications: their rows are read here, and written by their programs. */
let others = []

/** The name of such a kind has its rule. */
const isOther = (kind) => kind.includes("!")

const askKinds = (app) =>
  app.attempt(async () => {
    others = await api.kinds()
    app.draw()
  })

/** The kinds that a search looks at. */
const searched = new Set(["notes", "knowledge", "episodes"])

/** The filters that a row offers, by what they are called here. */
const filters = { tag: "tag", subject: "subject", session: "session", origin: "node", status: "status" }

const at = { kind: "notes", query: "", filter: {} }
let pager

/** Rows that are deleted in a moment, unless that is undone: by id, what does it. */
const leaving = new Map()

const fetchPage = (cursor, signal) => {
  const { kind, query, filter } = at
  if (isOther(kind)) return api.ofKind(kind, { limit: 50, ...(cursor && { cursor }) }, { signal })
  const { tag, subject, session, origin, status } = filter
  const wanted = {
    kinds: [kind],
    limit: 50,
    ...(cursor && { cursor }),
    ...(tag && { tags: [tag] }),
    ...(subject && { subject }),
    ...(session && { session }),
    ...(origin && { origin })
  }
  return query.trim() === "" || !searched.has(kind)
    ? api.recent({ ...wanted, ...(status && { status }) }, { signal })
    : api.search({ ...wanted, query }, { signal })
}

/** Begins again; rows of the same kind stay until the first page is there. */
const restart = (app, before) => {
  pager?.stop()
  pager = new Pager(fetchPage, app, before)
  void pager.more()
  app.draw()
}

export const enter = (app) => {
  const fields = new URLSearchParams(location.hash.split("?")[1] ?? "")
  const kind = fields.get("kind") ?? at.kind
  const filter = Object.fromEntries(
    Object.keys(filters).flatMap((name) => (fields.has(name) ? [[name, fields.get(name)]] : []))
  )
  const isSame = kind === at.kind && JSON.stringify(filter) === JSON.stringify(at.filter)
  at.kind = Object.hasOwn(kinds, kind) || isOther(kind) ? kind : "notes"
  at.filter = filter
  if (!isSame || pager === undefined) restart(app)
  if (app.state.mayRead) void askKinds(app)
}

/** The address of the rows of a kind with one filter. */
const address = (kind, filter = {}) => `#/memory?${new URLSearchParams({ kind, ...filter })}`

/** Commits: rows of the kind that is shown are read again from the top. */
export const take = (operations, app) => {
  const known = new Set(others.map(({ kind }) => kind))
  if (operations.some(({ table }) => isOther(table) && !known.has(table))) void askKinds(app)
  const ours = operations.filter(({ table }) => table === at.kind)
  if (ours.length === 0 || pager === undefined) return
  pager.drop(ours.filter(({ op_type: type }) => type === "delete").map(({ row_id: id }) => id))
  pager.renew(app)
}

export const mayHaveMissed = (app) => pager?.renew(app)

/** Carries out what could still be undone. */
export const finish = () => {
  for (const act of leaving.values()) act()
  leaving.clear()
}

export const focusSearch = () =>
  requestAnimationFrame(() => requestAnimationFrame(() => document.querySelector("#search")?.focus()))

export const openForm = (app, row) => isOther(at.kind) || form.open(at.kind, row, app)

const remove = (row, app) => {
  const { kind } = at
  const act = () => {
    leaving.delete(row.id)
    void app.attempt(() => api.remove(kind, row.id))
  }
  for (const earlier of leaving.values()) earlier()
  const timer = setTimeout(() => leaving.get(row.id)?.(), undoMs)
  leaving.set(row.id, () => {
    clearTimeout(timer)
    act()
  })
  app.say(
    "Deleted.",
    () => {
      clearTimeout(timer)
      leaving.delete(row.id)
      app.hush()
    },
    undoMs
  )
}

/** How long a deletion can be undone (ms). */
const undoMs = 8_000

let typing

const type = (text, app) => {
  at.query = text
  clearTimeout(typing)
  typing = setTimeout(() => restart(app, pager?.rows), 120)
}

export const view = (state, app) => {
  const shown = (pager?.rows ?? []).filter(({ id }) => !leaving.has(id))
  const place = {
    kind: at.kind,
    query: at.query,
    address,
    edit: (row) => openForm(app, row),
    remove: (row) => remove(row, app),
    draw: app.draw,
    toggle: (row) => versions.toggle(at.kind, row.id, app),
    isOpen: versions.isOpen,
    versions: () => versions.list(app)
  }
  return html`
    <nav aria-label="Kinds" class="kinds">
      ${Object.entries(kinds).map(
        ([kind, title]) =>
          html`<a href=${address(kind)} aria-current=${kind === at.kind ? "true" : nothing}
            >${title} <small>${number(state.status?.counts[kind] ?? 0)}</small></a
          >`
      )}
      ${others.map(
        ({ kind, name }) =>
          html`<a href=${address(kind)} aria-current=${kind === at.kind ? "true" : nothing} dir="auto"
            >${visible(name)}</a
          >`
      )}
    </nav>
    <div class="bar">
      ${
        searched.has(at.kind)
          ? html`<label class="grow"
              ><span class="hidden">Search</span
              ><input
                id="search"
                type="search"
                placeholder="Search ${kinds[at.kind].toLowerCase()}"
                autocomplete="off"
                spellcheck="false"
                .value=${at.query}
                @input=${(event) => type(event.target.value, app)}
            /></label>`
          : html`<span class="grow"></span>`
      }
      ${
        isOther(at.kind)
          ? nothing
          : html`<button type="button" class="main" @click=${() => openForm(app)}>New ${form.nouns[at.kind]}</button>`
      }
    </div>
    ${filterLine()}
    <p class="count" role="status">${countLine(shown)}</p>
    <div class="rows">${rows.view(shown, place)}</div>
    ${
      pager?.isDone
        ? nothing
        : html`<p class="more"><button type="button" class="quiet" @click=${() => pager?.more()}>Show more</button></p>`
    }
    ${form.view(app)}
  `
}

const filterLine = () =>
  Object.keys(at.filter).length === 0
    ? nothing
    : html`<p class="filters">
        ${Object.entries(at.filter).map(
          ([name, value]) => html`Only ${filters[name]} <strong dir="auto">${visible(value)}</strong>. `
        )}
        <a href=${address(at.kind)}>Show all</a>
      </p>`

const countLine = (shown) => {
  if (pager === undefined || (pager.isLoading && shown.length === 0)) return "Reading…"
  const indexing = pager.indexing
  const still =
    indexing === undefined
      ? ""
      : ` The index is being built: ${number(indexing.done)} of ${number(indexing.total)} rows.`
  if (shown.length === 0) return `${at.query === "" ? "Nothing here yet." : "Nothing found."}${still}`
  return `${counted(shown.length, "row")} shown, newest first${pager.isDone ? "" : "; more as you scroll"}.${still}`
}
