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

/** Compares the rows with those of the connected peers; what differs is repaired. */
export const compare = () => json("POST", "/verify/compare")

/**
 * Every commit from now on, until the signal: `onChange` gets its operations. A connection that ends is made again;
 * `onConnected` then says that something may have been missed.
 */
export const follow = async (onChange, onConnected, signal) => {
  for (let wait = 500; !signal.aborted; wait = Math.min(2 * wait, 15_000)) {
    try {
      const { body } = await call("GET", "/changes", undefined, { signal })
      onConnected()
      for await (const line of linesOf(body)) {
        wait = 500
        onChange(JSON.parse(line).operations)
      }
    } catch (error) {
      if (error instanceof Failure && error.isRefused) return
    }
    await new Promise((resolve) => setTimeout(resolve, wait))
  }
}

async function* linesOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ""
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    const lines = (rest + value).split("\n")
    rest = lines.pop()
    for (const line of lines) if (line !== "") yield line
  }
}
