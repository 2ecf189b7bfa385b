/** Strangers that greet a node of this machine over TLS, with no passphrase that is right. Loopback only. */
import { connect as connectPlain } from "node:net"
import { connect } from "node:tls"
import { WebSocket } from "ws"

export interface Guess {
  readonly port: number
  /** The loopback address to come from: each one is a network of its own. */
  readonly from: string
  readonly text: string
  /** The headers of the upgrade request; those of a node of today where none are given. */
  readonly headers?: Readonly<Record<string, string>>
}

/** What a dialler of today, of the version before, and an existing FERAL node show. */
export const headers = {
  today: { "Feral-Sync": "2", "Feral-Sync-Revision": "2", "Feral-Sync-Nonce": "n".repeat(43) },
  before: { "Feral-Sync": "2", "Feral-Sync-Nonce": "n".repeat(43) },
  existing: {}
} as const

/** A first message with a wrong proof, and a valid clock of so many origins with long names: 240 bytes each. */
export const wrongGreeting = (origins = 0): string =>
  JSON.stringify({
    type: "sync_request",
    node_id: "stranger",
    proof: "A".repeat(43),
    passphrase: "wrong",
    vector_clock: Object.fromEntries(
      Array.from({ length: origins }, (_, n) => String(n).padStart(110, "n")).map((id) => [id, `1700000000000:0:${id}`])
    )
  })

/** Greets once; gives the code of the close, and what was answered. */
export const guess = ({ port, from, text, headers: shown = headers.today }: Guess) =>
  new Promise<{ readonly code: number; readonly answer: string }>((resolve, reject) => {
    const at = { host: "127.0.0.1", port, localAddress: from }
    const channel = connect({ ...at, socket: connectPlain(at), rejectUnauthorized: false })
    channel.once("error", () => {})
    const socket = new WebSocket(`ws://127.0.0.1:${port}/sync`, { createConnection: () => channel, headers: shown })
    let answer = ""
    const timer = setTimeout(() => {
      socket.terminate()
      reject(new Error(`no end of a greeting from ${from} within 30 s`))
    }, 30_000)
    socket.on("open", () => socket.send(text, () => {}))
    socket.on("message", (data) => (answer = Buffer.isBuffer(data) ? data.toString("utf8") : ""))
    socket.on("error", () => {})
    socket.on("close", (code) => {
      clearTimeout(timer)
      channel.destroy()
      resolve({ code, answer })
    })
  })
