/** Rows of each kind as they are read: what it says, who wrote it, when, and on which node. */
import { html, nothing } from "./lit-html.js"
import { ago, bytes, clockTime, date, day, iso, marked, number, short, shown, visible } from "./text.js"

/** Rows whose long texts are shown whole. */
const whole = new Set()

/** The text of a member: what steers direction is visible, and the words that were searched are marked. */
const words = (text, place) =>
  marked(visible(text), place.query).map(([part, isWord]) => (isWord ? html`<mark>${part}</mark>` : part))

/** A text that may be very long. */
const long = (row, text, place) => {
  if (text.length <= shown || whole.has(row.id)) return html`<p class="text" dir="auto">${words(text, place)}</p>`
  const open = () => {
    whole.add(row.id)
    place.draw()
  }
  return html`<p class="text" dir="auto">${words(text.slice(0, shown), place)}…</p>
    <button type="button" class="quiet" @click=${open}>Show all of it (${bytes(new Blob([text]).size)})</button>`
}

const provenance = (row, place) => {
  const at = row.updated_at ?? row.created_at
  const isChanged = row.created_at !== undefined && row.updated_at - row.created_at > 1
  return html`<p class="provenance">
    ${row.source === undefined ? nothing : html`<span dir="auto">${visible(row.source)}</span> · `}
    <a href=${place.address(place.kind, { origin: row.origin_node })} title="Only what this node wrote" dir="auto"
      >${short(visible(row.origin_node))}</a
    >
    · <time datetime=${iso(at)} title=${date(at)}>${isChanged ? "changed " : ""}${ago(at)}</time>
  </p>`
}

const buttons = (row, name, place) =>
  html`<p class="actions">
    <button
      type="button"
      class="quiet"
      aria-label="History: ${name}"
      aria-expanded=${place.isOpen(row.id) ? "true" : "false"}
      @click=${() => place.toggle(row)}
    >
      History
    </button>
    <button type="button" class="quiet" aria-label="Change: ${name}" @click=${() => place.edit(row)}>Change</button>
    <button type="button" class="quiet" aria-label="Delete: ${name}" @click=${() => place.remove(row)}>Delete</button>
  </p>`

const earlier = (row, place) => (place.isOpen(row.id) ? place.versions() : nothing)

const note = (row, place) =>
  html`<article>
    ${long(row, row.content, place)}
    <p class="tags">
      ${row.importance === "normal" ? nothing : html`<span class="state">${visible(row.importance)}</span>`}
      ${(row.tags ?? []).map((tag) => html`<a href=${place.address("notes", { tag })} dir="auto">${visible(tag)}</a>`)}
    </p>
    ${provenance(row, place)} ${buttons(row, visible(row.content.slice(0, 40)), place)} ${earlier(row, place)}
  </article>`

const fact = (row, place) =>
  html`<article class="fact">
    <p class="text">
      <a href=${place.address("knowledge", { subject: row.subject })} title="All facts about this" dir="auto"
        >${words(row.subject, place)}</a
      >
      <span class="predicate" dir="auto">${words(row.predicate, place)}</span>
      <strong dir="auto">${words(row.object.slice(0, shown), place)}</strong>
      ${row.confidence === 1 ? nothing : html`<small>confidence ${row.confidence}</small>`}
    </p>
    ${provenance(row, place)} ${buttons(row, visible(`${row.subject} ${row.predicate}`), place)} ${earlier(row, place)}
  </article>`

const episode = (row, place) =>
  html`<article class="episode">
    <time datetime=${iso(row.created_at)} title=${date(row.created_at)}>${clockTime(row.created_at)}</time>
    <div>
      <p class="state" dir="auto">${visible(row.event_type)}</p>
      ${long(row, row.summary, place)}
      ${row.detail === "" ? nothing : html`<div class="detail">${long(row, row.detail, place)}</div>`}
      ${provenance(row, place)}
    </div>
  </article>`

/** Episodes as they come, with a heading where another session or another day begins. */
const episodes = (rows, place) => {
  let last = ""
  return rows.map((row) => {
    const key = `${row.session_id}\n${new Date(row.created_at * 1000).toDateString()}`
    const heading =
      key === last
        ? nothing
        : html`<h2 class="session">
            <a href=${place.address("episodes", { session: row.session_id })} dir="auto">${visible(row.session_id)}</a>
            <small>${day(row.created_at)}</small>
          </h2>`
    last = key
    return html`${heading}${episode(row, place)}`
  })
}

/** Words for a good end, as skills write them. */
const good = /^(ok|success|succeeded|done|completed?)$/i

const log = (rows, place) =>
  rows.length === 0
    ? nothing
    : html`<div class="wide">
        <table>
          <caption class="hidden">
            Executions, newest first
          </caption>
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">Skill</th>
              <th scope="col">Status</th>
              <th scope="col" class="amount">Latency</th>
              <th scope="col">Result</th>
              <th scope="col">Node</th>
            </tr>
          </thead>
          <tbody>
            ${rows.map((row) => execution(row, place))}
          </tbody>
        </table>
      </div>`

const execution = (row, place) =>
  html`<tr>
    <td data-label="When">
      <time datetime=${iso(row.created_at)} title=${date(row.created_at)}>${ago(row.created_at)}</time>
    </td>
    <th scope="row" dir="auto">${visible(row.skill_id)}<small dir="auto">${visible(row.endpoint_id)}</small></th>
    <td data-label="Status">
      <a
        href=${place.address("execution_log", { status: row.result_status })}
        class=${good.test(row.result_status) ? "state" : "state bad"}
        dir="auto"
        >${visible(row.result_status)}</a
      >
    </td>
    <td data-label="Latency" class="amount">${number(row.latency_ms)} ms</td>
    <td data-label="Result" dir="auto">${visible(row.result_summary).slice(0, shown)}</td>
    <td data-label="Node" dir="auto">${short(visible(row.origin_node))}</td>
  </tr>`

/** A row of a kind of an application: all its columns, as they are. */
const other = ({ id, updated_at: at, origin_node: origin, hlc: _, ...columns }) =>
  html`<article>
    <dl class="pairs">
      ${Object.entries({ id, ...columns }).map(
        ([name, value]) =>
          html`<dt dir="auto">${visible(name)}</dt>
            <dd dir="auto">${visible(typeof value === "string" ? value : JSON.stringify(value)).slice(0, shown)}</dd>`
      )}
    </dl>
    <p class="provenance">
      <span dir="auto">${short(visible(origin))}</span> ·
      <time datetime=${iso(at)} title=${date(at)}>${ago(at)}</time>
    </p>
  </article>`

const views = {
  notes: (rows, place) => rows.map((row) => note(row, place)),
  knowledge: (rows, place) => rows.map((row) => fact(row, place)),
  episodes,
  execution_log: log
}

export const view = (rows, place) => views[place.kind]?.(rows, place) ?? rows.map(other)
