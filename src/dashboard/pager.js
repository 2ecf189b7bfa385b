/** Rows that are read a page at a time, as far as one has scrolled. */

/** How near the end of the page the next rows are read, in heights of the window. */
const ahead = 1.5

export class Pager {
  rows = []
  isDone = false
  isLoading = false
  indexing = undefined
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
    if (scrollY + (1 + ahead) * innerHeight > document.documentElement.scrollHeight) void this.more()
  }

  /** Reads the next page. */
  async more() {
    if (this.isLoading || this.isDone) return
    this.isLoading = true
    await this.#app.attempt(async () => {
      const { rows, next, indexing } = await this.#read(this.#cursor, this.#stopped.signal)
      this.#add(this.#isBegun ? this.rows : [], rows)
      this.#isBegun = true
      this.#cursor = next
      this.isDone = next === undefined
      this.indexing = indexing
    })
    this.isLoading = false
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
        this.#app.draw()
      })
    }, 100)
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
