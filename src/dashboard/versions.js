/** Earlier versions: those of a row, beside it, and those that last-writer-wins decided between, on a page of their own. */
import * as api from "./api.js"
import { Pager } from "./pager.js"
import * as kinds from "./kinds.js"
import { html, nothing } from "./lit-html.js"
import { ago, counted, date, iso, long, short, visible } from "./text.js"

/** The row whose versions are shown, with them. */
let open

/** Shows the versions of a row, or hides them. */
export const toggle = async (kind, id, app) => {
  if (open?.id === id) open = undefined
  else await app.attempt(async () => (open = { kind, id, versions: await api.history(kind, id) }))
  app.draw()
}

export const isOpen = (id) => open?.id === id

/** What a version says, in words. */
const words = ({ kind, op_type: type, row }) => (type === "delete" || row === null ? "deleted" : kinds.gist(kind, row))

const text = (version, app) => {
  const said = long(`${version.kind} ${version.id} ${version.version}`, words(version), app.draw)
  return html`<p class="text" dir="auto">${said}</p>`
}

const provenance = ({ origin_node: node, updated_at: at }) =>
  html`<span dir="auto">${short(visible(node))}</span> · <time datetime=${iso(at)} title=${date(at)}>${ago(at)}</time>`

const restore = (version, app) =>
  app.attempt(async () => {
    await api.restore(version)
    open = undefined
    app.say("The earlier version was restored.")
    conflicts?.renew()
  })

const restoring = (version, app) =>
  version.op_type === "delete"
    ? nothing
    : html`<button
        type="button"
        class="quiet"
        aria-label="Restore: ${visible(words(version)).slice(0, 40)}"
        @click=${() => restore(version, app)}
      >
        Restore
      </button>`

/** The versions of the row that is open. */
export const list = (app) =>
  open.versions.length === 0
    ? html`<p class="versions">This node keeps no earlier version of it.</p>`
    : html`<ol class="versions" aria-label="Earlier versions, newest first">
        ${open.versions.map(
          (version) =>
            html`<li>
              ${text(version, app)}
              <p class="provenance">
                ${provenance(version)}${version.is_conflict ? " · in conflict with the one that replaced it" : ""}
                ${restoring(version, app)}
              </p>
            </li>`
        )}
      </ol>`

let conflicts

/** What the rows of conflicts say now, by kind and id; `null` for those that are deleted. */
const present = new Map()

const keyOf = ({ kind, id }) => `${kind} ${id}`

const read = async (cursor, signal) => {
  const found = await api.conflicts({ limit: 20, ...(cursor && { cursor }) }, { signal })
  await Promise.all(
    found.rows.map(async ({ kind, id }) =>
      present.set(keyOf({ kind, id }), await api.row({ kind }, id).catch(api.noRow))
    )
  )
  // A row may be in several conflicts: here, the version is what there is one of.
  return { ...found, rows: found.rows.map((row) => ({ id: row.version, conflict: row })) }
}

export const forget = () => {
  for (const pager of [conflicts, deleted]) pager?.stop()
  conflicts = deleted = undefined
  open = undefined
  present.clear()
}

/** Deleted rows, on the page of the memory. */
let deleted

const readDeleted = async (cursor, signal) => {
  const found = await api.deleted({ limit: 20, ...(cursor && { cursor }) }, { signal })
  return { ...found, rows: found.rows.map((row) => ({ id: keyOf(row), row })) }
}

export const enterDeleted = (app) => {
  deleted?.stop()
  deleted = new Pager(readDeleted, app)
  void deleted.more()
}

/** Rows that are there again leave the list. */
export const takeDeleted = (operations) => {
  deleted?.drop(operations.map(({ table: kind, row_id: id }) => keyOf({ kind, id })))
  deleted?.renew()
}

export const viewDeleted = (app) => html`
  <p class="count" role="status">${countLine(deleted, "deleted row")}</p>
  ${deleted?.rows.map(
    ({ row: gone }) =>
      html`<article>
        ${text({ ...gone, version: gone.hlc }, app)}
        <p class="provenance" data-row=${gone.id}>
          ${visible(kinds.find(gone.kind)?.one ?? gone.kind)}, deleted by
          ${provenance({ origin_node: gone.deleted_by, updated_at: gone.deleted_at })} ${restoring(gone, app)}
        </p>
      </article>`
  )}
  ${deleted?.end() ?? nothing}
`

export const enter = (app) => {
  conflicts?.stop()
  conflicts = new Pager(read, app)
  void conflicts.more()
}

/** Something was written: what lost may be new. */
export const take = () => conflicts?.renew()

export const view = (_, app) => {
  const rows = conflicts?.rows ?? []
  return html`
    <p>
      Two nodes wrote the same row, and neither had seen what the other wrote. The later write counts. What it replaced
      is kept here for a while.
    </p>
    <p class="count" role="status">${countLine(conflicts, "conflict")}</p>
    ${rows.map(({ conflict }) => entry(conflict, app))} ${conflicts?.end() ?? nothing}
  `
}

const countLine = (pager, one) => {
  const count = pager?.rows.length ?? 0
  if (pager?.isLoading && count === 0) return "Reading…"
  if (count > 0) return counted(count, one)
  return pager?.isKnown ? `No ${one}s.` : ""
}

const entry = (lost, app) => {
  const now = present.get(keyOf(lost)) ?? null
  return html`<article class="conflict">
    <h2>It was</h2>
    ${text(lost, app)}
    <p class="provenance">${provenance(lost)} ${restoring(lost, app)}</p>
    <h2>It is now</h2>
    ${now === null ? html`<p class="text">deleted</p>` : text({ ...lost, version: "now", op_type: "update", row: now }, app)}
    ${now === null ? nothing : html`<p class="provenance">${provenance(now)}</p>`}
  </article>`
}
