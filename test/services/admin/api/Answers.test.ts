/** What requests are answered that fit no path, no method, no form: JSON with a next step, and at once. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { connect } from "node:net"
import { join } from "node:path"
import { Failure } from "../../../../src/services/admin/api/Failures.ts"
import { type Asked, ask, freePort, start, within } from "../../../support/LocalApi.ts"

const failureIn = ({ body }: Pick<Asked, "body">) => Schema.decodeUnknownSync(Schema.fromJsonString(Failure))(body)

/** What is answered to some bytes, as far as it has come when it names an error. */
const raw = (to: { readonly port: number } | { readonly path: string }, text: string) =>
  Effect.callback<Pick<Asked, "status" | "body">, Error>((resume) => {
    const socket = connect({ host: "127.0.0.1", ...to })
    let answer = ""
    const done = () => {
      const [head = "", body = ""] = answer.split("\r\n\r\n", 2)
      resume(Effect.succeed({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0), body }))
    }
    socket.setEncoding("utf8").on("data", (part: string) => (answer += part))
    socket.on("error", (error) => resume(Effect.fail(error))).on("close", done)
    socket.write(text)
    return Effect.sync(() => socket.destroy())
  }).pipe(Effect.timeout("10 seconds"))

const json = { "content-type": "application/json" }

describe("POST /verify", () => {
  it.live("gives what the command gives", () =>
    within((home) =>
      Effect.gen(function* () {
        yield* start({ home })
        const answer = yield* ask({ socketPath: join(home, "feral-sync.sock") }, "/verify", { method: "POST" })
        assert.strictEqual(answer.status, 200, answer.body)
        const { digest, ...rest } = JSON.parse(answer.body) as Record<string, unknown>
        assert.match(String(digest), /^[0-9a-f]{16}$/)
        const peers = [{ node_id: "n", result: "equal", rows_repaired: 0 }]
        assert.deepStrictEqual(rest, { ok: true, database: [], rows: 0, corrected: [], peers })
      })
    )
  )
})

describe("requests that the interface has no answer to", () => {
  it.live("say by their status what is wrong, and what would be right", () =>
    within((home) =>
      Effect.gen(function* () {
        yield* start({ home })
        const socketPath = join(home, "feral-sync.sock")
        const cases = [
          ["POST", "/verify/bogus", undefined, 404, "NotFound", "/openapi.json"],
          ["POST", "/bogus", undefined, 404, "NotFound", "/openapi.json"],
          ["PUT", "/notes", "{}", 405, "MethodNotAllowed", "GET or POST or PATCH or DELETE"],
          ["DELETE", "/episodes?id=x", undefined, 405, "MethodNotAllowed", "GET or POST"],
          ["POST", "/status", "{}", 405, "MethodNotAllowed", "use GET"],
          ["GET", "/recent", undefined, 405, "MethodNotAllowed", "use POST"],
          ["GET", "/events?types=bogus", undefined, 400, "QueryInvalid", "change"],
          ["GET", "/events?types=change,bogus", undefined, 400, "QueryInvalid", "change"],
          ["GET", "/events?kinds=bog%00us", undefined, 400, "QueryInvalid", "notes"]
        ] as const
        for (const [method, path, body, status, tag, said] of cases) {
          const answer = yield* ask({ socketPath }, path, { method, headers: json, body })
          assert.strictEqual(answer.status, status, `${method} ${path}`)
          const { _tag, message } = failureIn(answer)
          assert.strictEqual(_tag, tag, path)
          assert.include(message, said, path)
          assert.strictEqual("allow" in answer.headers, status === 405, path)
        }
        const headers = { "content-type": "text/plain" }
        const plain = yield* ask({ socketPath }, "/notes", { method: "POST", headers, body: "{}" })
        assert.strictEqual(plain.status, 415)
        assert.include(failureIn(plain).nextStep, "Content-Type: application/json")
      })
    )
  )

  it.live("are answered before a body that is too large, and without a Host header", () =>
    within((home) =>
      Effect.gen(function* () {
        const port = yield* freePort
        yield* start({ home, apiPort: port })
        const path = join(home, "feral-sync.sock")
        const large = "POST /notes HTTP/1.1\r\nhost: localhost\r\ncontent-length: 999999999\r\n\r\n{}"
        const nameless = "GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n"
        for (const place of [{ port }, { path }]) {
          const tooLarge = yield* raw(place, large)
          assert.strictEqual(tooLarge.status, 413)
          assert.strictEqual(failureIn(tooLarge)._tag, "RequestTooLarge")
          const refused = yield* raw(place, nameless)
          assert.strictEqual(refused.status, 400)
          assert.include(failureIn(refused).problem, "Host header")
        }
      })
    )
  )

  it.live("a limit alone gives the cursor of the rest", () =>
    within((home) =>
      Effect.gen(function* () {
        yield* start({ home })
        const socketPath = join(home, "feral-sync.sock")
        for (const content of ["one", "two"]) {
          yield* ask({ socketPath }, "/notes", { method: "POST", headers: json, body: JSON.stringify({ content }) })
        }
        for (const path of ["/notes", "/schema"]) {
          const first = JSON.parse((yield* ask({ socketPath }, `${path}?limit=1`)).body)
          assert.lengthOf(first.rows, 1)
          const rest = yield* ask({ socketPath }, `${path}?limit=1&cursor=${first.next_cursor}`)
          assert.notDeepEqual(JSON.parse(rest.body).rows, first.rows)
        }
        assert.lengthOf(JSON.parse((yield* ask({ socketPath }, "/notes")).body), 2)
      })
    )
  )
})
