/**
 * The local interface of the node. This module alone knows its addresses; it sends nothing anywhere else.
 */

/** An answer that is not what was asked for. `isRefused`: the browser has to sign in first. */
export class Failure extends Error {
  constructor(status, { message, problem, nextStep, problems } = {}) {
    super(message ?? `the node answered with status ${status}`)
    this.status = status
    this.problem = problem ?? this.message
    this.nextStep = nextStep
    /** What is wrong with which field. */
    this.problems = problems
    this.isRefused = status === 401
  }
}

/** No answer at all. */
export class Gone extends Error {
  problem = "the node does not answer"
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

export const status = () => json("GET", "/status")

/** Rows of one kind, newest first, a page at a time: `{ rows, next, indexing }`. */
export const recent = (filters, options) => json("POST", "/recent", filters, options)
export const search = (filters, options) => json("POST", "/search/page", filters, options)

/** What the kinds are: those of the version of the node, and for its owner those of applications. */
export const schema = () => json("GET", "/schema")
export const ownSchema = () => json("GET", "/schema/own")

/** Rows of a kind of an application, newest first. */
export const ofKind = ({ path }, asked, options) => json("POST", `${path}/find`, { newest: true, ...asked }, options)

export const row = ({ kind, path, is_own: isOwn }, id) =>
  json("GET", isOwn ? `${path}/row?${query({ id })}` : `/row?${query({ kind, id })}`)

/** What a row is that there is not. */
export const noRow = (error) => {
  if (error.status === 404) return null
  throw error
}

export const add = ({ path, is_own: isOwn }, input) => json("POST", isOwn ? `${path}/put` : path, input)

/** What of a list is not in another one. */
const without = (list, other) => list.filter((one) => !other.includes(one))

/** The ways in which rows are written again, by the verbs of kinds. Columns without a value are taken out, or get their defaults. */
const ways = {
  // Tags come and go one by one, so that those of others stay.
  edit: (path, { id, tags: had }, { tags, ...input }) =>
    json("PATCH", `${path}?${query({ id })}`, {
      ...input,
      ...(tags && { tag: without(tags, had), untag: without(had, tags) })
    }),
  set: (path, _, input) => json("PUT", path, input),
  put: (path, { id }, input) => json("POST", `${path}/put?${query({ id })}`, input),
  patch: (path, { id }, input) => {
    const unset = Object.keys(input).flatMap((name) => (input[name] === undefined ? [["unset", name]] : []))
    return json("POST", `${path}/patch?${query([["id", id], ...unset])}`, input)
  }
}

/** Writes a row again; the answer has its id, which may be another one. */
export const change = ({ path, change: { verb } }, row, input) => ways[verb](path, row, input)

/** The request outlives the page. */
export const remove = ({ path, is_own: isOwn }, id) =>
  isOwn
    ? json("POST", `${path}/delete?${query({ id })}`, {}, { keepalive: true })
    : json("DELETE", `${path}?${query({ id })}`, undefined, { keepalive: true })

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
/** Deleted rows that can be restored, the last deleted first. */
export const deleted = (asked, options) => json("GET", `/history/deleted?${query(asked)}`, undefined, options)
export const conflicts = (input, options) => json("POST", "/conflicts", input, options)

/** What came from peers and cannot be read, the newest first. */
export const quarantine = () => json("GET", `/quarantine?${query({ limit: 20, cursor: "" })}`)

const isSignedOut = () =>
  json("GET", `/schema/own?${query({ limit: 1 })}`).then(
    () => false,
    (error) => error.isRefused === true
  )

/**
 * What happens from now on. `onChange` gets the operations of each commit, `onPeer` is told when the state of a peer is another one.
 * A connection that ends is made again, by the browser or by us; `onConnected` then says that something may have been missed. One that
 * ends because the browser is not signed in any more is not: a browser does not say why a connection failed, so that the node is asked.
 */
export const follow = ({ onChange, onPeer, onConnected, onLost, onRefused }) => {
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
    let isOver = false
    source.addEventListener("error", async () => {
      onLost()
      const isRefused = await isSignedOut()
      if (isOver || (!isRefused && source.readyState !== EventSource.CLOSED)) return
      isOver = true
      source.close()
      if (isRefused) return onRefused()
      setTimeout(connect, wait)
      wait = Math.min(2 * wait, 15_000)
    })
  }
  connect()
}
