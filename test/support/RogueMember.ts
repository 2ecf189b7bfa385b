/** A member of this machine that knows the passphrase, and says by hand what it pleases. Loopback only. */
import { Option } from "effect"
import { connect as connectPlain } from "node:net"
import { connect } from "node:tls"
import { WebSocket } from "ws"
import * as Handshake from "../../src/core/sync/Handshake.ts"
import { NodeId } from "../../src/core/replica/NodeId.ts"
import { noHoldings } from "../../src/core/replica/Replica.ts"
import * as VectorClock from "../../src/core/replica/VectorClock.ts"
import * as Wire from "../../src/core/sync/Wire.ts"

export interface Rogue {
  readonly port: number
  /** The loopback address to come from. */
  readonly from: string
  readonly key: Uint8Array
  readonly id: string
}

/** What a message of the node says, as far as a rogue cares. */
export interface Told {
  readonly type?: string
  readonly seq?: number
}

/** The greeting that a member begins or restarts with. */
export const greeting = (id: string, clock = VectorClock.empty, proof = ""): string =>
  Wire.encode({
    type: "sync_request",
    nodeId: NodeId.make(id),
    clock,
    proof,
    digest: Option.none(),
    rows: Option.none(),
    uncovered: noHoldings,
    features: [],
    time: Date.now()
  })

/** Connects and proves the passphrase. `onMessage` hears everything that the node says. */
export const join = async ({ port, from, key, id }: Rogue, onMessage: (message: Told) => void = () => {}) => {
  const at = { host: "127.0.0.1", port, localAddress: from }
  const channel = connect({ ...at, socket: connectPlain(at), rejectUnauthorized: false })
  await new Promise<void>((resolve, reject) => channel.once("secureConnect", () => resolve()).once("error", reject))
  const dialler = "f".repeat(43)
  const socket = new WebSocket(`ws://127.0.0.1:${port}/sync`, {
    createConnection: () => channel,
    headers: { "Feral-Sync": "2", "Feral-Sync-Nonce": dialler }
  })
  let server = ""
  socket.on("upgrade", ({ headers }) => (server = String(headers["feral-sync-nonce"])))
  socket.on("error", () => {})
  socket.on("message", (data) => onMessage(JSON.parse(Buffer.isBuffer(data) ? data.toString("utf8") : "{}") as Told))
  await new Promise<void>((resolve, reject) => socket.once("open", () => resolve()).once("close", reject))
  const binding = channel.exportKeyingMaterial(Handshake.exporter.length, Handshake.exporter.label, Buffer.alloc(0))
  const about = { nonces: { dialler, server }, binding: new Uint8Array(binding), dialler: id, server: "" }
  socket.send(greeting(id, VectorClock.empty, Handshake.prove(key, "dialler", about)))
  return {
    send: (text: string) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text)
    },
    isConnected: () => socket.readyState === WebSocket.OPEN,
    stop: () => {
      socket.terminate()
      channel.destroy()
    }
  }
}
