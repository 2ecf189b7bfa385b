/** Values as text for people. What others wrote is only ever text: no part of it becomes markup or a link. */
import { html, nothing } from "./lit-html.js"

const units = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
  ["s", 1]
]

/** Seconds in the greatest unit that fits. */
export const duration = (seconds) => {
  const [unit, size] = units.find(([, size]) => seconds >= size) ?? ["s", 1]
  return `${Math.floor(Math.max(0, seconds) / size)} ${unit}`
}

/** How long a time (Unix seconds) is past. */
export const ago = (time, now = Date.now() / 1000) =>
  time === null || time === undefined ? "never" : now - time < 5 ? "just now" : `${duration(now - time)} ago`

export const date = (time) =>
  new Date(time * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })

export const day = (time) => new Date(time * 1000).toLocaleDateString(undefined, { dateStyle: "full" })

export const clockTime = (time) => new Date(time * 1000).toLocaleTimeString(undefined, { hour12: false })

export const iso = (time) => new Date(time * 1000).toISOString()

export const number = (value) => value.toLocaleString("en-US")

export const counted = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`

export const bytes = (size) =>
  size < 1_000
    ? `${size} B`
    : size < 1_000_000
      ? `${(size / 1_000).toFixed(1)} kB`
      : `${(size / 1_000_000).toFixed(1)} MB`

/** The beginning of a long id. */
export const short = (id) => (id.length > 12 ? `${id.slice(0, 8)}…` : id)

/** A clock that is ahead of ours (ms), in words. */
export const offset = (ms) => {
  if (ms === null || ms === undefined) return "unknown"
  const size = Math.abs(ms)
  const amount = size < 10_000 ? `${number(size)} ms` : duration(size / 1000)
  return size < 1 ? "the same" : `${amount} ${ms > 0 ? "ahead" : "behind"}`
}

/** Marks of direction and controls reorder or hide the text around them: they show as their code points. */
const hidden = /[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\u2028\u2029]|[^\P{Cc}\n\r\t]/gu

export const visible = (text) =>
  String(text).replace(
    hidden,
    (character) => `[U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}]`
  )

export const capital = (text) => text.slice(0, 1).toUpperCase() + text.slice(1)

/** A failure in one line: what the problem is, and what to do next. The two are joined here alone. */
export const told = ({ problem, message, nextStep, next_step: step = nextStep }) => {
  const said = capital(problem ?? message)
  return step === undefined ? said : `${said.replace(/\.$/, "")}; ${step}`
}

/** How much of a text is shown until more is asked for. */
const shown = 1_200

/** Long texts that are shown whole. */
const whole = new Set()

/** What is shown of a text, and the button; `key` is what it is of, and `draw` draws the page again. */
export const parts = (key, text, draw, show = visible) => {
  if (text.length <= shown || whole.has(key)) return [show(text), nothing]
  const open = () => {
    whole.add(key)
    draw()
  }
  return [
    html`${show(text.slice(0, shown).replace(/[\ud800-\udbff]$/, ""))}…`,
    html` <button type="button" class="quiet" @click=${open}>Show all of it (${bytes(new Blob([text]).size)})</button>`
  ]
}

/** Both, one behind the other. */
export const long = (...of) => html`${parts(...of)}`

/** The parts of a text between the words of a query, and the words: `[text, isWord]`. */
export const marked = (text, query) => {
  const words = query
    .trim()
    .split(/\s+/)
    .filter((word) => word.length > 1)
  if (words.length === 0) return [[text, false]]
  const pattern = new RegExp(`(${words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "giu")
  return text.split(pattern).map((part, index) => [part, index % 2 === 1])
}
