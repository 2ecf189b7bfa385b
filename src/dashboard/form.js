/** New rows, and changed ones, in a dialog. Its fields are the columns of the kind. What was typed is not lost when it closes. */
import * as api from "./api.js"
import * as kinds from "./kinds.js"
import { html, nothing } from "./lit-html.js"
import { long, told, visible } from "./text.js"

/**
 * What the dialog is about, nothing while it is closed: the kind and the row; what the fields had at first (`before`); the row that
 * was there last, where that is another one (`seen`); and after a try, why it failed, or what was written meanwhile (`met`).
 */
let shown

/** What was typed and not saved, with the row that it was to change, by kind and row. */
const drafts = new Map()

const keyOf = ({ kind, row }) => `${kind.kind} ${row?.id ?? ""}`

const formOf = () => document.querySelector("dialog form")

const typed = (form) => JSON.stringify([...new FormData(form)])

const fill = (form, entries) => {
  const values = new Map(entries)
  for (const field of form.elements) {
    if (field.type === "checkbox") field.checked = values.has(field.name)
    else if (field.name !== "") field.value = values.get(field.name) ?? ""
  }
}

export const open = (kind, row, app) => {
  const draft = drafts.get(keyOf({ kind, row }))
  const mine = { kind, row: draft?.row ?? row, isBack: draft !== undefined }
  shown = mine
  app.draw()
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      const form = formOf()
      if (form === null || shown !== mine) return
      mine.before = typed(form)
      if (draft !== undefined) fill(form, JSON.parse(draft.text))
      form.parentElement.showModal()
    })
  )
}

/** The focus goes back to the button that opens it. */
const close = (app) => {
  const { row } = shown
  shown = undefined
  document.querySelector("dialog")?.close()
  const opener = row === undefined ? ".bar .main" : `[data-row="${CSS.escape(row.id)}"] [aria-label^="Change:"]`
  ;(document.querySelector(opener) ?? document.querySelector("#main")).focus()
  app.draw()
}

/** It was closed without being saved. */
const leave = (app) => {
  if (shown === undefined) return
  const { kind, row, seen, before } = shown
  const text = typed(formOf())
  if (text === before) drafts.delete(keyOf(shown))
  else {
    drafts.set(keyOf(shown), { row: seen ?? row, text })
    app.say("Not saved. What you typed is kept until this page closes.", {
      word: "Go on",
      act: () => {
        app.hush()
        open(kind, row, app)
      }
    })
  }
  close(app)
}

/** Nobody is signed in any more. */
export const forget = () => {
  drafts.clear()
  shown = undefined
}

/** The columns that can be written: of a new row all of them. */
const fieldsOf = ({ columns, change }, row) =>
  row === undefined ? columns : columns.filter(({ name }) => change.columns.includes(name))

const isText = ({ type, choices }) => type === "text" && choices === undefined

/** Whether a text may be more than a line. */
const isLong = (column, { text, is_searched: isSearched }) =>
  column.type === "json" ||
  (isText(column) && (column.means === "detail" || (isSearched && text.length === 1 && text[0] === column.name)))

/** The value of a field; none where an optional one was left empty. What was not changed stays as it is. */
const valueOf = (column, text, row) => {
  const { name, type, required } = column
  if (type === "boolean") return text !== undefined
  if (row !== undefined && text === textOf(column, row[name])) return row[name]
  if (type === "texts" && row !== undefined) return partsOf(text)
  if (text === undefined || (text.trim() === "" && !(required && type === "text"))) return undefined
  if (type === "number") return Number(text)
  if (type === "texts") return partsOf(text)
  if (type !== "json") return text
  try {
    return JSON.parse(text)
  } catch {
    const problem = `${kinds.labelOf(column)} is not JSON.`
    throw Object.assign(new Error(problem), { problems: [{ field: name, problem: "is not JSON" }] })
  }
}

const partsOf = (text) =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean)

const inputOf = ({ kind, row, seen }, form) => {
  const values = new Map(new FormData(form))
  return Object.fromEntries(
    fieldsOf(kind, row).map((column) => [column.name, valueOf(column, values.get(column.name), seen ?? row)])
  )
}

/** The row as it is now, where it is not as it was last seen here; `null` where it is deleted. */
const meanwhile = async ({ kind, row, seen = row, isGone }) => {
  if (row === undefined || isGone) return undefined
  const now = await api.row(kind, row.id).catch(api.noRow)
  return now?.hlc === seen.hlc ? undefined : now
}

/** A row that has another id when it is written again takes the place of the one before. */
const save = async ({ kind, row, seen = row, isGone }, input) => {
  if (row === undefined) return api.add(kind, input)
  if (isGone) {
    const kept = kind.columns.map(({ name }) => [name, row[name]])
    return api.add(kind, { ...Object.fromEntries(kept), ...input })
  }
  const { id } = await api.change(kind, seen, input)
  if (id !== row.id) await api.remove(kind, row.id)
}

const submit = (app) => async (event) => {
  event.preventDefault()
  const mine = shown
  if (mine.isSaving) return
  const form = event.target
  Object.assign(mine, { isSaving: true, failure: undefined, met: undefined })
  app.draw()
  const isTried = await app.attempt(
    async () => {
      const input = inputOf(mine, form)
      mine.met = await meanwhile(mine)
      if (mine.met === undefined) await save(mine, input)
    },
    (failure) => {
      mine.failure = failure
      if (shown !== mine) app.tell(failure)
    }
  )
  mine.isSaving = false
  app.draw()
  if (!isTried || mine.met !== undefined)
    return requestAnimationFrame(() => formOf()?.querySelector("[aria-invalid=true], .main")?.focus())
  drafts.delete(keyOf(mine))
  if (shown === mine) close(app)
  app.say(`The ${mine.kind.one} was ${mine.row === undefined ? "saved" : "changed"}.`)
}

export const view = (app) => {
  if (shown === undefined) return nothing
  const { kind, row, failure, isBack, isSaving, met } = shown
  return html`
    <dialog aria-labelledby="form" @close=${() => leave(app)}>
      <form @submit=${submit(app)}>
        <h2 id="form">${row === undefined ? "New" : "Change"} ${visible(kind.one)}</h2>
        ${isBack ? back(shown, app) : nothing} ${fieldsOf(kind, row).map((column) => field(column, shown))}
        <div role="alert">
          ${failure === undefined ? nothing : html`<p class="problem" dir="auto">${visible(told(failure))}</p>`}
          ${met === undefined ? nothing : other(shown, app)}
        </div>
        <p class="buttons">
          <button type="button" @click=${() => leave(app)}>Cancel</button>
          ${met === undefined ? html`<button type="submit" class="main" ?disabled=${isSaving}>Save</button>` : choice(shown, app)}
        </p>
      </form>
    </dialog>
  `
}

const back = (mine, app) => {
  const afresh = () => {
    fill(formOf(), JSON.parse(mine.before))
    mine.isBack = false
    app.draw()
  }
  return html`<p>
    What you typed before is here again. <button type="button" class="quiet" @click=${afresh}>Start afresh</button>
  </p>`
}

/** What was written meanwhile, where it is not as it was: what is in the fields stays there. */
const other = ({ kind, row, seen = row, met }, app) => {
  if (met === null) return html`<p class="problem">This row was deleted meanwhile.</p>`
  const changed = kind.columns.filter(({ name }) => JSON.stringify(met[name]) !== JSON.stringify(seen[name]))
  return html`<p class="problem" dir="auto">This row was changed meanwhile by ${visible(met.origin_node)}.</p>
    <dl class="pairs">
      ${changed.map(
        (column) =>
          html`<dt>${visible(kinds.labelOf(column))} is now</dt>
            <dd dir="auto">${long(`met ${met.hlc} ${column.name}`, textOf(column, met[column.name]), app.draw)}</dd>`
      )}
    </dl>
    <p>What you typed is above.</p>`
}

const choice = (mine, app) => {
  const { kind, row, met } = mine
  if (met === null)
    return html`<button type="submit" class="main" @click=${() => (mine.isGone = true)}>Save it as a new one</button>`
  const take = () => {
    fill(
      formOf(),
      fieldsOf(kind, row).flatMap((column) => {
        const value = met[column.name]
        return column.type === "boolean"
          ? value === true
            ? [[column.name, "on"]]
            : []
          : [[column.name, textOf(column, value)]]
      })
    )
    Object.assign(mine, { seen: met, met: undefined, before: typed(formOf()) })
    app.draw()
  }
  return html`<button type="button" @click=${take}>Take the other one</button>
    <button type="submit" class="main" @click=${() => (mine.seen = met)}>Save mine over it</button>`
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

const field = (column, { kind, row, failure }) => {
  const { name } = column
  const value = row === undefined ? column.default : row[name]
  const label = `${visible(kinds.labelOf(column))}${hintOf(column)}`
  const wrong = failure?.problems?.find(({ field }) => field.split(".")[0] === name)
  const said =
    wrong === undefined ? nothing : html`<span class="problem" id="wrong-${name}">${visible(wrong.problem)}</span>`
  return column.type === "boolean"
    ? html`<label class="check"
        ><input name=${name} type="checkbox" .checked=${value === true} /> ${label} ${said}</label
      >`
    : html`<label>${label} ${control(column, kind, textOf(column, value), wrong !== undefined)} ${said}</label>`
}

const control = (column, kind, value, isWrong) => {
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
        aria-invalid=${isWrong}
        rows=${type === "json" || column.means === "detail" ? 3 : 5}
        dir="auto"
        ?required=${required}
        .value=${value}
      ></textarea>`
    : html`<input
        name=${name}
        type=${type === "number" ? "number" : "text"}
        aria-invalid=${isWrong}
        step="any"
        min=${minimum ?? nothing}
        max=${maximum ?? nothing}
        dir="auto"
        ?required=${required && type !== "texts"}
        .value=${value}
      />`
}
