/** A member of this machine that knows the passphrase, and sends rows without end as fast as they are taken. Loopback only. */
import { Option } from "effect"
import { connect as connectPlain } from "node:net"
import { connect } from "node:tls"
import { WebSocket } from "ws"
import * as Handshake from "../../src/core/Handshake.ts"
import { NodeId } from "../../src/core/NodeId.ts"
import { noHoldings } from "../../src/core/Replica.ts"
import * as VectorClock from "../../src/core/VectorClock.ts"
import * as Wire from "../../src/core/Wire.ts"

export interface Flood {
  readonly port: number
  /** The loopback address to come from. */
  readonly from: string
  readonly key: Uint8Array
  readonly id: string
  readonly kind: string
}

/** Rows of about 1 KB in one frame, and bytes that are sent without an acknowledgement: less than a member may send. */
const rows = 200
const window = 2 * 1024 * 1024
const filling = "x".repeat(800)

/** Floods until it is stopped. `sent` are the bytes so far. */
export const flood = async ({ port, from, key, id, kind }: Flood) => {
  const at = { host: "127.0.0.1", port, localAddress: from }
  const channel = connect({ ...at, socket: connectPlain(at), rejectUnauthorized: false })
  await new Promise<void>((resolve, reject) => channel.once("secureConnect", () => resolve()).once("error", reject))
  const dialler = "f".repeat(43)
  const socket = new WebSocket(`ws://127.0.0.1:${port}/sync`, {
    createConnection: () => channel,
    headers: { "Feral-Sync": "2", "Feral-Sync-Nonce": dialler }
  })
  let server = ""
  let isStopped = false
  let sent = 0
  let seq = 0
  const unacked = new Map<number, number>()
  socket.on("upgrade", ({ headers }) => (server = String(headers["feral-sync-nonce"])))
  socket.on("error", () => {})

  const frame = (): string => {
    const first = seq * rows
    const changes = Array.from({ length: rows }, (_, n) => {
      const row = `${id}-${first + n}`
      return `{"op_id":"${row}","table":"${kind}","op_type":"insert","row_id":"${row}","data":{"text":"${filling}"},"hlc":"${1_700_000_000_000 + first + n}:0:${id}","origin_node":"${id}","timestamp":1700000000}`
    })
    const through = VectorClock.fromEntries([
      [NodeId.make(id), { wall: 1_700_000_000_000 + first + rows - 1, counter: 0 }]
    ])
    return Wire.encodeData({ seq, more: false, fresh: seq === 0, through }, changes)
  }
  const pump = () => {
    let waiting = [...unacked.values()].reduce((sum, bytes) => sum + bytes, 0)
    while (!isStopped && waiting < window && socket.readyState === WebSocket.OPEN) {
      const text = frame()
      unacked.set(seq++, text.length)
      waiting += text.length
      sent += text.length
      socket.send(text)
    }
  }
  socket.on("message", (data) => {
    const message: { readonly type?: string; readonly seq?: number } = JSON.parse(
      Buffer.isBuffer(data) ? data.toString("utf8") : "{}"
    )
    if (message.type === "sync_ack" && message.seq !== undefined) {
      for (const one of unacked.keys()) if (one <= message.seq) unacked.delete(one)
    }
    if (message.type === "sync_ack" || message.type === "sync_response") pump()
  })
  await new Promise<void>((resolve, reject) => socket.once("open", () => resolve()).once("close", reject))
  const binding = channel.exportKeyingMaterial(Handshake.exporter.length, Handshake.exporter.label, Buffer.alloc(0))
  const about = { nonces: { dialler, server }, binding: new Uint8Array(binding), dialler: id, server: "" }
  socket.send(
    Wire.encode({
      type: "sync_request",
      nodeId: NodeId.make(id),
      clock: VectorClock.empty,
      proof: Handshake.prove(key, "dialler", about),
      digest: Option.none(),
      rows: Option.none(),
      uncovered: noHoldings,
      features: [],
      time: Date.now()
    })
  )
  return {
    sent: () => sent,
    isConnected: () => socket.readyState === WebSocket.OPEN,
    stop: () => {
      isStopped = true
      socket.terminate()
      channel.destroy()
    }
  }
}
