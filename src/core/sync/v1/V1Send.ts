/**
 * What an existing FERAL node is sent in an exchange: all that it does not show to have, in frames that its generation
 * can take.
 *
 * The newest take any number of frames. An early node takes one; what does not fit waits for the next exchange. A row
 * that is larger than all that a node takes is passed over and named, and the others go.
 */
import { HashMap } from "effect"
import * as Hlc from "../../replica/Hlc.ts"
import * as Merge from "../../replica/Merge.ts"
import { utf8Length } from "../../replica/NodeId.ts"
import type { Operation } from "../../replica/Operation.ts"
import type { Delta, DeltaRequest } from "../../replica/Replica.ts"
import type { Action } from "../SessionEvents.ts"
import * as VectorClock from "../../replica/VectorClock.ts"
import * as V1Memory from "./V1Memory.ts"
import { done, type Exchange, type Step } from "./V1State.ts"
import * as V1Wire from "./V1Wire.ts"

/** Begins with everything that the peer does not show to have. */
export const start = (exchange: Exchange, now: number): Step => {
  const { local, known, peer } = exchange
  const cursors = Array.from(HashMap.keys(VectorClock.difference(local.frontier, known)))
    .filter((node) => node !== peer)
    .map((node) => [node, VectorClock.get(known, node)] as const)
  return readOn({ ...exchange, phase: "sending", cursors, isLabelled: exchange.isNewest }, now)
}

const readOn = (exchange: Exchange, now: number): Step => {
  const { cursors, local, isNewest, takesNothing, options } = exchange
  if (cursors.length === 0) return sendFrame(exchange, [], 0, false, now)
  const request: DeltaRequest = {
    from: cursors,
    since: local.version,
    maxBytes: isNewest ? options.maxFrameBytes : V1Wire.maxFrameBytes,
    maxOperations: takesNothing ? 1 : 20_000
  }
  return [{ ...exchange, inFlight: request }, [{ _tag: "Read", request }]]
}

/** Sends the operations of a read. */
export const onDelta = (exchange: Exchange, { operations, exhausted }: Delta, now: number): Step => {
  const { options, isNewest, cursors } = exchange
  const limit = isNewest ? options.maxFrameBytes - 256 : V1Wire.maxFrameBytes
  const largest = largestFor(exchange)
  const changes: Array<string> = []
  const sent: Array<Operation> = []
  const tooLarge = new Map(exchange.tooLarge)
  let bytes = 0
  let passed = 0
  for (const operation of operations) {
    const row = Merge.slotOf(operation)
    const text = textFor(exchange, row, operation)
    const size = utf8Length(text) + 1
    if (size > largest) {
      const { table, row_id } = operation
      tooLarge.delete(row)
      tooLarge.set(row, { table, row_id, bytes: size, limit: largest })
    } else {
      if (bytes + size > limit && changes.length > 0) break
      changes.push(text)
      sent.push(operation)
      tooLarge.delete(row)
      bytes += size
    }
    passed++
  }
  const gone = operations.slice(0, passed)
  const isCut = passed < operations.length
  const last = new Map(gone.map(({ hlc }) => [hlc.node, hlc]))
  const first = operations[passed]
  const rest = cursors.flatMap(([node, from], index) => {
    const isDone = isCut ? cursors.findIndex(([origin]) => origin === first?.hlc.node) > index : index < exhausted
    return isDone ? [] : [[node, Hlc.latest(from, last.get(node) ?? from)] as const]
  })
  const next = {
    ...exchange,
    ...noteSent(exchange, sent),
    tooLarge: new Map([...tooLarge].slice(-V1Memory.kept.tooLarge)),
    cursors: rest,
    inFlight: undefined
  }
  // All of it was too large: later operations are not held up.
  if (changes.length === 0 && passed > 0 && rest.length > 0) return readOn(next, now)
  return sendFrame(next, changes, bytes, rest.length > 0 && !exchange.takesNothing, now)
}

/** The state of the peer after it was sent these. */
const noteSent = (
  { known, sentNews, sentRows, memory, isNewest }: Exchange,
  sent: ReadonlyArray<Operation>
): Pick<Exchange, "known" | "sentNews" | "sentRows"> => {
  const news = sent.filter(({ hlc }) => !VectorClock.covers(memory.shown, hlc))
  return {
    known: VectorClock.merge(known, clockOf(sent)),
    sentNews: VectorClock.merge(sentNews, clockOf(news)),
    sentRows: isNewest ? sentRows : new Map([...sentRows, ...sent.map((one) => [Merge.slotOf(one), one] as const)])
  }
}

const clockOf = (operations: ReadonlyArray<Operation>): VectorClock.VectorClock =>
  VectorClock.fromEntries(operations.map(({ hlc }) => [hlc.node, hlc]))

const sendFrame = (
  before: Exchange,
  changes: ReadonlyArray<string>,
  bytes: number,
  hasMore: boolean,
  now: number
): Step => {
  const [exchange, texts] = withReturns(before, changes, bytes)
  const { isNewest, options, seq, counts } = exchange
  const text = isNewest ? V1Wire.numberedFrame(texts, seq, hasMore) : V1Wire.onlyFrame(texts)
  const action: Action = { _tag: "Send", text, operations: texts.length }
  const next = { ...exchange, seq: seq + 1, counts: { ...counts, sent: counts.sent + texts.length }, since: now }
  if (hasMore && isNewest && texts.length > 0) {
    const [after, actions] = readOn(next, now)
    return [after, [action, ...actions]]
  }
  const finished = { ...next, hasUnsent: hasMore && texts.length > 0 }
  if (options.role === "dialler") return [{ ...finished, phase: "receiving" }, [action]]
  const [closed, actions] = done(finished)
  return [closed, [action, ...actions]]
}

/**
 * Sends what the clock of the peer does not ask for: what won over what an early node was sent before, and what came
 * here late. Last of all: what comes last is what an early node keeps.
 */
const withReturns = (
  exchange: Exchange,
  changes: ReadonlyArray<string>,
  bytes: number
): readonly [Exchange, ReadonlyArray<string>] => {
  const { isNewest, options } = exchange
  if (exchange.returns.size === 0 || (isNewest && exchange.takesNothing)) return [exchange, changes]
  const limit = isNewest ? options.maxFrameBytes - 256 : V1Wire.maxFrameBytes
  const returns = new Map(exchange.returns)
  const sentRows = new Map(exchange.sentRows)
  const texts = [...changes]
  let size = bytes
  for (const [row, operation] of exchange.returns) {
    // Something newer goes out in its place.
    const isBeaten = Merge.resolve(exchange.sentRows.get(row), operation) === "superseded"
    const text = textFor(exchange, row, operation)
    const more = utf8Length(text) + 1
    if (!isBeaten && more <= largestFor(exchange)) {
      if (size + more > limit && texts.length > 0) break
      texts.push(text)
      if (!isNewest) sentRows.set(row, operation)
      size += more
    }
    returns.delete(row)
  }
  return [{ ...exchange, returns, sentRows }, texts]
}

const largestFor = ({ isNewest }: Exchange): number => (isNewest ? V1Wire.maxNewestBytes : V1Wire.maxFrameBytes)

const textFor = ({ isNewest, options, rowScopes }: Exchange, row: Merge.Slot, operation: Operation): string =>
  V1Wire.operationText(operation, isNewest ? (rowScopes.get(row) ?? options.scope) : undefined)
