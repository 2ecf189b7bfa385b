/**
 * The local interface of the node. This module alone knows its addresses; it sends nothing anywhere else.
 */

/** An answer that is not what was asked for. `isRefused`: the browser has to be let in first. */
export class Failure extends Error {
  constructor(status, { message, problem, nextStep } = {}) {
    super(message ?? `the node answered with status ${status}`)
    this.status = status
    this.problem = problem ?? this.message
    this.nextStep = nextStep
    this.isRefused = status === 401
  }
}

/** No answer at all. */
export class Gone extends Error {
  problem = "The node does not answer."
  nextStep = "check that it runs: feral-sync status"
}

const call = async (method, path, body, options = {}) => {
  const sent = await fetch(path, {
    method,
    credentials: "same-origin",
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    ...options
  }).catch((error) => {
    throw error.name === "AbortError" ? error : new Gone()
  })
  if (!sent.ok) throw new Failure(sent.status, await sent.json().catch(() => ({})))
  return sent
}

const json = async (...request) => {
  const answer = await call(...request)
  return answer.status === 204 ? undefined : answer.json()
}

const query = (fields) => new URLSearchParams(fields).toString()

/** Exchanges the code in the address, which `feral-sync open` made, for a cookie. */
export const signIn = (code) => json("POST", "/session", { code })

/** Whether this browser may see the memory. */
export const mayRead = async () => {
  try {
    await json("POST", "/recent", { limit: 1 })
    return true
  } catch (error) {
    if (error instanceof Failure && error.isRefused) return false
    throw error
  }
}

export const status = () => json("GET", "/status")

/** Rows of one kind, newest first, a page at a time: `{ rows, next, indexing }`. */
export const recent = (filters, options) => json("POST", "/recent", filters, options)
export const search = (filters, options) => json("POST", "/search/page", filters, options)

/** The kinds of applications, and rows of one of them, newest first. */
export const kinds = () => json("GET", "/kinds")
export const ofKind = (kind, fields, options) =>
  json("GET", `/kinds/${encodeURIComponent(kind)}?${query({ newest: "true", ...fields })}`, undefined, options)

export const row = (kind, id) => json("GET", `/row?${query({ kind, id })}`)

/** The paths of the kinds. */
const paths = { notes: "/notes", knowledge: "/facts", episodes: "/episodes", execution_log: "/log" }

export const add = (kind, input) => json("POST", paths[kind], input)
export const editNote = (id, content) => json("PATCH", `${paths.notes}?${query({ id })}`, { content })
export const setFact = (input) => json("PUT", paths.knowledge, input)

/** The request outlives the page. */
export const remove = (kind, id) => json("DELETE", `${paths[kind]}?${query({ id })}`, undefined, { keepalive: true })

/** Whether the node lets a peer be steered. */
export const maySteer = (peer) =>
  call("GET", `/peers/${encodeURIComponent(peer)}`).then(
    () => true,
    () => false
  )

/** `pause`, `resume` or `sync`. */
export const steer = (peer, action) => json("POST", `/peers/${encodeURIComponent(peer)}/${action}`)

/** Adds up all rows anew, and compares them with those of the connected peers; what differs is repaired. */
export const verify = async () => {
  const { corrected } = await json("POST", "/verify/audit")
  return { corrected, peers: await json("POST", "/verify/compare") }
}

/** One peer: what went to and came from it, and its last connections. */
export const peer = (id) => json("GET", `/peers/${encodeURIComponent(id)}`)

/** The earlier versions of a row, and those that last-writer-wins decided between. */
export const history = (kind, id) => json("GET", `/history?${query({ kind, id })}`)
export const restore = ({ kind, id, version }) => json("POST", "/history/restore", { kind, id, version })
export const conflicts = (input, options) => json("POST", "/conflicts", input, options)

/** What came from peers and cannot be read, the newest first. */
export const quarantine = () => json("GET", `/quarantine?${query({ limit: 20, cursor: "" })}`)

/**
 * What happens from now on. `onChange` gets the operations of each commit, `onPeer` is told when the state of a peer is another one.
 * A connection that ends is made again, by the browser or by us; `onConnected` then says that something may have been missed.
 */
export const follow = ({ onChange, onPeer, onConnected, onLost }) => {
  let wait = 500
  const connect = () => {
    const source = new EventSource("/events?types=change,peer")
    const on = (name, take) => source.addEventListener(name, ({ data }) => take(JSON.parse(data)))
    source.addEventListener("open", () => {
      wait = 500
      onConnected()
    })
    on("change", ({ operations }) => operations.length > 0 && onChange(operations))
    on("peer", onPeer)
    on("reset", onConnected)
    source.addEventListener("error", () => {
      onLost()
      if (source.readyState !== EventSource.CLOSED) return
      setTimeout(connect, wait)
      wait = Math.min(2 * wait, 15_000)
    })
  }
  connect()
}
