import { assert, describe, it } from "@effect/vitest"
import { type Cause, Context, Effect, FileSystem, Schedule } from "effect"
import { request } from "node:http"
import { connect, createServer } from "node:net"
import { join } from "node:path"
import { Memory } from "../../../../src/services/memory/Memory.ts"
import * as Token from "../../../../src/services/admin/api/Token.ts"
import { ask, connected, freePort, start, within } from "../../../support/LocalApi.ts"

interface Answer {
  readonly status: number
  readonly head: string
  readonly body: string
}

/** The answer to bytes as they are, on a connection of their own. */
const raw = (port: number, text: string) =>
  Effect.callback<Answer, Error>((resume) => {
    const socket = connect({ host: "127.0.0.1", port })
    let answer = ""
    socket.setEncoding("utf8").on("data", (part: string) => (answer += part))
    socket.on("error", (error) => resume(Effect.fail(error)))
    socket.on("close", () => {
      const [head = "", body = ""] = answer.split("\r\n\r\n", 2)
      resume(Effect.succeed({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0), head, body }))
    })
    socket.write(text)
  }).pipe(Effect.timeout("10 seconds"))

/** An answer that goes on, once it has begun; `ended` waits for its end. */
const opened = (port: number, path: string, headers: Record<string, string>) =>
  Effect.callback<{ readonly ended: Effect.Effect<void, Cause.TimeoutError> }, Error>((resume) => {
    const asked = request({ host: "127.0.0.1", port, path, headers }, (response) => {
      const end = new Promise<void>((done) => response.once("close", done))
      response.resume()
      resume(
        Effect.succeed({
          ended: Effect.timeout(
            Effect.promise(() => end),
            "10 seconds"
          )
        })
      )
    })
    asked.on("error", (error) => resume(Effect.fail(error)))
    asked.end()
  })

const lines = (...texts: ReadonlyArray<string>) => `${[...texts, "connection: close"].join("\r\n")}\r\n\r\n`

/** A node with a note that nobody else may see. */
const node = Effect.fnUntraced(function* (home: string) {
  const fs = yield* FileSystem.FileSystem
  const port = yield* freePort
  const memory = Context.get(yield* start({ home, apiPort: port }), Memory)
  yield* memory.notes.put({ content: "private words" })
  const token = (yield* fs.readFileString(join(home, "token"))).trim()
  return { memory, port, token, host: `127.0.0.1:${port}`, bearer: `authorization: Bearer ${token}` }
})

describe("Guard", () => {
  it.live("the token is made at the first start, for its user alone, and opens everything until it is rotated", () =>
    within((home) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const { port, token } = yield* node(home)
        assert.match(token, /^[\w-]{43}$/)
        assert.strictEqual((yield* fs.stat(join(home, "token"))).mode & 0o777, 0o600)
        const get = (path: string, given?: string) =>
          ask({ port }, path, { headers: given === undefined ? {} : { authorization: given } })
        assert.include((yield* get("/notes", `Bearer ${token}`)).body, "private words")
        assert.strictEqual((yield* get("/notes")).status, 401)
        for (const wrong of ["Bearer", "Bearer ", `Bearer ${token}x`, `Basic ${token}`, token, `Bearer ${token} x`]) {
          const { status, body } = yield* get("/notes", wrong)
          assert.strictEqual(status, 401, wrong)
          assert.include(body, "nextStep")
          assert.notInclude(body, token)
        }
        // A token in the address is none.
        assert.strictEqual((yield* get(`/notes?token=${token}&access_token=${token}`)).status, 401)
        yield* Token.rotate(home)
        assert.strictEqual((yield* get("/notes", `Bearer ${token}`)).status, 401)
        const next = (yield* fs.readFileString(join(home, "token"))).trim()
        assert.strictEqual((yield* get("/notes", `Bearer ${next}`)).status, 200)
        assert.strictEqual((yield* fs.stat(join(home, "token"))).mode & 0o777, 0o600)
      })
    )
  )

  it.live("answers that go on end when the token is rotated", () =>
    within((home) =>
      Effect.gen(function* () {
        const { memory, port, token } = yield* node(home)
        // Some answers begin with the first change.
        yield* memory.notes
          .put({ content: "more" })
          .pipe(Effect.repeat(Schedule.spaced("50 millis")), Effect.forkScoped)
        const headers = { authorization: `Bearer ${token}` }
        const paths = ["/events", "/feed", "/changes"]
        const open = yield* Effect.forEach(paths, (path) => opened(port, path, headers))
        yield* Token.rotate(home)
        for (const { ended } of open) yield* ended
        for (const path of paths) assert.strictEqual((yield* ask({ port }, path, { headers })).status, 401, path)
      })
    )
  )

  it.live("requests that are not of this machine are refused, with the token as well", () =>
    within((home) =>
      Effect.gen(function* () {
        const { port, host, bearer } = yield* node(home)
        const cases: ReadonlyArray<readonly [what: string, status: number, text: string]> = [
          ["another name", 403, lines("GET /notes HTTP/1.1", "host: rebound.example", bearer)],
          ["another name, for what is public", 403, lines("GET /status HTTP/1.1", "host: rebound.example")],
          ["a name that begins like ours", 403, lines("GET / HTTP/1.1", "host: localhost.example", bearer)],
          ["no Host", 400, lines("GET /status HTTP/1.1", bearer)],
          ["an empty Host", 403, lines("GET /status HTTP/1.1", "host: ", bearer)],
          ["no Host in HTTP/1.0", 400, lines("GET /status HTTP/1.0", bearer)],
          ["two Hosts", 400, lines("GET /status HTTP/1.1", `host: ${host}`, "host: rebound.example", bearer)],
          ["the same Host twice", 400, lines("GET /status HTTP/1.1", `host: ${host}`, `Host: ${host}`, bearer)],
          ["a whole address", 400, lines(`GET http://${host}/notes HTTP/1.1`, `host: ${host}`, bearer)],
          ["a whole foreign address", 400, lines("GET http://x.example/notes HTTP/1.1", `host: ${host}`, bearer)],
          ["a foreign origin", 403, lines("GET /status HTTP/1.1", `host: ${host}`, "origin: http://x.example", bearer)],
          ["another port", 403, lines("GET /status HTTP/1.1", `host: ${host}`, "origin: http://127.0.0.1:1", bearer)],
          ["two origins", 403, lines("GET / HTTP/1.1", `host: ${host}`, `origin: http://${host}`, "origin: null")],
          ["no origin, private", 401, lines("GET /notes HTTP/1.1", `host: ${host}`, "origin: null", bearer)],
          ["no origin, writing", 403, lines("DELETE /notes?id=x HTTP/1.1", `host: ${host}`, "origin: null", bearer)],
          [
            "no origin, signing in",
            403,
            lines("POST /session HTTP/1.1", `host: ${host}`, "origin: null", "content-length: 0")
          ],
          [
            "part of a page of another site",
            403,
            lines("GET /status HTTP/1.1", `host: ${host}`, "sec-fetch-site: cross-site", "sec-fetch-mode: no-cors")
          ],
          [
            "part of a page on another port",
            403,
            lines("GET /notes HTTP/1.1", `host: ${host}`, "sec-fetch-site: same-site", "sec-fetch-mode: cors", bearer)
          ],
          [
            "a link on another site, private",
            401,
            lines(
              "GET /notes HTTP/1.1",
              `host: ${host}`,
              "sec-fetch-site: cross-site",
              "sec-fetch-mode: navigate",
              bearer
            )
          ]
        ]
        for (const [what, status, text] of cases) {
          const answer = yield* raw(port, text)
          assert.strictEqual(answer.status, status, what)
          assert.notInclude(answer.body, "private words", what)
          assert.notInclude(answer.body, "vector_clock", what)
          assert.notMatch(answer.head, /access-control-allow/i, what)
        }
        const allowed = [
          lines("GET /status HTTP/1.1", `host: ${host}`, "origin: null"),
          lines("GET /status HTTP/1.0", `host: ${host}`),
          lines("GET / HTTP/1.1", `host: ${host}`, "sec-fetch-site: cross-site", "sec-fetch-mode: navigate"),
          lines("GET /notes HTTP/1.1", `host: ${host}`, `origin: http://${host}`, "sec-fetch-site: same-origin", bearer)
        ]
        for (const text of allowed) assert.strictEqual((yield* raw(port, text)).status, 200, text)
      })
    )
  )

  it.live("a path that is spelt in another way opens nothing", () =>
    within((home) =>
      Effect.gen(function* () {
        const { port, host } = yield* node(home)
        const paths = ["/NOTES", "//notes", "/notes/", "/%6eotes", "/notes;x", "/status/../notes", "/assets/../notes"]
        const more = [
          "/assets/..%2f..%2fpackage.json",
          "/status%2f..%2fnotes",
          "/./notes",
          "/\\notes",
          "/notes?/status"
        ]
        for (const path of [...paths, ...more]) {
          const { status, body } = yield* raw(port, lines(`GET ${path} HTTP/1.1`, `host: ${host}`))
          assert.include([400, 401, 404], status, path)
          assert.notInclude(body, "private words", path)
        }
      })
    )
  )

  it.live("a browser is let in by a code that is good once, and its cookie ends with the token", () =>
    within((home) =>
      Effect.gen(function* () {
        const { port } = yield* node(home)
        const { signInCode } = yield* connected(home)
        const { code, port: told, host: name } = yield* signInCode
        assert.strictEqual(told, port)
        assert.match(String(name), /^[0-9a-f]{32}\.localhost$/)
        const host = `${name}:${port}`
        const signIn = (text: string, origin = `http://${host}`, to = host) =>
          ask({ port }, "/session", {
            method: "POST",
            headers: { "content-type": "application/json", host: to, origin },
            body: JSON.stringify({ code: text })
          })
        assert.strictEqual((yield* signIn("guess")).status, 401)
        assert.strictEqual((yield* signIn(code, "http://x.example")).status, 403)
        // Under the usual names a cookie would go to the servers of other users too.
        for (const usual of [`127.0.0.1:${port}`, `localhost:${port}`]) {
          assert.strictEqual((yield* signIn(code, `http://${usual}`, usual)).status, 401)
        }
        const answer = yield* signIn(code)
        assert.strictEqual(answer.status, 204)
        const [set = ""] = Array.isArray(answer.headers["set-cookie"]) ? answer.headers["set-cookie"] : []
        assert.match(set, /; HttpOnly/i)
        assert.match(set, /; SameSite=Strict/i)
        assert.strictEqual((yield* signIn(code)).status, 401)
        const cookie = String(set).split(";", 1)[0] ?? ""
        const get = (headers: Record<string, string>) => ask({ port }, "/notes", { headers: { host, ...headers } })
        assert.include((yield* get({ cookie })).body, "private words")
        for (const other of [`127.0.0.1:${port}`, `localhost:${port}`]) {
          assert.strictEqual((yield* get({ cookie, host: other })).status, 401)
        }
        for (const foreign of [`x.localhost:${port}`, `x${host}`, `${name}.example:${port}`]) {
          assert.strictEqual((yield* get({ cookie, host: foreign })).status, 403)
        }
        assert.strictEqual((yield* get({ cookie: `${cookie}x` })).status, 401)
        assert.strictEqual((yield* get({ cookie: cookie.replace(/=\d/, "=9") })).status, 401)
        // A page of the same node says where it is when it changes something.
        const remove = (headers: Record<string, string>) =>
          ask({ port }, "/notes?id=x", { method: "DELETE", headers: { host, cookie, ...headers } })
        assert.strictEqual((yield* remove({})).status, 401)
        assert.strictEqual((yield* remove({ origin: `http://${host}` })).status, 404)
        yield* Token.rotate(home)
        assert.strictEqual((yield* get({ cookie })).status, 401)
        assert.strictEqual((yield* get({ cookie, host: `localhost:${port}` })).status, 401)
        assert.notStrictEqual((yield* signInCode).host, name)
      })
    )
  )

  it.live("no browser is sent to a port that another program has on ::1", () =>
    within((home) =>
      Effect.gen(function* () {
        const port = yield* freePort
        const other = createServer()
        yield* Effect.callback<void>((resume) => void other.listen(port, "::1", () => resume(Effect.void)))
        yield* Effect.addFinalizer(() => Effect.sync(() => void other.close()))
        yield* start({ home, apiPort: port })
        const { signInCode } = yield* connected(home)
        assert.strictEqual((yield* signInCode).host, null)
        assert.strictEqual((yield* ask({ port }, "/livez")).status, 200)
      })
    )
  )

  it.live("the page loads nothing from elsewhere, and is not sent twice", () =>
    within((home) =>
      Effect.gen(function* () {
        const { port, token } = yield* node(home)
        const page = yield* ask({ port }, "/")
        assert.strictEqual(page.headers["content-type"], "text/html; charset=utf-8")
        const policy = String(page.headers["content-security-policy"])
        assert.match(policy, /default-src 'none'/)
        assert.match(policy, /frame-ancestors 'none'/)
        assert.notMatch(policy, /unsafe|https?:/)
        const etag = String(page.headers["etag"])
        assert.strictEqual((yield* ask({ port }, "/", { headers: { "if-none-match": etag } })).status, 304)
        const [script = ""] = /\/assets\/[\w.-]+\.js/.exec(page.body) ?? []
        assert.strictEqual((yield* ask({ port }, script)).headers["content-type"], "text/javascript; charset=utf-8")
        assert.strictEqual((yield* ask({ port }, "/assets/none.js")).status, 404)
        const headers = { authorization: `Bearer ${token}` }
        const docs = yield* ask({ port }, "/docs", { headers })
        assert.include(docs.body, "/archive/header")
        assert.notMatch(docs.body, /<script|https?:/)
        const { status, body } = yield* ask({ port }, "/openapi.json", { headers })
        assert.strictEqual(status, 200)
        const document: unknown = JSON.parse(body)
        assert.nestedProperty(document, "paths./peers.get")
        assert.strictEqual((yield* ask({ port }, "/livez")).body, "ok\n")
        assert.strictEqual((yield* ask({ port }, "/readyz")).body, "ready\n")
        assert.match((yield* ask({ port }, "/readyz?verbose")).body, /^ok {3}store: /m)
      })
    )
  )

  it.live("agents reach the memory at /mcp with the token", () =>
    within((home) =>
      Effect.gen(function* () {
        const { port, token } = yield* node(home)
        const initialize = {
          jsonrpc: "2.0",
          id: 1,
          method: "initialize",
          params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "1" } }
        }
        const ask_ = (headers: Record<string, string>) =>
          ask({ port }, "/mcp", {
            method: "POST",
            headers: {
              "content-type": "application/json",
              accept: "application/json, text/event-stream",
              ...headers
            },
            body: JSON.stringify(initialize)
          })
        assert.strictEqual((yield* ask_({})).status, 401)
        const { status, body } = yield* ask_({ authorization: `Bearer ${token}` })
        assert.strictEqual(status, 200, body)
        assert.include(body, '"name":"feral-sync"')
      })
    )
  )

  it.live("a request that does not fit the contract is told why, as JSON with a next step", () =>
    within((home) =>
      Effect.gen(function* () {
        const { port, token } = yield* node(home)
        const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" }
        const cases = [
          ["GET", "/nothing/there", 404, "NotFound"],
          ["GET", "/nothing", 404, "NotFound"],
          ["GET", "/notes?limit=0", 400, "RequestInvalid"],
          ["POST", "/notes", 400, "InputInvalid"],
          ["DELETE", "/notes?id=none", 404, "RowNotFound"]
        ] as const
        for (const [method, path, status, tag] of cases) {
          const answer = yield* ask({ port }, path, { method, headers, body: method === "POST" ? "{}" : undefined })
          assert.strictEqual(answer.status, status, path)
          const told: unknown = JSON.parse(answer.body)
          assert.deepInclude(told, { _tag: tag }, path)
          assert.isString(Reflect.get(Object(told), "message"), path)
          assert.isString(Reflect.get(Object(told), "nextStep"), path)
        }
      })
    )
  )
})
