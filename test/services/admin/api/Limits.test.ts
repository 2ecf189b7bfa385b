/** What one program can take of the local interface: a request has a size, and connections have a number. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule, Schema } from "effect"
import { request } from "node:http"
import { connect as dial, type Socket } from "node:net"
import { join } from "node:path"
import { Failure } from "../../../../src/services/admin/api/Failures.ts"
import { limits } from "../../../../src/services/admin/api/Server.ts"
import { type Asked, ask, freePort, start, within } from "../../../support/LocalApi.ts"

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(Failure))

/** Posts so many bytes in parts. Without their number in the head, they are chunks. */
const post = (socketPath: string, bytes: number, headers: Readonly<Record<string, string>>) =>
  Effect.callback<Asked, Error>((resume) => {
    const asked = request({ socketPath, path: "/notes", method: "POST", headers }, (response) => {
      let body = ""
      response.setEncoding("utf8").on("data", (text: string) => (body += text))
      response.on("end", () => {
        resume(Effect.succeed({ status: response.statusCode ?? 0, body, headers: response.headers }))
        asked.destroy()
      })
    })
    // The node may close the connection while more is on its way.
    asked.on("error", (error) => resume(Effect.fail(error)))
    const part = Buffer.alloc(1024 * 1024, "x")
    let left = bytes
    const write = () => {
      while (left > 0) {
        left -= part.length
        if (!asked.write(part)) return void asked.once("drain", write)
      }
      asked.end()
    }
    write()
  })

/** A connection that says nothing: `closed` when the node has ended it. */
const open = (port: number) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly socket: Socket; readonly closed: Effect.Effect<void> }>((resume) => {
      const socket = dial({ host: "127.0.0.1", port })
      const over = new Promise<void>((resolve) => socket.once("close", () => resolve()))
      socket.on("error", () => {}).resume()
      socket.once("connect", () => resume(Effect.succeed({ socket, closed: Effect.promise(() => over) })))
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

describe("the limits of the local interface", () => {
  it.live("a request that is larger is refused with what to do, and the node goes on", () =>
    within((home) =>
      Effect.gen(function* () {
        yield* start({ home })
        const socketPath = join(home, "feral-sync.sock")
        const bytes = limits.body + 1024 * 1024
        const json = { "content-type": "application/json" }
        for (const headers of [json, { ...json, "content-length": String(bytes) }]) {
          const { status, body } = yield* post(socketPath, bytes, headers)
          assert.strictEqual(status, 413)
          assert.strictEqual(decode(body)._tag, "RequestTooLarge")
        }
        assert.strictEqual((yield* ask({ socketPath }, "/livez")).status, 200)
      })
    )
  )

  it.live("a connection beyond the number of them is closed, and there is room again when one goes", () =>
    within((home) =>
      Effect.gen(function* () {
        const port = yield* freePort
        yield* start({ home, apiPort: port })
        const taken = yield* Effect.replicateEffect(open(port), limits.connections.port)
        const more = yield* open(port)
        yield* more.closed.pipe(Effect.timeout("5 seconds"))
        // The owner has another way in.
        assert.strictEqual((yield* ask({ socketPath: join(home, "feral-sync.sock") }, "/livez")).status, 200)
        taken[0]?.socket.destroy()
        const answer = yield* ask({ port }, "/livez").pipe(
          Effect.retry(Schedule.spaced("20 millis")),
          Effect.timeout("5 seconds")
        )
        assert.strictEqual(answer.status, 200)
      })
    )
  )
})
