/**
 * An existing FERAL node in a few dozen lines, in process: the log, the coarse mark, the clock that is lost at a restart. The
 * larger model, in another language and over real sockets, is in `legacy/`.
 */
import { HashMap } from "effect"
import * as Hlc from "../../src/core/replica/Hlc.ts"
import type { NodeId } from "../../src/core/replica/NodeId.ts"
import { type Operation, toWire } from "../../src/core/replica/Operation.ts"
import * as V1Wire from "../../src/core/sync/v1/V1Wire.ts"
import * as VectorClock from "../../src/core/replica/VectorClock.ts"

const wireKeys = ["op_id", "table", "op_type", "row_id", "data", "hlc", "origin_node", "timestamp"]

export class OldNode {
  readonly id: NodeId
  readonly isNewest: boolean
  readonly log = new Map<string, Operation>()
  clock = VectorClock.empty
  /** What it sends besides, each time: texts that are no operations. */
  readonly broken: Array<string> = []
  /** What it found wrong with what it was sent. */
  readonly complaints: Array<string> = []
  frames = 0
  received = 0

  constructor(id: NodeId, isNewest = false) {
    this.id = id
    this.isNewest = isNewest
  }

  write(operation: Operation): void {
    this.log.set(Hlc.toText(operation.hlc), operation)
    this.clock = VectorClock.advance(this.clock, operation.hlc.node, operation.hlc)
  }

  /** Its log stays, its clock does not. */
  restart(): void {
    this.clock = VectorClock.empty
  }

  /** What it sends to a node that reported this clock. */
  lackedBy(peer: NodeId, reported: VectorClock.VectorClock): ReadonlyArray<Operation> {
    return [...this.log.values()].filter(({ hlc }) =>
      this.isNewest
        ? !VectorClock.covers(reported, hlc)
        : hlc.node !== peer && Hlc.isAfter(hlc, VectorClock.get(reported, this.id))
    )
  }

  greeting(type: "sync_request" | "sync_response", passphrase = ""): string {
    return type === "sync_request"
      ? V1Wire.encode({ type, nodeId: this.id, clock: this.clock, passphrase })
      : V1Wire.encode({ type, nodeId: this.id, clock: this.clock })
  }

  /** Its data, in one frame, or in frames of two operations. */
  data(operations: ReadonlyArray<Operation>): ReadonlyArray<string> {
    const texts = [...this.broken, ...operations.map(toWire)]
    if (!this.isNewest) return [V1Wire.onlyFrame(texts)]
    const frames: Array<string> = []
    for (let start = 0; start === 0 || start < texts.length; start += 2) {
      frames.push(V1Wire.numberedFrame(texts.slice(start, start + 2), frames.length, start + 2 < texts.length))
    }
    return frames
  }

  /** Takes a frame. Returns whether more will come. */
  take(text: string): boolean {
    this.frames++
    const frame = JSON.parse(text) as {
      readonly changes: ReadonlyArray<Record<string, unknown>>
      readonly more?: boolean
    }
    if (!this.isNewest && text.length > 1024 * 1024) this.complaints.push(`a frame of ${text.length} characters`)
    for (const change of frame.changes) {
      const strange = Object.keys(change).filter((key) => !wireKeys.includes(key))
      if (!this.isNewest && strange.length > 0) {
        this.complaints.push(`an unknown key ${strange.join()}`)
        break
      }
      if (!["insert", "delete"].includes(String(change["op_type"])))
        this.complaints.push(`op_type ${String(change["op_type"])}`)
    }
    const decoded = V1Wire.decode(text)
    if (decoded._tag === "Success" && decoded.success.type === "sync_data") {
      for (let rest: V1Wire.Changes | undefined = decoded.success.changes; rest !== undefined;) {
        const piece: V1Wire.Piece = V1Wire.readChanges(rest)
        for (const { operation } of piece.operations) {
          this.received++
          this.write(operation)
        }
        rest = piece.rest
      }
    }
    return this.isNewest && frame.more === true
  }

  get size(): number {
    return this.log.size
  }

  get origins(): number {
    return HashMap.size(this.clock)
  }
}
