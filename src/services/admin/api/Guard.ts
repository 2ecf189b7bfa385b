/**
 * Who may ask what on the port of 127.0.0.1, where every program and every page of the web can send something.
 *
 * A request has to be one of this machine, under a name of this machine. A page of another origin gets nothing,
 * whatever the browser lets it send. What is left may have the public part. The rest is for those who show the token,
 * or the cookie that a browser got for it.
 *
 * Nothing here looks at the path. Which answers are public is decided by the router of the public part, after its own
 * normalisation: a path that is spelt in another way cannot be taken for another one.
 */

/** A request, before its body. `headers` are as they came: several of one name stay several. */
export interface Head {
  readonly method: string
  readonly target: string
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
}

/** Who asks. */
export interface Credentials {
  isToken(text: string): boolean
  isCookie(header: string): boolean
  /** Whether a cookie may be taken under this name. */
  isHost(name: string): boolean
}

export type Verdict =
  /** Everything. */
  | { readonly _tag: "Owner" }
  /** Every user of this machine: the public part. A page without an origin gets no more than reading it. */
  | { readonly _tag: "Public"; readonly mayOnlyRead: boolean; readonly isTokenWrong: boolean }
  | { readonly _tag: "Refused"; readonly status: 400 | 403; readonly error: Refusal }

export interface Refusal {
  readonly _tag: "RequestInvalid" | "HostNotAllowed" | "OriginNotAllowed"
  readonly problem: string
  readonly nextStep: string
}

export const judge = (head: Head, credentials: Credentials): Verdict => {
  const all = (name: string) =>
    head.headers.flatMap(([key, value]) => (key.toLowerCase() === name ? [value.trim()] : []))
  const hosts = all("host")
  const [host = ""] = hosts
  if (!head.target.startsWith("/"))
    return refused(400, "RequestInvalid", "the request has a complete URL in place of a path", directly)
  if (hosts.length !== 1) {
    return refused(400, "RequestInvalid", `the request has ${hosts.length} Host headers instead of one`, directly)
  }
  const name = host.toLowerCase().replace(/:\d{1,5}$/, "")
  const isOwnName = credentials.isHost(name)
  if (!isOwnName && name !== "localhost" && name !== "127.0.0.1") {
    return refused(403, "HostNotAllowed", "the Host header names another machine", "use localhost or 127.0.0.1")
  }
  const origins = all("origin")
  const [origin] = origins
  const isOpaque = origin === "null"
  if (
    origins.length > 1 ||
    (origin !== undefined && !isOpaque && origin.toLowerCase() !== `http://${host}`.toLowerCase())
  ) {
    return refused(403, "OriginNotAllowed", "a page of another origin sent the request", ownPage)
  }
  const isForeign = all("sec-fetch-site").some((site) => site !== "same-origin" && site !== "none")
  const reads = head.method === "GET" || head.method === "HEAD"
  // A link on another page may lead here; nothing else of it may.
  if (isForeign && !(reads && all("sec-fetch-mode").every((mode) => mode === "navigate"))) {
    return refused(403, "OriginNotAllowed", "a page of another site sent the request", ownPage)
  }
  const mayOnlyRead = isOpaque || isForeign
  const given = all("authorization")
  const token = given.length === 1 ? /^bearer +(\S+)$/i.exec(given[0] ?? "")?.[1] : undefined
  const isTokenWrong = given.length > 0 && !(token !== undefined && credentials.isToken(token))
  if (!mayOnlyRead && given.length > 0 && !isTokenWrong) return { _tag: "Owner" }
  const cookies = all("cookie")
  // A cookie counts under the own name alone: other programs of this machine may be sent those of the usual names.
  // Browsers send the origin with everything that may change something.
  const isOwnPage = isOwnName && (reads || origin !== undefined)
  if (!mayOnlyRead && given.length === 0 && isOwnPage && cookies.some(credentials.isCookie)) return { _tag: "Owner" }
  return { _tag: "Public", mayOnlyRead, isTokenWrong }
}

const refused = (status: 400 | 403, _tag: Refusal["_tag"], problem: string, nextStep: string): Verdict => ({
  _tag: "Refused",
  status,
  error: { _tag, problem, nextStep }
})

const directly = "send a path and one Host header, without a proxy"

const ownPage = "use the page that this node serves, or a program with the token"
