/**
 * What an existing FERAL node is sent in an exchange: all that it does not show to have, in frames that its generation can take.
 *
 * The newest take any number of frames. An early node takes one; what does not fit waits for the next exchange.
 */
import { HashMap } from "effect"
import * as Hlc from "../Hlc.ts"
import { utf8Length } from "../NodeId.ts"
import type { Delta, DeltaRequest } from "../Replica.ts"
import type { Action } from "../session/State.ts"
import * as VectorClock from "../VectorClock.ts"
import { done, type Exchange, type Step } from "./State.ts"
import * as Wire from "./Wire.ts"

/** Begins with everything that the peer does not show to have. */
export const start = (exchange: Exchange, now: number): Step => {
  const { local, known, peer } = exchange
  const cursors = Array.from(HashMap.keys(VectorClock.difference(local.tops, known)))
    .filter((node) => node !== peer)
    .map((node) => [node, VectorClock.get(known, node)] as const)
  return readOn({ ...exchange, phase: "sending", cursors, isLabelled: exchange.isNewest }, now)
}

const readOn = (exchange: Exchange, now: number): Step => {
  const { cursors, local, isNewest, takesNothing, options } = exchange
  if (cursors.length === 0) return sendFrame(exchange, [], false, now)
  const request: DeltaRequest = {
    from: cursors,
    since: local.version,
    maxBytes: isNewest ? options.maxFrameBytes : Wire.maxFrameBytes,
    maxOperations: takesNothing ? 1 : 20_000
  }
  return [{ ...exchange, reading: request }, [{ _tag: "Read", request }]]
}

/** Sends what was read. */
export const onDelta = (exchange: Exchange, { operations, exhausted }: Delta, now: number): Step => {
  const { options, isNewest, cursors } = exchange
  const limit = isNewest ? options.maxFrameBytes - 256 : Wire.maxFrameBytes
  const changes: Array<string> = []
  let bytes = 0
  for (const operation of operations) {
    const text = Wire.operationText(operation, isNewest ? options.scope : undefined)
    const size = utf8Length(text) + 1
    if (bytes + size > limit && (changes.length > 0 || !isNewest)) break
    changes.push(text)
    bytes += size
  }
  const sent = operations.slice(0, changes.length)
  const isCut = sent.length < operations.length
  const last = new Map(sent.map(({ hlc }) => [hlc.node, hlc]))
  const first = operations[sent.length]
  const rest = cursors.flatMap(([node, from], index) => {
    const isDone = isCut ? cursors.findIndex(([origin]) => origin === first?.hlc.node) > index : index < exhausted
    return isDone ? [] : [[node, Hlc.latest(from, last.get(node) ?? from)] as const]
  })
  const known = VectorClock.merge(exchange.known, VectorClock.fromEntries(sent.map(({ hlc }) => [hlc.node, hlc])))
  const isLeft = rest.length > 0 && !exchange.takesNothing
  return sendFrame({ ...exchange, known, cursors: rest, reading: undefined }, changes, isLeft, now)
}

const sendFrame = (exchange: Exchange, changes: ReadonlyArray<string>, isLeft: boolean, now: number): Step => {
  const { isNewest, options, seq } = exchange
  const text = isNewest ? Wire.numberedFrame(changes, seq, isLeft) : Wire.onlyFrame(changes)
  const action: Action = { _tag: "Send", text, operations: changes.length }
  const next = { ...exchange, seq: seq + 1, sent: exchange.sent + changes.length, since: now }
  if (isLeft && isNewest && changes.length > 0) {
    const [after, actions] = readOn(next, now)
    return [after, [action, ...actions]]
  }
  const finished = { ...next, isLeft: isLeft && changes.length > 0 }
  if (options.role === "dialler") return [{ ...finished, phase: "receiving" }, [action]]
  const [closed, actions] = done(finished)
  return [closed, [action, ...actions]]
}
