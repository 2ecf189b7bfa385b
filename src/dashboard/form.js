/** New rows, and changed ones, in a dialog. Its fields are the columns of the kind. */
import * as api from "./api.js"
import * as kinds from "./kinds.js"
import { html, nothing } from "./lit-html.js"
import { visible } from "./text.js"

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

/** The columns that can be written: of a new row all of them. */
const fieldsOf = ({ columns, change }, row) =>
  row === undefined ? columns : columns.filter(({ name }) => change.columns.includes(name))

const isText = ({ type, choices }) => type === "text" && choices === undefined

/** Whether a text may be more than a line. */
const isLong = (column, { text, is_searched: isSearched }) =>
  column.type === "json" ||
  (isText(column) && (column.means === "detail" || (isSearched && text.length === 1 && text[0] === column.name)))

/** The value of a field; none where an optional one was left empty. */
const valueOf = (column, text) => {
  const { type, required } = column
  if (type === "boolean") return text !== undefined
  if (text === undefined || (text.trim() === "" && !(required && type === "text"))) return undefined
  if (type === "number") return Number(text)
  if (type === "texts")
    return text
      .split(",")
      .map((part) => part.trim())
      .filter(Boolean)
  if (type !== "json") return text
  try {
    return JSON.parse(text)
  } catch {
    throw new Error(`${kinds.labelOf(column)} is not JSON.`)
  }
}

const inputOf = (kind, row, form) => {
  const values = new Map(new FormData(form))
  return Object.fromEntries(
    fieldsOf(kind, row).map((column) => [column.name, valueOf(column, values.get(column.name))])
  )
}

/** A row that has another id when it is written again takes the place of the one before. */
const save = async (kind, row, input) => {
  if (row === undefined) return api.add(kind, input)
  const { id } = await api.change(kind, row.id, input)
  if (id !== row.id) await api.remove(kind, row.id)
}

const submit = (app) => async (event) => {
  event.preventDefault()
  const { kind, row } = shown
  const form = event.target
  if (await app.attempt(async () => save(kind, row, inputOf(kind, row, form)))) {
    close(app)
    app.say(`The ${kind.one} was ${row === undefined ? "saved" : "changed"}.`)
  }
}

export const view = (app) => {
  if (shown === undefined) return nothing
  const { kind, row } = shown
  return html`
    <dialog aria-labelledby="form" @close=${() => shown === undefined || close(app)}>
      <form @submit=${submit(app)}>
        <h2 id="form">${row === undefined ? "New" : "Change"} ${visible(kind.one)}</h2>
        ${fieldsOf(kind, row).map((column) => field(column, kind, row))}
        <p class="buttons">
          <button type="button" @click=${() => close(app)}>Cancel</button>
          <button type="submit" class="main">Save</button>
        </p>
      </form>
    </dialog>
  `
}

/** What a field takes, beside its name. */
const hintOf = ({ type, means, minimum, maximum }) => {
  if (type === "texts") return ", with commas between them"
  if (type === "json") return ", as JSON"
  if (means === "duration") return " in ms"
  return maximum === undefined ? "" : `, from ${minimum} to ${maximum}`
}

const textOf = ({ type }, value) => {
  if (value === undefined) return ""
  return type === "texts" ? value.join(", ") : type === "json" ? JSON.stringify(value) : String(value)
}

const field = (column, kind, row) => {
  const value = row === undefined ? column.default : row[column.name]
  const label = `${visible(kinds.labelOf(column))}${hintOf(column)}`
  return column.type === "boolean"
    ? html`<label class="check"
        ><input name=${column.name} type="checkbox" .checked=${value === true} /> ${label}</label
      >`
    : html`<label>${label} ${control(column, kind, textOf(column, value))}</label>`
}

const control = (column, kind, value) => {
  const { name, type, required, choices, minimum, maximum } = column
  // A row of another node may have another word.
  if (choices !== undefined) {
    const words = new Set([...(required ? [] : [column.default ?? ""]), ...choices, value])
    return html`<select name=${name}>
      ${[...words].map((word) => html`<option value=${word} ?selected=${word === value}>${visible(word)}</option>`)}
    </select>`
  }
  return isLong(column, kind)
    ? html`<textarea
        name=${name}
        rows=${type === "json" || column.means === "detail" ? 3 : 5}
        dir="auto"
        ?required=${required}
        .value=${value}
      ></textarea>`
    : html`<input
        name=${name}
        type=${type === "number" ? "number" : "text"}
        step="any"
        min=${minimum ?? nothing}
        max=${maximum ?? nothing}
        dir="auto"
        ?required=${required && type !== "texts"}
        .value=${value}
      />`
}
