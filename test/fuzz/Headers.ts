/**
 * What comes to the port before a WebSocket is one, on a real socket of the loopback interface: requests, upgrades, and
 * whatever else begins there.
 *
 * What must hold: whoever has said all that he has to say is answered or closed at once, nothing is agreed to that form 1 does
 * not have, and the port goes on.
 */
import { Context, Effect, Layer } from "effect"
import { connect } from "node:net"
import { Config } from "../../src/services/node/Config.ts"
import { Transport } from "../../src/services/transport/Transport.ts"
import { directory } from "../support/Directory.ts"
import { form2 } from "../support/RawWebSocket.ts"
import { settings } from "../support/Settings.ts"
import { Broken, type Fed, type Target } from "./Fuzz.ts"
import { ofBytes, ofLines } from "./Mutation.ts"
import * as WebSocketTransport from "../../src/services/transport/WebSocketTransport.ts"

const upgrade = [
  "GET /sync HTTP/1.1",
  "Host: 127.0.0.1:9090",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
]
const deflate = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"

const corpus: ReadonlyArray<Uint8Array> = [
  [...upgrade, "", ""],
  [...upgrade, ...form2, "", ""],
  [...upgrade, deflate, "User-Agent: Python/3.12 websockets/13.1", "Origin: null", "", ""],
  [...upgrade, "Sec-WebSocket-Protocol: chat, superchat", "X-Long: ".padEnd(4_000, "x"), "", ""],
  ["GET /sync HTTP/1.1", "Host: x", "Connection: close", "Feral-Sync-Refused: untrusted", "", ""],
  ["POST /sync HTTP/1.1", "Host: x", "Transfer-Encoding: chunked", "", "5", "hello", "0", "", ""],
  ["GET / HTTP/1.0", "", ""],
  ["OPTIONS * HTTP/1.1", "Host: x", "Content-Length: 3", "Expect: 100-continue", "", "abc"],
  ["PRI * HTTP/2.0", "", "SM", "", ""],
  ["\x16\x03\x01\x00\x05hello"]
].map((lines) => Buffer.from(lines.join("\r\n"), "latin1"))

/** Sends everything, and waits for the answer or the end. */
const ask = (port: number, input: Uint8Array) =>
  Effect.callback<string>((resume) => {
    const socket = connect({ host: "127.0.0.1", port })
    let answer = ""
    const done = (outcome: string) => {
      socket.destroy()
      resume(Effect.succeed(outcome))
    }
    socket.on("error", () => {})
    socket.on("connect", () => socket.write(input, () => socket.end()))
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1")
      if (answer.startsWith("HTTP/1.1 101 ") && answer.includes("\r\n\r\n")) {
        done(
          /^sec-websocket-(extensions|protocol):/im.test(answer.split("\r\n\r\n", 1)[0] ?? "")
            ? "broken upgrade"
            : "upgrade"
        )
      }
    })
    socket.on("close", () => done(answer === "" ? "closed" : (/^HTTP\/1\.1 \d+/.exec(answer)?.[0] ?? "other")))
    return Effect.sync(() => socket.destroy())
  })

const open = Effect.gen(function* () {
  const home = yield* directory
  const config = Layer.succeed(Config, Config.of(settings(home, { legacy: "on" })))
  const layer = WebSocketTransport.layerWith({ handshakeWithin: "30 seconds" }).pipe(Layer.provide(config))
  const transport = Context.get(yield* Layer.build(layer), Transport)
  let served = 0
  let isBroken = false
  const { port } = yield* transport.listen({
    serve: (connection) =>
      Effect.sync(() => {
        served++
        isBroken ||= connection.tls !== "none" || connection.form !== 1
      }),
    refused: () => Effect.void
  })
  const answered = (input: Uint8Array) =>
    ask(port, input).pipe(
      Effect.timeoutOrElse({
        duration: "5 seconds",
        orElse: () => Effect.fail(new Broken({ what: "neither an answer nor an end" }))
      })
    )
  const feed = Effect.fnUntraced(function* (input: Uint8Array) {
    const outcome = yield* answered(input)
    if (outcome === "broken upgrade") return yield* new Broken({ what: "an extension or protocol was agreed to" })
    if (isBroken) return yield* new Broken({ what: "a plain connection was taken for more than it is" })
    return outcome
  })
  const check = Effect.gen(function* () {
    const before = served
    const outcome = yield* answered(corpus[0] ?? new Uint8Array())
    if (outcome !== "upgrade" || served === before)
      return yield* new Broken({ what: "the port accepts no more clients" })
  })
  return { feed, check } satisfies Fed
}).pipe(Effect.orDie)

export const headers: Target = { name: "headers", corpus, mutations: [ofLines("\r\n"), ofBytes], open }
