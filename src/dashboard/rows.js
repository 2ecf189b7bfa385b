/**
 * Rows as they are read: what they say, who wrote them, when, and on which node. A kind with a status is a table, one with a session a
 * time line, and any other one a list; what is shown of a column follows from its meaning.
 */
import * as kinds from "./kinds.js"
import { html, nothing } from "./lit-html.js"
import { ago, clockTime, date, day, iso, long, marked, number, parts, short, visible } from "./text.js"

/** The text of a member: what steers direction is visible, and the words that were searched are marked. */
const words = (text, place) =>
  marked(visible(text), place.query).map(([part, isWord]) => (isWord ? html`<mark>${part}</mark>` : part))

/** A column of a row, of which there may be very much: what is shown of it, and the button for the rest. */
const column = (row, name, place) =>
  parts(`${row.id} ${name}`, kinds.say(row[name]), place.draw, (text) => words(text, place))

const paragraph = (row, name, place) => {
  const [said, more] = column(row, name, place)
  return html`<p class="text" dir="auto">${said}</p>
    ${more}`
}

/** Who wrote a row, and when. */
const provenance = (row, place) => {
  const at = row.updated_at ?? row.created_at
  const isChanged = row.created_at !== undefined && row.updated_at - row.created_at > 1
  const source = row[kinds.meaning(place.kind, "source")?.name]
  return html`<p class="provenance">
    ${source === undefined ? nothing : html`<span dir="auto">${visible(kinds.say(source))}</span> · `}
    <a href=${place.address({ origin: row.origin_node })} title="Only what this node wrote" dir="auto"
      >${short(visible(row.origin_node))}</a
    >
    · <time datetime=${iso(at)} title=${date(at)}>${isChanged ? "changed " : ""}${ago(at)}</time>
  </p>`
}

/** What can be done with a row. */
const buttons = (row, place) => {
  const { kind, change, can_delete: canDelete, has_history: hasHistory } = place.kind
  if (change === undefined && !canDelete && !hasHistory) return nothing
  const name = visible((kinds.gist(kind, row) || row.id).slice(0, 40))
  const button = (word, act, isOpen = nothing) =>
    html`<button
      type="button"
      class="quiet"
      aria-label="${word}: ${name}"
      aria-expanded=${isOpen}
      @click=${({ detail }) => detail < 2 && act(row)}
    >
      ${word}
    </button>`
  return html`<p class="actions" data-row=${row.id}>
      ${hasHistory ? button("History", place.toggle, place.isOpen(row.id) ? "true" : "false") : nothing}
      ${change === undefined ? nothing : button("Change", place.edit)}
      ${canDelete ? button("Delete", place.remove) : nothing}
    </p>
    ${hasHistory && place.isOpen(row.id) ? place.versions() : nothing}`
}

/** What a row is about: a text, or a statement of several columns. */
const about = (row, place) => {
  const { kind } = place
  const [first, ...others] = kind.text.filter((name) => row[name] !== undefined)
  const last = others.pop()
  if (first === undefined) return nothing
  if (last === undefined) return paragraph(row, first, place)
  const said = (name) => column(row, name, place)
  const [subject, more] = said(first)
  const filter = kind.columns.find(({ name }) => name === first)?.filter
  return html`<p class="text">
    ${
      filter === undefined
        ? html`<span dir="auto">${subject}</span>`
        : html`<a href=${place.address({ [filter]: row[first] })} title="All ${kind.many} about this" dir="auto"
            >${subject}</a
          >`
    }${more}
    ${others.map((name) => html`<span class="predicate" dir="auto">${said(name)}</span> `)}
    <strong dir="auto">${said(last)}</strong>
  </p>`
}

/** Whether a column says no more than its default. */
const isPlain = ({ default: byDefault }, value) =>
  value === undefined || value === "" || JSON.stringify(value) === JSON.stringify(byDefault)

/** The columns of a row that say something beside its text, with their values. */
const rest = (row, { text, columns }) =>
  columns.filter((column) => !text.includes(column.name) && !isPlain(column, row[column.name]))

const isLabel = ({ means, choices }) => means === "label" || choices !== undefined

/** Labels, tags and amounts, in a line. */
const line = (row, place) => {
  const marks = rest(row, place.kind).flatMap((column) => {
    const value = row[column.name]
    if (column.filter === "tags")
      return value.map(
        (tag) => html`<a class="tag" href=${place.address({ tags: tag })} dir="auto">${visible(tag)}</a>`
      )
    if (isLabel(column)) return html`<span class="state" dir="auto">${visible(kinds.say(value))}</span>`
    return column.type === "number" ? html`<small>${kinds.labelOf(column)} ${amount(column, value)}</small>` : []
  })
  return marks.length === 0 ? nothing : html`<p class="tags">${marks}</p>`
}

const amount = ({ means }, value) => (means === "duration" ? `${number(value)} ms` : number(value))

const details = (row, place) =>
  rest(row, place.kind)
    .filter(({ means }) => means === "detail")
    .map(({ name }) => html`<div class="detail">${paragraph(row, name, place)}</div>`)

/** Columns without a meaning, with their names. */
const pairs = (row, entries, place) =>
  entries.length === 0
    ? nothing
    : html`<dl class="pairs">
        ${entries.map(
          ([name, value]) =>
            html`<dt dir="auto">${visible(name)}</dt>
              <dd dir="auto">${long(`${row.id} ${name}`, kinds.say(value), place.draw)}</dd>`
        )}
      </dl>`

const others = (row, kind) =>
  rest(row, kind)
    .filter((column) => !isLabel(column) && !column.means && !column.filter && column.type !== "number")
    .map((column) => [kinds.labelOf(column), row[column.name]])

/** All columns of a row of an application but its text: also those that its kind does not have. */
const all = ({ updated_at: _at, origin_node: _origin, hlc: _hlc, id, ...columns }, { text }) =>
  Object.entries({ id, ...columns }).filter(([name]) => !text.includes(name))

const article = (row, place) =>
  html`<article class=${place.kind.text.length > 1 ? "fact" : nothing}>
    ${about(row, place)}
    ${
      place.kind.is_own
        ? pairs(row, all(row, place.kind), place)
        : html`${line(row, place)} ${details(row, place)} ${pairs(row, others(row, place.kind), place)}`
    }
    ${provenance(row, place)} ${buttons(row, place)}
  </article>`

const moment = (row, place) =>
  html`<article class="episode">
    <time datetime=${iso(row.created_at)} title=${date(row.created_at)}>${clockTime(row.created_at)}</time>
    <div>
      ${line(row, place)} ${about(row, place)} ${details(row, place)} ${pairs(row, others(row, place.kind), place)}
      ${provenance(row, place)} ${buttons(row, place)}
    </div>
  </article>`

/** Rows as they come, with a heading where another session or another day begins. */
const timeline = (rows, place) => {
  const { name, filter } = kinds.filtered(place.kind, "session")
  let last = ""
  return rows.map((row) => {
    const key = `${row[name]}\n${new Date(row.created_at * 1000).toDateString()}`
    const heading =
      key === last
        ? nothing
        : html`<h2 class="session">
            <a href=${place.address({ [filter]: row[name] })} dir="auto">${visible(row[name])}</a>
            <small>${day(row.created_at)}</small>
          </h2>`
    last = key
    return html`${heading}${moment(row, place)}`
  })
}

/** Words for a good end, as skills write them. */
const good = /^(ok|success|succeeded|done|completed?)$/i

/** The columns of a table: what ran, how it ended, and what else has a meaning. */
const cellsOf = ({ text, columns }) => ({
  named: columns.filter(({ name }) => text.includes(name)),
  beneath: columns.filter(
    ({ name, type, filter, means }) => type === "text" && !filter && !means && !text.includes(name)
  ),
  status: columns.find(({ filter }) => filter === "status"),
  amounts: columns.filter(({ type }) => type === "number"),
  details: columns.filter(({ means }) => means === "detail")
})

const table = (rows, place) => {
  if (rows.length === 0) return nothing
  const cells = cellsOf(place.kind)
  const head = (column) => html`<th scope="col">${kinds.labelOf(column)}</th>`
  return html`<div class="wide">
    <table>
      <caption class="hidden">
        ${kinds.titleOf(place.kind)}, newest first
      </caption>
      <thead>
        <tr>
          <th scope="col">When</th>
          <th scope="col">${cells.named.map(kinds.labelOf).join(", ")}</th>
          ${head(cells.status)}
          ${cells.amounts.map((column) => html`<th scope="col" class="amount">${kinds.labelOf(column)}</th>`)}
          ${cells.details.map(head)}
          <th scope="col">Node</th>
        </tr>
      </thead>
      <tbody>
        ${rows.map((row) => execution(row, cells, place))}
      </tbody>
    </table>
  </div>`
}

const execution = (row, { named, beneath, status, amounts, details }, place) => {
  const end = kinds.say(row[status.name])
  return html`<tr>
    <td data-label="When">
      <time datetime=${iso(row.created_at)} title=${date(row.created_at)}>${ago(row.created_at)}</time>
    </td>
    <th scope="row" dir="auto">
      ${named.map(({ name }) => column(row, name, place))}${beneath.map(
        ({ name }) => html`<small dir="auto">${column(row, name, place)}</small>`
      )}
      ${buttons(row, place)}
    </th>
    <td data-label=${kinds.labelOf(status)}>
      <a href=${place.address({ status: end })} class=${good.test(end) ? "state" : "state bad"} dir="auto"
        >${visible(end)}</a
      >
    </td>
    ${amounts.map(
      (column) => html`<td data-label=${kinds.labelOf(column)} class="amount">${amount(column, row[column.name])}</td>`
    )}
    ${details.map(
      (one) => html`<td class="long" data-label=${kinds.labelOf(one)} dir="auto">${column(row, one.name, place)}</td>`
    )}
    <td data-label="Node" dir="auto">${short(visible(row.origin_node))}</td>
  </tr>`
}

export const view = (rows, place) => {
  if (kinds.filtered(place.kind, "status") !== undefined) return table(rows, place)
  if (kinds.filtered(place.kind, "session") !== undefined) return timeline(rows, place)
  return rows.map((row) => article(row, place))
}
