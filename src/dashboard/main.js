/**
 * The dashboard: what is known of the node, and which page shows it. A page is a function of this state; whatever changes the state
 * asks for it to be drawn again.
 */
import * as api from "./api.js"
import * as form from "./form.js"
import * as kinds from "./kinds.js"
import * as versions from "./versions.js"
import * as live from "./live.js"
import * as memory from "./memory.js"
import * as overview from "./overview.js"
import * as problems from "./problems.js"
import * as shell from "./shell.js"
import { nothing, render } from "./lit-html.js"
import { told } from "./text.js"

const pages = { overview, memory, conflicts: versions, live, problems }

const state = {
  page: "overview",
  /** Whether this browser is signed in; not known before the first answer. */
  mayRead: undefined,
  /** Why it is not, where it tried. */
  refusal: undefined,
  status: undefined,
  answeredAt: 0,
  /** Why there is no newer status. */
  trouble: undefined,
  /** What the last action came to. */
  notice: undefined
}

const root = document.querySelector("#app")

let isDue = false

/** Draws the page again, once for all changes until then. */
const draw = () => {
  if (isDue) return
  isDue = true
  requestAnimationFrame(() => {
    isDue = false
    const keep = focused()
    render(shell.view(state, pages[state.page].view, app), root)
    keep()
  })
}

/**
 * Rows move, come and go under the button that has the focus: it goes along with its row, to the row that took its place, or to the
 * content.
 */
const focused = () => {
  const before = document.activeElement ?? document.body
  const place = before.closest("[data-row]")
  const row = place?.dataset.row
  const index = [...(place?.querySelectorAll("button") ?? [])].indexOf(before)
  return () => {
    if (before.isConnected && place?.dataset.row === row) return
    const rows = [...document.querySelectorAll("[data-row]")]
    const same = row && rows.find(({ dataset }) => dataset.row === row)?.querySelectorAll("button")[index]
    const next = row && (place.isConnected ? place : rows.at(-1))?.querySelector("button")
    ;(same || next || document.querySelector("#main"))?.focus()
  }
}

let noticeTimer

/** The browser is not signed in, or not any more: what it has read of the memory is forgotten. */
const lock = () => {
  state.mayRead = false
  for (const part of [form, kinds, ...Object.values(pages)]) part.forget?.()
  app.hush()
}

/** What pages may do with the whole. */
const app = {
  state,
  draw,
  /** Says how an action ended, for a while, with a button for what can be done about it: its `word`, and what it does. */
  say: (text, button, ms = 6_000) => {
    clearTimeout(noticeTimer)
    state.notice = { text, button }
    if (ms < Infinity) noticeTimer = setTimeout(() => app.hush(), ms)
    draw()
  },
  hush: () => {
    clearTimeout(noticeTimer)
    state.notice = undefined
    draw()
  },
  /** Says why something failed. */
  tell: (error) => app.say(told(error), undefined, 15_000),
  /** Does something, and says why where it fails, or has that done. Returns whether it succeeded. */
  attempt: async (action, onFailure = app.tell) => {
    try {
      await action()
      return true
    } catch (error) {
      if (error.name === "AbortError") return false
      if (error.isRefused) lock()
      else onFailure(error)
      draw()
      return false
    }
  },
  refresh: async () => {
    try {
      const [status] = await Promise.all([api.status(), kinds.load()])
      state.status = status
      state.answeredAt = Date.now() / 1000
      state.trouble = undefined
    } catch (error) {
      state.trouble = error
    }
    draw()
  }
}

const go = () => {
  const [page] = location.hash.replace(/^#\/?/, "").split("?")
  state.page = Object.hasOwn(pages, page) ? page : "overview"
  pages[state.page].enter?.(app)
  document.title = `${shell.titles[state.page]} · feral-sync`
  draw()
}

/** The code is good once, and has no place in the history of the browser. */
const takeCode = async () => {
  const code = /^#code=(.+)$/.exec(location.hash)?.[1]
  if (code === undefined) return
  history.replaceState(null, "", location.pathname)
  await api.signIn(decodeURIComponent(code)).catch((error) => (state.refusal = error))
}

/** One letter each, while nothing is being typed. */
const keys = {
  1: () => (location.hash = "#/overview"),
  2: () => (location.hash = "#/memory"),
  3: () => (location.hash = "#/conflicts"),
  4: () => (location.hash = "#/live"),
  5: () => (location.hash = "#/problems"),
  "/": () => memory.focusSearch(),
  n: () => memory.openForm(app)
}

const onKey = (event) => {
  const isTyping = event.target.closest?.("input, textarea, select, dialog") !== null
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || !state.mayRead) return
  const action = keys[event.key]
  if (action === undefined) return
  event.preventDefault()
  if (event.key === "/" || event.key === "n") location.hash = "#/memory"
  action()
}

/**
 * How often the node is asked how it is (ms): often where it does not tell by itself, which it does for its owner alone. What passes
 * by itself, as the time since a peer was seen, is asked for all the same.
 */
const pollEvery = { untold: 2_000, told: 15_000 }
let isTold = false

const poll = async () => {
  if (!document.hidden) await app.refresh()
  setTimeout(poll, isTold ? pollEvery.told : pollEvery.untold)
}

let refreshing

/** Asks soon, once for all that happens until then. */
const refreshSoon = () => {
  refreshing ??= setTimeout(() => {
    refreshing = undefined
    void app.refresh()
  }, 150)
}

const start = async () => {
  root.replaceChildren()
  render(
    shell.view(state, () => nothing, app),
    root
  )
  await takeCode()
  addEventListener("hashchange", go)
  addEventListener("keydown", onKey)
  addEventListener("pagehide", () => memory.finish())
  document.addEventListener("visibilitychange", () => document.hidden || app.refresh())
  const reading = kinds.loadOwn().then(
    () => true,
    () => false
  )
  await app.refresh()
  state.mayRead = await reading
  go()
  setTimeout(poll, pollEvery.untold)
  if (!state.mayRead) return
  api.follow({
    onChange: (operations) => {
      live.take(operations)
      memory.take(operations, app)
      if (state.page === "conflicts") versions.take()
      refreshSoon()
      draw()
    },
    onPeer: refreshSoon,
    onConnected: () => {
      isTold = true
      memory.mayHaveMissed(app)
      refreshSoon()
    },
    onRefused: () => {
      lock()
      draw()
    },
    onLost: () => {
      isTold = false
      refreshSoon()
    }
  })
}

void start()
