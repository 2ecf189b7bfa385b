/** Rows that are read a page at a time, as far as one has scrolled. */
import { html, nothing } from "./lit-html.js"
import { told, visible } from "./text.js"

/** How near the end of the page the next rows are read, in heights of the window. */
const ahead = 1.5

export class Pager {
  rows = []
  isDone = false
  isLoading = false
  indexing = undefined
  /** Why the last attempt to read failed: what is shown may not be all. */
  failure = undefined
  #isBegun = false
  #cursor
  #read
  #app
  #stopped = new AbortController()
  #renewing

  /** `before`: rows that are shown until the first page is there. */
  constructor(read, app, before = []) {
    this.rows = before
    this.#read = read
    this.#app = app
    addEventListener("scroll", this.#onScroll, { passive: true, signal: this.#stopped.signal })
  }

  stop() {
    clearTimeout(this.#renewing)
    this.#stopped.abort()
  }

  #onScroll = () => {
    const { scrollY, innerHeight } = window
    if (scrollY + (1 + ahead) * innerHeight > document.documentElement.scrollHeight && !this.failure) void this.more()
  }

  #onFailure = (failure) => {
    this.failure = failure
    this.#app.draw()
  }

  /** Reads the next page. */
  async more() {
    if (this.isLoading || this.isDone) return
    this.isLoading = true
    const isRead = await this.#app.attempt(async () => {
      const { rows, next, indexing } = await this.#read(this.#cursor, this.#stopped.signal)
      this.#add(this.#isBegun ? this.rows : [], rows)
      this.#isBegun = true
      this.#cursor = next
      this.isDone = next === undefined
      this.indexing = indexing
    }, this.#onFailure)
    this.isLoading = false
    if (isRead) this.failure = undefined
    this.#app.draw()
  }

  /** Reads the first page again, soon: rows were written. */
  renew() {
    clearTimeout(this.#renewing)
    this.#renewing = setTimeout(() => {
      void this.#app.attempt(async () => {
        const { rows, next } = await this.#read(undefined, this.#stopped.signal)
        const known = new Set(this.rows.map(({ id }) => id))
        // So much is new that rows in between are missing: it begins anew.
        const isFar = !this.#isBegun || !rows.some(({ id }) => known.has(id))
        if (isFar) {
          this.#cursor = next
          this.isDone = next === undefined
        }
        this.#add(rows, isFar ? [] : this.rows)
        this.#isBegun = true
        this.failure = undefined
        this.#app.draw()
      }, this.#onFailure)
    }, 100)
  }

  /** Whether it is known which rows there are. */
  get isKnown() {
    return this.#isBegun && this.failure === undefined
  }

  /** What stands below the rows: more of them, or why they could not be read. */
  end() {
    if (this.failure !== undefined)
      return html`<p class="more" role="alert">
        <span class="problem" dir="auto">These rows could not be read. ${visible(told(this.failure))}.</span>
        <button type="button" @click=${() => (this.#isBegun && this.isDone ? this.renew() : this.more())}>
          Try again
        </button>
      </p>`
    return this.isDone
      ? nothing
      : html`<p class="more"><button type="button" class="quiet" @click=${() => this.more()}>Show more</button></p>`
  }

  drop(ids) {
    const gone = new Set(ids)
    this.rows = this.rows.filter(({ id }) => !gone.has(id))
  }

  /** The first of two rows with one id is the newer one. */
  #add(first, second) {
    const rows = new Map(first.map((row) => [row.id, row]))
    for (const row of second) if (!rows.has(row.id)) rows.set(row.id, row)
    this.rows = [...rows.values()]
  }
}
