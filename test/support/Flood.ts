/** A member of this machine that knows the passphrase, and sends rows without end as fast as they are taken. Loopback only. */
import { NodeId } from "../../src/core/replica/NodeId.ts"
import * as VectorClock from "../../src/core/replica/VectorClock.ts"
import * as Wire from "../../src/core/sync/Wire.ts"
import { join, type Rogue } from "./RogueMember.ts"

export interface Flood extends Rogue {
  readonly kind: string
}

/** Rows of about 1 KB in one frame, and bytes that are sent without an acknowledgement: less than a member may send. */
const rows = 200
const window = 2 * 1024 * 1024
const filling = "x".repeat(800)

/** Floods until it is stopped. `sent` are the bytes so far. */
export const flood = async ({ kind, ...rogue }: Flood) => {
  const { id } = rogue
  let isStopped = false
  let sent = 0
  let seq = 0
  const unacked = new Map<number, number>()

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
    while (!isStopped && waiting < window && member.isConnected()) {
      const text = frame()
      unacked.set(seq++, text.length)
      waiting += text.length
      sent += text.length
      member.send(text)
    }
  }
  const member = await join(rogue, (message) => {
    if (message.type === "sync_ack" && message.seq !== undefined) {
      for (const one of unacked.keys()) if (one <= (message.seq ?? -1)) unacked.delete(one)
    }
    if (message.type === "sync_ack" || message.type === "sync_response") pump()
  })
  return {
    sent: () => sent,
    isConnected: member.isConnected,
    stop: () => {
      isStopped = true
      member.stop()
    }
  }
}
