/** New rows, and changed ones, in a dialog. */
import * as api from "./api.js"
import { html, nothing } from "./lit-html.js"

export const nouns = { notes: "note", knowledge: "fact", episodes: "episode", execution_log: "log entry" }

/** The fields of each kind: name, label, and what it is beside a line of text. */
const fields = {
  notes: [
    ["content", "Note", { isLong: true, isNeeded: true }],
    ["tags", "Tags, with commas between them", { isNew: true }]
  ],
  knowledge: [
    ["subject", "Subject", { isNeeded: true }],
    ["predicate", "Predicate", { isNeeded: true }],
    ["object", "Object", { isNeeded: true }],
    ["confidence", "Confidence, from 0 to 1", { type: "number", initial: "1" }]
  ],
  episodes: [
    ["session_id", "Session", { isNeeded: true }],
    ["event_type", "Type", { isNeeded: true }],
    ["summary", "Summary", { isNeeded: true }],
    ["detail", "Detail", { isLong: true }]
  ],
  execution_log: [
    ["session_id", "Session", { isNeeded: true }],
    ["skill_id", "Skill", { isNeeded: true }],
    ["endpoint_id", "Endpoint", { isNeeded: true }],
    ["result_status", "Status", { isNeeded: true, initial: "success" }],
    ["result_summary", "Summary", {}],
    ["latency_ms", "Latency in ms", { type: "number", initial: "0" }]
  ]
}

/** The kind and the row that the dialog is about; nothing while it is closed. */
let shown

export const open = (kind, row, app) => {
  shown = { kind, row }
  app.draw()
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      const dialog = document.querySelector("dialog")
      if (dialog !== null && !dialog.open) dialog.showModal()
    })
  )
}

const close = (app) => {
  document.querySelector("dialog")?.close()
  shown = undefined
  app.draw()
}

const inputOf = (kind, form) => {
  const values = Object.fromEntries(new FormData(form))
  return Object.fromEntries(
    fields[kind].flatMap(([name, , { type }]) => {
      const value = values[name]
      if (value === undefined) return []
      if (name === "tags")
        return [
          [
            name,
            value
              .split(",")
              .map((tag) => tag.trim())
              .filter(Boolean)
          ]
        ]
      return [[name, type === "number" ? Number(value) : value]]
    })
  )
}

/** A fact that is stated again replaces what any node stated about the two before; one that stood beside it goes. */
const save = async (kind, row, input) => {
  if (row === undefined) return api.add(kind, input)
  if (kind === "notes") return api.editNote(row.id, input.content)
  const { id } = await api.setFact(input)
  if (id !== row.id) await api.remove(kind, row.id)
}

const submit = (app) => async (event) => {
  event.preventDefault()
  const { kind, row } = shown
  const input = inputOf(kind, event.target)
  if (await app.attempt(() => save(kind, row, input))) {
    close(app)
    app.say(row === undefined ? `The ${nouns[kind]} was saved.` : `The ${nouns[kind]} was changed.`)
  }
}

export const view = (app) => {
  if (shown === undefined) return nothing
  const { kind, row } = shown
  const title = `${row === undefined ? "New" : "Change"} ${nouns[kind]}`
  return html`
    <dialog aria-labelledby="form" @close=${() => shown === undefined || close(app)}>
      <form @submit=${submit(app)}>
        <h2 id="form">${title}</h2>
        ${fields[kind].filter(([, , { isNew }]) => row === undefined || !isNew).map((field) => input(field, row))}
        <p class="buttons">
          <button type="button" @click=${() => close(app)}>Cancel</button>
          <button type="submit" class="main">Save</button>
        </p>
      </form>
    </dialog>
  `
}

const input = ([name, label, { isLong, isNeeded = false, type = "text", initial = "" }], row) => {
  const value = row?.[name] ?? initial
  return html`<label
    >${label}
    ${
      isLong
        ? html`<textarea name=${name} rows="6" dir="auto" ?required=${isNeeded} .value=${value}></textarea>`
        : html`<input name=${name} type=${type} step="any" dir="auto" ?required=${isNeeded} .value=${String(value)} />`
    }
  </label>`
}
