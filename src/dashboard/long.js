/** Texts that may be very long: their beginning, and a button for the rest. */
import { html, nothing } from "./lit-html.js"
import { bytes, shown, visible } from "./text.js"

/** Those that are shown whole. */
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
