/** Operations as they are committed here: written on this node, or taken from others. */
import * as kinds from "./kinds.js"
import { html, nothing, svg } from "./lit-html.js"
import { clockTime, counted, iso, short, visible } from "./text.js"

/** Operations that are listed, and the width of the line of the last minutes: so many bars of so many seconds. */
const kept = 200
const bars = { count: 60, seconds: 5 }

let taken = []
let isPaused = false
let missedWhilePaused = 0
/** How many came in each of the last intervals, by the number of the interval. */
const counts = new Map()

export const take = (operations) => {
  const now = Date.now() / 1000
  const interval = Math.floor(now / bars.seconds)
  counts.set(interval, (counts.get(interval) ?? 0) + operations.length)
  for (const old of counts.keys()) if (old <= interval - bars.count) counts.delete(old)
  if (isPaused) missedWhilePaused += operations.length
  else
    taken = [
      ...operations
        .slice(-kept)
        .reverse()
        .map((operation) => ({ operation, at: now })),
      ...taken
    ].slice(0, kept)
}

export const forget = () => {
  taken = []
  counts.clear()
}

/** How many came lately, and a line of them. */
export const activity = () => {
  const last = Math.floor(Date.now() / 1000 / bars.seconds)
  const heights = Array.from({ length: bars.count }, (_, index) => counts.get(last - bars.count + 1 + index) ?? 0)
  const total = heights.reduce((sum, count) => sum + count, 0)
  const most = Math.max(1, ...heights)
  const label = `${counted(total, "operation")} in the last five minutes, at most ${most} in ${bars.seconds} seconds`
  const line = svg`
    <svg class="spark" viewBox="0 0 ${bars.count * 6} 40" role="img" aria-label=${label} preserveAspectRatio="none">
      ${heights.map((count, index) => {
        const height = count === 0 ? 1 : 4 + (36 * count) / most
        return svg`<rect x=${index * 6} y=${40 - height} width="4" height=${height} />`
      })}
    </svg>`
  return { total, line }
}

const verbs = { insert: "added", update: "changed", delete: "deleted" }

/** How much of a row is shown: the page of its kind has the rest. */
const beginning = 240

/** What a row says, in a line. `data` is an object, or the text of one. */
const gist = ({ table, data }) => {
  const text = visible(kinds.gist(table, typeof data === "string" ? parsed(data) : (data ?? {})))
  return text.length > beginning ? `${text.slice(0, beginning)}…` : text
}

const parsed = (text) => {
  try {
    return JSON.parse(text) ?? {}
  } catch {
    return {}
  }
}

export const view = ({ status, trouble }, app) => html`
  <div class="bar">
    <p>
      ${
        trouble !== undefined
          ? "While the node does not answer, nothing appears here."
          : isPaused
            ? `Paused: ${counted(missedWhilePaused, "operation")} since then.`
            : "New operations appear at the top."
      }
    </p>
    <button
      type="button"
      aria-pressed=${isPaused ? "true" : "false"}
      @click=${() => {
        isPaused = !isPaused
        missedWhilePaused = 0
        app.draw()
      }}
    >
      ${isPaused ? "Resume" : "Pause"}
    </button>
  </div>
  ${activity().line}
  ${
    taken.length === 0
      ? html`<p class="empty" ?hidden=${trouble !== undefined}>
          Nothing was written since this page was opened. What any node writes appears here.
        </p>`
      : html`<ol class="events" aria-label="Operations, newest first">
          ${taken.map(({ operation, at }) => event(operation, at, status))}
        </ol>`
  }
`

const event = (operation, at, status) => {
  const origin = operation.origin_node ?? operation.hlc.split?.(":").slice(2).join(":") ?? operation.hlc.node
  const isOurs = origin === status?.node_id
  return html`<li>
    <time datetime=${iso(at)}>${clockTime(at)}</time>
    <span class="way">${isOurs ? "written here" : "came in"}</span>
    <span>
      <span class="what"
        >${visible(kinds.find(operation.table)?.one ?? operation.table)} ${verbs[operation.op_type]}</span
      >
      ${isOurs ? nothing : html`by <span dir="auto">${short(visible(origin))}</span>`}
      <span class="gist" dir="auto">${operation.op_type === "delete" ? nothing : gist(operation)}</span>
    </span>
  </li>`
}
