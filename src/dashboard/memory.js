/**
 * The rows of the memory, by kind: newest first, a page at a time as one scrolls, or those that a search finds. What any node writes
 * appears by itself.
 */
import * as api from "./api.js"
import { Pager } from "./pager.js"
import * as versions from "./versions.js"
import * as form from "./form.js"
import * as kinds from "./kinds.js"
import { html, nothing } from "./lit-html.js"
import * as rows from "./rows.js"
import { counted, number, visible } from "./text.js"

/** An application may have declared a kind since. */
const askKinds = (app) =>
  app.attempt(async () => {
    await kinds.loadOwn()
    app.draw()
  })

/** What is shown: `kind` is a description, and there is none before the node has answered. */
const at = { kind: undefined, query: "", filter: {}, isDeleted: false }
let pager

/** The filters that rows of a kind offer. */
const filtersOf = ({ columns }) => ["origin", ...columns.flatMap(({ filter }) => filter ?? [])]

/** What they are called, where not as they are. */
const filterWords = { tags: "tag", origin: "node" }

/** Rows that are deleted in a moment, unless that is undone: by id, what does it. */
const leaving = new Map()

const fetchPage = (cursor, signal) => {
  const { kind, query, filter } = at
  const { tags, ...others } = filter
  const wanted = { limit: 50, ...(cursor && { cursor }), ...others, ...(tags && { tags: [tags] }) }
  const words = kind.is_searched ? query.trim() : ""
  if (kind.is_own) return api.ofKind(kind, { ...wanted, ...(words && { words }) }, { signal })
  // No search looks at a status.
  return words === "" || filter.status !== undefined
    ? api.recent({ ...wanted, kinds: [kind.kind] }, { signal })
    : api.search({ ...wanted, kinds: [kind.kind], query }, { signal })
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
  const kind = kinds.find(fields.get("kind") ?? at.kind?.kind) ?? kinds.all()[0]
  if (kind === undefined) return
  const filter = Object.fromEntries(
    filtersOf(kind).flatMap((name) => (fields.has(name) ? [[name, fields.get(name)]] : []))
  )
  const isSame = kind.kind === at.kind?.kind && JSON.stringify(filter) === JSON.stringify(at.filter)
  at.kind = kind
  at.isDeleted = fields.has("deleted")
  at.filter = filter
  if (at.isDeleted) versions.enterDeleted(app)
  else if (!isSame || pager === undefined) restart(app)
  if (app.state.mayRead) void askKinds(app)
}

/** The address of the rows of a kind with one filter. */
const address = ({ kind }, filter = {}) => `#/memory?${new URLSearchParams({ kind, ...filter })}`

/** Commits: rows of the kind that is shown are read again from the top. */
export const take = (operations, app) => {
  if (operations.some(({ table }) => kinds.isNewName(table))) void askKinds(app)
  if (at.isDeleted) versions.takeDeleted(operations)
  const ours = operations.filter(({ table }) => table === at.kind?.kind)
  if (ours.length === 0 || pager === undefined) return
  pager.drop(ours.filter(({ op_type: type }) => type === "delete").map(({ row_id: id }) => id))
  pager.renew(app)
}

export const mayHaveMissed = (app) => pager?.renew(app)

/** Carries out what could still be undone. */
export const finish = () => {
  for (const { act } of leaving.values()) act()
  leaving.clear()
}

export const forget = () => {
  clearTimeout(typing)
  for (const { timer } of leaving.values()) clearTimeout(timer)
  leaving.clear()
  pager?.stop()
  pager = undefined
  Object.assign(at, { kind: undefined, query: "", filter: {} })
}

export const focusSearch = () =>
  requestAnimationFrame(() => requestAnimationFrame(() => document.querySelector("#search")?.focus()))

export const openForm = (app, row) => {
  const kind = at.kind ?? kinds.all()[0]
  if (kind?.can_add) form.open(kind, row, app)
}

const remove = (row, app) => {
  const { kind } = at
  finish()
  const act = () => {
    clearTimeout(timer)
    leaving.delete(row.id)
    void app.attempt(() => api.remove(kind, row.id))
  }
  const timer = setTimeout(act, undoMs)
  leaving.set(row.id, { act, timer })
  const undo = () => {
    clearTimeout(timer)
    leaving.delete(row.id)
    app.hush()
  }
  app.say("Deleted.", { word: "Undo", act: undo }, undoMs)
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
  const { kind, query } = at
  if (kind === undefined) return nothing
  const shown = (pager?.rows ?? []).filter(({ id }) => !leaving.has(id))
  const place = {
    kind,
    query,
    address: (filter) => address(kind, filter),
    edit: (row) => openForm(app, row),
    remove: (row) => remove(row, app),
    draw: app.draw,
    toggle: (row) => versions.toggle(kind.kind, row.id, app),
    isOpen: versions.isOpen,
    versions: () => versions.list(app)
  }
  return html`
    <nav aria-label="Kinds" class="kinds">
      ${kinds.all().map((one) => tab(one, state.status?.counts[one.kind]))}
      <a href="#/memory?deleted" aria-current=${at.isDeleted ? "true" : nothing}>Deleted</a>
    </nav>
    ${at.isDeleted ? versions.viewDeleted(app) : list(place, shown, app)}
  `
}

const list = (place, shown, app) => {
  const { kind, query } = place
  return html`
    <div class="bar">
      ${
        kind.is_searched
          ? html`<label class="grow"
              ><span class="hidden">Search</span
              ><input
                id="search"
                type="search"
                placeholder="Search ${kind.many}"
                autocomplete="off"
                spellcheck="false"
                .value=${query}
                @input=${(event) => type(event.target.value, app)}
            /></label>`
          : filterFields()
      }
      ${
        kind.can_add
          ? html`<button type="button" class="main" @click=${() => openForm(app)}>New ${visible(kind.one)}</button>`
          : nothing
      }
    </div>
    ${filterLine()}
    <p class="count" role="status">${countLine(shown)}</p>
    <div class="rows">${rows.view(shown, place)}</div>
    ${pager?.end() ?? nothing}
  `
}

const tab = (kind, count) =>
  html`<a href=${address(kind)} aria-current=${kind === at.kind && !at.isDeleted ? "true" : nothing} dir="auto"
    >${visible(kinds.titleOf(kind))}${count === undefined ? nothing : html` <small>${number(count)}</small>`}</a
  >`

/** Rows that are not found by words are narrowed down by what they have in their columns. */
const filterFields = () => {
  const narrow = ({ target: { name, value } }) => {
    const { [name]: _, ...others } = at.filter
    location.hash = address(at.kind, value.trim() === "" ? others : { ...others, [name]: value.trim() })
  }
  return html`<span class="grow narrow" @change=${narrow}>
    ${filtersOf(at.kind).map((name) => {
      const column = kinds.filtered(at.kind, name)?.name ?? "origin_node"
      const known = [...new Set(pager?.rows.map((row) => row[column]))].filter((value) => typeof value === "string")
      return html`<label
        >Only ${filterWords[name] ?? name}
        <input name=${name} list="of-${name}" autocomplete="off" .value=${at.filter[name] ?? ""} />
        <datalist id="of-${name}">${known.map((value) => html`<option value=${value}></option>`)}</datalist>
      </label>`
    })}
  </span>`
}

const filterLine = () =>
  Object.keys(at.filter).length === 0
    ? nothing
    : html`<p class="filters">
        ${Object.entries(at.filter).map(
          ([name, value]) => html`Only ${filterWords[name] ?? name} <strong dir="auto">${visible(value)}</strong>. `
        )}
        <a href=${address(at.kind)}>Show all</a>
      </p>`

const countLine = (shown) => {
  if (pager === undefined || (pager.isLoading && shown.length === 0)) return "Reading…"
  if (!pager.isKnown) return shown.length === 0 ? "" : `${counted(shown.length, "row")} shown, read before.`
  const indexing = pager.indexing
  const still =
    indexing === undefined
      ? ""
      : ` The index is being built: ${number(indexing.done)} of ${number(indexing.total)} rows.`
  if (shown.length === 0)
    return `${at.query === "" || !at.kind.is_searched ? "Nothing here yet." : "Nothing found."}${still}`
  return `${counted(shown.length, "row")} shown, newest first${pager.isDone ? "" : "; more as you scroll"}.${still}`
}
