/** What surrounds every page: the sentence on the state of the node, the ways to the pages, and what an action came to. */
import * as form from "./form.js"
import { html, nothing } from "./lit-html.js"
import { counted, told, visible } from "./text.js"

export const titles = {
  overview: "Overview",
  memory: "Memory",
  conflicts: "Conflicts",
  live: "Live",
  problems: "Problems"
}

export const view = (state, page, app) => html`
  <a class="skip" href="#main" @click=${skip}>Skip to the content</a>
  <header>
    <nav aria-label="Pages">
      <span class="mark" aria-hidden="true"></span><strong class="brand">feral-sync</strong>
      <ul>
        ${Object.entries(titles).map(
          ([name, title]) =>
            html`<li>
              <a href="#/${name}" aria-current=${name === state.page ? "page" : nothing}
                >${title}${name === "problems" ? countOf(state.status) : nothing}</a
              >
            </li>`
        )}
      </ul>
    </nav>
    <p class="sentence" role="status" dir="auto">${sentence(state)}</p>
  </header>
  <main id="main" tabindex="-1">
    <h1>${titles[state.page]}</h1>
    ${state.mayRead === false ? locked(state) : nothing}
    ${state.mayRead === false && state.page !== "overview" ? nothing : page(state, app)}
  </main>
  ${form.view(app)} ${notice(state, app)}
  <footer>
    <p>
      Keys: <kbd>1</kbd>–<kbd>5</kbd> pages, <kbd>/</kbd> search, <kbd>n</kbd> new, <kbd>Tab</kbd> through the rest.
    </p>
    <p>
      ${state.status === undefined ? nothing : `Node ${visible(state.status.node_id)}, version ${state.status.version}`}
      · <a href="/docs">API</a>
    </p>
  </footer>
`

const skip = (event) => {
  event.preventDefault()
  document.querySelector("#main").focus()
}

const sentence = ({ status, trouble }) =>
  trouble !== undefined
    ? visible(`${told(trouble)}.`)
    : status === undefined
      ? "Asking the node…"
      : inParts(visible(status.summary ?? ""))

/** The first sentence answers; the others say why. */
const inParts = (text) => {
  const [first = "", ...others] = text.split(/(?<=\.) /)
  return others.length === 0 ? first : html`${first} <span class="why">${others.join(" ")}</span>`
}

/** How many things need a look, beside the name of the page. */
const countOf = (status) => {
  const count = status === undefined ? 0 : problemsOf(status)
  return count === 0 ? nothing : html` <span class="badge">${counted(count, "problem")}</span>`
}

/** What `problems.js` lists, and the sentence counts. */
export const problemsOf = ({ troubles = [] }) => troubles.length

const locked = ({ refusal, status }) => html`
  <section class="locked" aria-labelledby="locked">
    <h2 id="locked">Not signed in</h2>
    ${refusal === undefined ? nothing : html`<p class="problem">${visible(refusal.problem)}</p>`}
    <p>The memory is for its owner alone. Run this command on this machine; it opens a signed-in page:</p>
    <pre><code>${visible(status?.commands?.open ?? "feral-sync open")}</code></pre>
  </section>
`

const notice = ({ notice: shown }, app) => html`
  <div class="notice" role="alert" ?hidden=${shown === undefined}>
    ${
      shown === undefined
        ? nothing
        : html`<span dir="auto">${visible(shown.text)}</span>
            ${shown.button === undefined ? nothing : html`<button type="button" @click=${shown.button.act}>${shown.button.word}</button>`}
            <button type="button" class="quiet" aria-label="Close this message" @click=${app.hush}>✕</button>`
    }
  </div>
`
