/** What does not go as it should: why, and what to do. */
import * as api from "./api.js"
import { html, nothing } from "./lit-html.js"
import { ago, capital, counted, long, visible } from "./text.js"

/** The last comparison with the peers, and whether one is under way. */
let compared
let isComparing = false

export const forget = () => {
  unread = []
  differing = []
  looked = {}
  compared = undefined
}

export const view = ({ status, trouble, answeredAt }, app) => {
  if (trouble !== undefined) {
    const before =
      status === undefined ? undefined : `It answered last ${ago(answeredAt)}; what was wrong then is below.`
    const { problem, message, nextStep } = trouble
    return html`${entry("This node", problem ?? message, nextStep, before)}
    ${status === undefined ? nothing : troublesOf(status, app.draw)}`
  }
  if (status === undefined) return nothing
  void look(status, app)
  const parts = [...troublesOf(status, app.draw), ...notices(status)]
  return html`
    ${parts.length === 0 ? html`<p class="empty">No problems.</p>` : parts} ${repaired()} ${comparison(app)}
  `
}

const entry = (title, problem, nextStep, why, more = nothing) => html`
  <section class="trouble">
    <h2 dir="auto">${visible(title)}</h2>
    <p class="problem" dir="auto">${visible(capital(problem))}</p>
    ${why === undefined ? nothing : html`<p>${why}</p>`} ${more}
    ${nextStep === undefined ? nothing : html`<p class="step" dir="auto">Next: ${visible(nextStep)}</p>`}
  </section>
`

/** What is worth a word, and may be normal. */
const notices = ({ alarms = [] }) =>
  alarms
    .filter(({ level }) => level === "notice")
    .map(({ problem, message, next_step: nextStep }) => entry("Notice", problem ?? message, nextStep))

const reasons = {
  Diverged: "Both claim the same history and hold different rows. The rows that differ are exchanged now.",
  ClockDrift: "Its clock is ahead of ours. What it writes is held back until our clock gets there.",
  DeferredByPeer: "Our clock is ahead of its. What this node writes is held back there until its clock gets there.",
  RowsTooLarge: "All other rows are exchanged.",
  OverQuota: "A newer version has kinds of rows that this one does not know. All other rows are exchanged.",
  Quarantined: "They are quarantined; other rows sync normally. The newest:"
}

/** What the sentence on top is about: all of it. */
const troublesOf = (status, draw) =>
  (status.troubles ?? []).map(({ _tag, text, next_step: nextStep, node }) =>
    entry(
      node ?? titles[_tag] ?? "This node",
      node !== undefined && text.startsWith(`${node}: `) ? text.slice(node.length + 2) : text,
      nextStep,
      reasons[_tag],
      details[_tag]?.(status, draw) ?? nothing
    )
  )

const titles = { Quarantined: "Quarantine" }

const details = {
  Quarantined: (_, draw) => (unread.length === 0 ? nothing : list(unread, draw)),
  OverQuota: ({ opaque }) =>
    (opaque?.held_back ?? []).map(
      ({ origin, from }) =>
        html`<p dir="auto">
          Held back: ${visible(origin)}. Rows of unknown kinds from ${visible(origin)} do not fit into the quota, from
          ${visible(from)} on. They stay on the nodes that have them.
        </p>`
    )
}

/** What the quarantine holds, and how often rows of peers differed. */
let unread = []
let differing = []

/** For which state that was asked, and when. A repair changes no state that is shown: it is asked again after a while (ms). */
let looked = {}
const lookEvery = 2_000

const look = async ({ counts: { quarantine }, peers }, app) => {
  if (app.state.mayRead !== true) return
  const ids = peers.flatMap(({ node_id: id }) => id ?? [])
  const mark = `${quarantine} ${peers.map(({ node_id: id, state, last_error: error }) => `${id} ${state} ${error?._tag}`)}`
  const now = Date.now()
  if (looked.mark === mark && now - looked.at < lookEvery) return
  looked = { mark, at: now }
  await app.attempt(async () => {
    const [held, all] = await Promise.all([
      quarantine === 0 ? { rows: [] } : api.quarantine(),
      Promise.all(ids.map((id) => api.peer(id).catch(() => undefined)))
    ])
    unread = held.rows
    differing = all.filter((peer) => peer !== undefined && peer.digest_mismatches > 0)
    app.draw()
  })
}

const list = (rows, draw) =>
  html`<ul class="unread">
    ${rows.map(
      ({ number, peer, reason, text }) =>
        html`<li>
          <p dir="auto">From ${visible(peer)}: ${visible(reason)}</p>
          <pre dir="auto">${long(`unread ${number}`, text, draw)}</pre>
        </li>`
    )}
  </ul>`

const repaired = () =>
  differing.length === 0
    ? nothing
    : html`<section aria-labelledby="repaired">
        <h2 id="repaired">Repaired since the start</h2>
        <p>
          Rows here and there differed although both nodes had the same history. This happens after damage to a disk, or
          when a file was put back. The rows that differed were exchanged.
        </p>
        <ul>
          ${differing.map(
            ({ node_id: id, digest_mismatches: times, repairs }) =>
              html`<li dir="auto">
                ${visible(id)}: differed ${counted(times, "time")}, repaired ${counted(repairs, "time")}
              </li>`
          )}
        </ul>
      </section>`

const comparison = (app) => html`
  <section aria-labelledby="compare">
    <h2 id="compare">Compare with the peers</h2>
    <p>
      Adds up all rows of this node anew, and compares them with those of every connected peer. What differs is repaired
      at once.
    </p>
    <p>
      <button
        type="button"
        ?disabled=${isComparing}
        @click=${async () => {
          isComparing = true
          app.draw()
          await app.attempt(async () => (compared = await api.verify()))
          isComparing = false
          looked = {}
          app.draw()
        }}
      >
        ${isComparing ? "Comparing…" : "Compare now"}
      </button>
    </p>
    ${compared === undefined ? nothing : results(compared)}
  </section>
`

const results = ({ corrected, peers }) =>
  html`<div role="status">
    ${corrected.map((what) => html`<p dir="auto">This node: ${visible(what)}; corrected.</p>`)}
    ${
      peers.length === 0
        ? html`<p>No peer is connected.</p>`
        : html`<ul>
            ${peers.map(result)}
          </ul>`
    }
  </div>`

const result = ({ node_id: id, result, rows_repaired: rows, reason }) =>
  html`<li dir="auto">
    ${visible(id)}:
    ${result}${rows === 0 ? "" : `, ${counted(rows, "row")} repaired here`}${
      reason === undefined ? "" : `; ${visible(reason)}`
    }
  </li>`
