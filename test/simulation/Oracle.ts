/**
 * What must be true of a network, whatever happened in it: checked against a ledger of everything that was acknowledged, and a
 * merge of a few lines.
 */
import { HashMap } from "effect"
import * as Digest from "../../src/core/replica/Digest.ts"
import * as Hlc from "../../src/core/replica/Hlc.ts"
import type * as Merge from "../../src/core/replica/Merge.ts"
import type { NodeId } from "../../src/core/replica/NodeId.ts"
import { isTombstone } from "../../src/core/replica/Merge.ts"
import type { Operation } from "../../src/core/replica/Operation.ts"
import * as VectorClock from "../../src/core/replica/VectorClock.ts"
import type { PeerStatus } from "../../src/services/node/Status.ts"
import { isClaimed } from "./Hostile.ts"
import type { Content } from "./Disk.ts"
import * as Own from "./Own.ts"
import { largeContent, maxDrift } from "./Scenario.ts"

/** Whether a node with a small limit cannot take an operation. */
const isLarge = ({ data }: Operation): boolean => data.length >= largeContent

/** A promise that was broken, and which kind of promise. */
export class Broken extends Error {
  readonly oracle: string
  constructor(oracle: string, promise: string) {
    super(promise)
    this.oracle = oracle
  }
}

export const broken = (oracle: string, promise: string): never => {
  throw new Broken(oracle, promise)
}

const isSet = ({ table }: Operation): boolean =>
  table === "episodes" || table === "execution_log" || Own.ruleOf({ table }) === "log"

/** The place of an operation: a row, and for kinds that nobody knows each operation has its own. */
const placeOf = (operation: Operation): string => {
  const { table, row_id, hlc } = operation
  if (Own.ruleOf(operation) !== undefined) return `${table}\0${row_id}\0${Own.slotOf(operation)}`
  const isKnown = isSet(operation) || table === "notes" || table === "knowledge"
  return `${table}\0${row_id}\0${isKnown ? "" : Hlc.toText(hlc)}`
}

const isAfter = ({ hlc: a }: Operation, { hlc: b }: Operation): boolean =>
  a.wall !== b.wall ? a.wall > b.wall : a.counter !== b.counter ? a.counter > b.counter : a.node > b.node

/**
 * The rules in a few lines, which share nothing with those of the program: whether `one` takes the place of `other`. Of notes
 * and knowledge the last one stays, of sets the first.
 */
const isBetter = (one: Operation, other: Operation): boolean => {
  const byCount = Own.compareCounts(one, other)
  if (byCount !== 0) return byCount > 0
  return isSet(one) ? isAfter(other, one) : isAfter(one, other)
}

/** Whether a replica holds an operation, or one that beats it. Nothing is ever deleted from a set. */
export const holds = (rows: ReadonlyMap<Merge.Slot, Operation>, operation: Operation): boolean => {
  if (isSet(operation) && operation.op_type === "delete") return true
  const row = rows.get(placeOf(operation))
  return row !== undefined && !isBetter(operation, row)
}

/** Whether a deletion of an operation, or the deletion that it is, may have been dropped where nothing is in its place. */
export const isGone = (
  { state, rows }: Pick<Content, "state" | "rows">,
  operation: Operation,
  ledger: Ledger
): boolean =>
  !rows.has(placeOf(operation)) &&
  ledger.all.some(
    (other) =>
      other.op_type === "delete" &&
      !isSet(other) &&
      placeOf(other) === placeOf(operation) &&
      !isBetter(operation, other) &&
      VectorClock.covers(state.cut.collected, other.hlc)
  )

/** No row that was deleted comes back: one that is later than the deletion was written again. */
export const checkBuried = (name: string, buried: Map<Merge.Slot, Operation>, { rows }: Content): void => {
  for (const [slot, row] of rows) {
    if (isSet(row)) continue
    const deletion = buried.get(slot)
    if (row.op_type === "delete") {
      if (deletion === undefined || isBetter(row, deletion)) buried.set(slot, row)
    } else if (deletion !== undefined && isBetter(deletion, row)) {
      broken("resurrection", `${name} holds ${row.op_id} again, which ${deletion.op_id} has deleted there`)
    }
  }
}

/** What all operations come to. */
const mergeOf = (operations: ReadonlyArray<Operation>): ReadonlyMap<string, Operation> => {
  const rows = new Map<string, Operation>()
  for (const operation of operations) {
    if (!holds(rows, operation)) rows.set(placeOf(operation), operation)
  }
  return rows
}

const beats = (one: Operation, other: Operation): boolean => placeOf(one) === placeOf(other) && isBetter(one, other)

/** Everything that was acknowledged to somebody who wrote it. */
export class Ledger {
  readonly operations: Array<Operation> = []
  /** Those that need not be held any more, and may be there all the same, or have done their work. */
  private readonly former: Array<Operation> = []
  private readonly byHlc = new Map<string, string>()
  private readonly last = new Map<NodeId, Hlc.Timestamp>()

  /** Notes what a node acknowledged. No timestamp is issued twice, nor out of order where the order is known. */
  add(operation: Operation, hasForgotten = false): void {
    const text = Hlc.toText(operation.hlc)
    if (this.byHlc.has(text)) broken("ledger", `the timestamp ${text} was issued twice`)
    this.byHlc.set(text, operation.op_id)
    const last = this.last.get(operation.hlc.node)
    if (!hasForgotten && last !== undefined && !Hlc.isAfter(operation.hlc, last))
      broken("ledger", `the timestamp ${text} was issued after a later one`)
    this.last.set(operation.hlc.node, operation.hlc)
    this.operations.push(operation)
  }

  /** Notes what a node that has begun anew has written again, with new timestamps. */
  addAnew(nodeId: NodeId, rows: Iterable<Operation>): void {
    for (const row of rows) {
      if (row.hlc.node !== nodeId || this.byHlc.has(Hlc.toText(row.hlc))) continue
      this.add(row, true)
      // Of what is never deleted, the one that was written first would stay, or both. What was written later in that place had lost to it.
      if (row.table === "notes" || row.table === "knowledge") continue
      const isFormer = (one: Operation) => one.op_id === row.op_id && one.hlc !== row.hlc
      const former = this.operations.find(isFormer)
      this.forget((one) => isFormer(one) || (former !== undefined && beats(former, one)))
    }
  }

  /** What a node wrote under another name, at another time, takes the place of what it was. */
  rename(operations: ReadonlyMap<string, Operation>): void {
    for (const [index, operation] of this.operations.entries()) {
      const anew = operations.get(operation.op_id)
      if (anew === undefined) continue
      this.former.push(operation)
      this.operations[index] = anew
      this.byHlc.set(Hlc.toText(anew.hlc), anew.op_id)
      this.last.set(anew.hlc.node, anew.hlc)
    }
  }

  /** Forgets what was destroyed with the only disk that held it, and what it had deleted: that need not be there any more. */
  destroy(isLost: (operation: Operation) => boolean): void {
    const deletions = this.operations.filter((one) => one.op_type === "delete" && !isSet(one) && isLost(one))
    this.forget((operation) => isLost(operation) || deletions.some((one) => beats(one, operation)))
  }

  /** Forgets what need not be held any more. What is lost may depend on all operations: none is taken out before all were asked about. */
  forget(isLost: (operation: Operation) => boolean): void {
    const { kept = [], lost = [] } = Object.groupBy(this.operations, (one) => (isLost(one) ? "lost" : "kept"))
    this.former.push(...lost)
    this.operations.splice(0, Infinity, ...kept)
  }

  /** Everything that was ever acknowledged. */
  get all(): ReadonlyArray<Operation> {
    return [...this.operations, ...this.former]
  }

  /** Whether something beats an operation that is too large for some. */
  isBeatenByLarge(operation: Operation): boolean {
    return this.all.some((other) => isLarge(other) && beats(other, operation))
  }
}

/**
 * What must hold at every moment. An origin that lost a part of its own history, and wrote on before it met those who have
 * it, claims more than it holds, as does who believes it: nobody can know, until digests are compared.
 */
export const checkSafety = (
  name: string,
  content: Content,
  ledger: Ledger,
  restored: ReadonlySet<string>,
  hasLied = false
): void => {
  const { nodeId, state, rows } = content
  for (const operation of ledger.operations) {
    if (restored.has(operation.hlc.node)) continue
    if (operation.hlc.node === nodeId && !VectorClock.covers(state.vectorClock, operation.hlc))
      broken("claims", `${name} does not claim what it has acknowledged: ${operation.op_id}`)
    if (!hasLied && VectorClock.covers(state.vectorClock, operation.hlc) && !holds(rows, operation)) {
      // What beats it may be too large to come here, or anywhere on the way here: that one is claimed by nobody who lacks it.
      if (ledger.isBeatenByLarge(operation)) continue
      // What beats it may be a part of the history that was lost.
      if (ledger.operations.some((other) => restored.has(other.hlc.node) && beats(other, operation))) continue
      if (isGone(content, operation, ledger)) continue
      broken(
        "claims",
        `${name} claims ${operation.hlc.node} up to ${Hlc.toText({ ...VectorClock.get(state.vectorClock, operation.hlc.node), node: operation.hlc.node })}, and holds neither ${operation.op_id} (${Hlc.toText(operation.hlc)}, ${operation.table} ${operation.row_id}) nor what beats it`
      )
    }
  }
  let digest = Digest.empty
  let live = Digest.empty
  for (const operation of rows.values()) {
    const fingerprint = Digest.ofOperation(operation)
    digest = Digest.add(digest, fingerprint)
    if (!isTombstone(operation)) live = Digest.add(live, fingerprint)
  }
  if (Digest.toText(digest) !== Digest.toText(state.digest))
    broken("digest", `${name} keeps a digest that is not that of its rows`)
  if (Digest.toText(live) !== Digest.toText(state.live))
    broken("digest", `${name} keeps a digest without tombstones that is not that of its rows`)
}

/** No node remembers an origin that was only ever claimed. */
export const checkOrigins = (name: string, { state }: Content): void => {
  const invented = [...HashMap.keys(state.vectorClock)].find(isClaimed)
  if (invented !== undefined) broken("origins", `${name} covers ${invented}, which never wrote anything`)
}

/** Nothing of somebody else is taken whose time is further ahead than the clock here, at its latest, allows. */
export const checkPoison = (name: string, { rows, nodeId }: Content, latest: number): void => {
  for (const { hlc, op_id } of rows.values()) {
    if (hlc.node !== nodeId && hlc.wall > latest + maxDrift) {
      broken("clock poison", `${name} has taken ${op_id} of ${hlc.node}, ${hlc.wall - latest} ms before its time`)
    }
  }
}

/** Episodes and the execution log only ever grow, from one moment to a later one of the same disk. */
export const checkGrowth = (
  name: string,
  before: ReadonlySet<Merge.Slot>,
  { rows }: Content
): ReadonlySet<Merge.Slot> => {
  const now = new Set<Merge.Slot>()
  for (const [slot, operation] of rows) {
    if (!isSet(operation)) continue
    if (operation.op_type === "delete") broken("growth", `${name} has deleted ${slot.replaceAll("\0", " ")}`)
    now.add(slot)
  }
  for (const slot of before) if (!now.has(slot)) broken("growth", `${name} has lost ${slot.replaceAll("\0", " ")}`)
  return now
}

/** Whether a node has issued a timestamp after `now`, which nobody takes. */
export const isAhead = ({ nodeId, state }: Content, now: number): boolean =>
  nodeId !== undefined && VectorClock.get(state.vectorClock, nodeId).wall > now

/** A node that wrote ahead of its clock is told so by everybody it is connected to that does not take it. */
export const checkKnowsToBeAhead = (
  name: string,
  { nodeId, rows }: Content,
  status: ReadonlyArray<PeerStatus>,
  others: ReadonlyArray<Content>
): void => {
  // What has lost to others has no row, and is not sent.
  const own = [...rows.values()]
    .filter(({ hlc }) => hlc.node === nodeId)
    .sort((a, b) => Hlc.HlcOrder(a.hlc, b.hlc))
    .at(-1)
  if (own === undefined) return
  for (const { node_id, protocol, state, last_error } of status) {
    const other = others.find((content) => content.nodeId === node_id)
    const isConnected = protocol === 2 && (state === "live" || state === "syncing")
    // It is taken before it is claimed.
    const isTaken =
      other === undefined || VectorClock.covers(other.state.vectorClock, own.hlc) || holds(other.rows, own)
    // What is too large is not sent, so the peer has nothing to hold back. That its own writes wait is shown before that.
    const isTold =
      last_error?._tag === "DeferredByPeer" ||
      last_error?._tag === "RowsTooLarge" ||
      (last_error?._tag === "ClockDrift" && isLarge(own))
    if (isConnected && !isTaken && !isTold)
      broken(
        "deferral",
        `${name} is not told that ${node_id} does not take what it wrote: ${JSON.stringify(last_error)}`
      )
  }
}

/**
 * What a node takes for stable is held by every other node that counts for it. One whose disk was restored, or lost what was not synced,
 * is no longer what it was when it agreed: until it is met again nobody can know.
 */
export const checkStable = (
  name: string,
  stable: VectorClock.VectorClock,
  known: Iterable<NodeId>,
  { rows }: Content,
  others: ReadonlyArray<Content>,
  isForgetful: (node: string) => boolean,
  ledger: Ledger
): void => {
  if (HashMap.isEmpty(stable)) return
  const counted = new Set<string>(known)
  for (const operation of rows.values()) {
    if (!VectorClock.covers(stable, operation.hlc)) continue
    for (const { nodeId, state, rows: theirs } of others) {
      if (nodeId === undefined || !counted.has(nodeId) || isForgetful(nodeId) || holds(theirs, operation)) continue
      // It has dropped it, or the deletion of it, while the one who takes it for stable was away.
      if (isGone({ state, rows: theirs }, operation, ledger)) continue
      broken("stability", `${name} takes ${operation.op_id} for stable, and ${nodeId} does not hold it`)
    }
  }
}

/** No node shows that others hold other rows, where no history was lost. */
export const checkNotDiverged = (name: string, status: ReadonlyArray<PeerStatus>): void => {
  const diverged = status.find(({ last_error }) => last_error?._tag === "Diverged")
  if (diverged !== undefined)
    broken("divergence", `${name} says that ${diverged.node_id} holds other rows, and nothing was lost`)
}

/** A node that has taken another identity holds the same, and nothing under its old one after `now`. */
export const checkRenewed = (
  before: Content["rows"],
  after: Content["rows"],
  old: NodeId | undefined,
  now: number
): void => {
  const names = ({ op_id }: Operation) => op_id
  const [one, other] = [before, after].map((rows) => Array.from(rows.values(), names).sort().join())
  if (one !== other) broken("identity", `a node that was renewed holds ${other}, where it had ${one}`)
  const late = [...after.values()].find(({ hlc }) => hlc.node === old && hlc.wall > now)
  if (late !== undefined) broken("identity", `a node that was renewed still holds ${late.op_id} of ${late.hlc.wall}`)
}

/** What a disk covers of the origins of which it has rows. Of others each node remembers what it likes. */
const historyOf = (
  { state, rows }: Pick<Content, "state" | "rows">,
  among: ReadonlyArray<Pick<Content, "state">>
): VectorClock.VectorClock => {
  const hasCollected = among.some((one) => !HashMap.isEmpty(one.state.cut.confirmed))
  const origins = new Set([...rows.values()].flatMap((row) => (hasCollected && isTombstone(row) ? [] : [row.hlc.node])))
  return HashMap.filter(state.vectorClock, (_, node) => origins.has(node))
}

/** Whether all disks claim the same and hold the same. */
export const areEqual = (disks: ReadonlyArray<Content>): boolean => {
  const [first, ...others] = disks
  if (first === undefined) return true
  const hasCollected = disks.some(({ state }) => !HashMap.isEmpty(state.cut.collected))
  const digestOf = ({ state }: Content) => Digest.toText(hasCollected ? state.live : state.digest)
  const digest = digestOf(first)
  if (others.some((other) => digestOf(other) !== digest)) return false
  const history = historyOf(first, disks)
  return others.every((other) => VectorClock.compare(historyOf(other, disks), history) === "equal")
}

/**
 * What must hold where some nodes take small frames only, once everything that could be exchanged was: a row that fits is
 * everywhere; one that does not is wherever a way leads on which it fits, from a node that holds it.
 */
export const checkDelivered = (
  disks: ReadonlyArray<Content>,
  ledger: Ledger,
  dials: ReadonlyArray<readonly [from: number, to: number]>,
  small: ReadonlyArray<number>
): void => {
  const naive = mergeOf([...ledger.operations, ...disks.flatMap((disk) => [...disk.rows.values()])])
  for (const [slot, winner] of naive) {
    const reached = new Set(disks.keys().filter((index) => disks[index]?.rows.get(slot)?.op_id === winner.op_id))
    const takes = (index: number) => !isLarge(winner) || !small.includes(index)
    for (let before = -1; before < reached.size;) {
      before = reached.size
      for (const [one, other] of dials.flatMap(([from, to]) => [[from, to] as const, [to, from] as const])) {
        if (reached.has(one) && takes(other)) reached.add(other)
      }
    }
    if (reached.size === 0) broken("delivery", `no node holds ${winner.op_id}`)
    for (const index of reached) {
      const held = disks[index]?.rows.get(slot)
      if (held?.op_id !== winner.op_id)
        broken("delivery", `node ${index} holds ${held?.op_id ?? "nothing"}, not ${winner.op_id}`)
    }
  }
}

/** Whether a disk holds all that was acknowledged, or what took its place. */
export const hasAll = (content: Content, ledger: Ledger): boolean =>
  ledger.operations.every((operation) => holds(content.rows, operation) || isGone(content, operation, ledger))

/** What must hold once everything that could be exchanged was. */
export const checkConverged = (disks: ReadonlyArray<Content>, ledger: Ledger): void => {
  for (const [index, { state, rows }] of disks.entries()) {
    const first = disks[0]
    if (first === undefined) return
    for (const operation of ledger.operations) {
      if (!holds(rows, operation) && !isGone({ state, rows }, operation, ledger))
        broken("convergence", `node ${index} lacks ${operation.op_id} (${Hlc.toText(operation.hlc)})`)
    }
    const naive = mergeOf([...ledger.operations, ...disks.flatMap((disk) => [...disk.rows.values()])])
    for (const slot of new Set([...naive.keys(), ...rows.keys()])) {
      const isDropped = !rows.has(slot) && naive.get(slot)?.op_type === "delete"
      if (naive.get(slot)?.op_id !== rows.get(slot)?.op_id && !isDropped) {
        broken(
          "convergence",
          `node ${index} holds ${rows.get(slot)?.op_id ?? "nothing"} in ${slot.replaceAll("\0", " ")}, where the merge of all is ${naive.get(slot)?.op_id ?? "nothing"}`
        )
      }
    }
    const [ours, theirs] = [historyOf(first, disks), historyOf({ state, rows }, disks)]
    if (VectorClock.compare(ours, theirs) !== "equal") {
      const show = (clock: VectorClock.VectorClock) => JSON.stringify(Object.fromEntries(HashMap.toEntries(clock)))
      broken("convergence", `nodes 0 and ${index} claim different histories: ${show(ours)} and ${show(theirs)}`)
    }
  }
}
