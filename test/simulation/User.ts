/** What the users of a simulated node see of it: lists, searches and exports, held against a plain look through its rows. */
import { Effect, Option, Result, Scope, Context, Layer } from "effect"
import * as Cut from "../../src/core/replica/Cut.ts"
import * as ExportFormat from "../../src/core/replica/ExportFormat.ts"
import { NodeId } from "../../src/core/replica/NodeId.ts"
import { fromWire, Kind } from "../../src/core/replica/Operation.ts"
import { parseExact } from "../../src/core/replica/Json.ts"
import { isTombstone } from "../../src/core/replica/Merge.ts"
import * as VectorClock from "../../src/core/replica/VectorClock.ts"
import * as Query from "../../src/core/search/SearchQuery.ts"
import * as Archive from "../../src/services/admin/Archive.ts"
import { HlcClock } from "../../src/services/node/HlcClock.ts"
import type { StoreUnavailable } from "../../src/services/node/NodeFailure.ts"
import { Store } from "../../src/services/store/Store.ts"
import type { SimulatedNode } from "./Cluster.ts"
import { inMemory } from "./Disk.ts"
import * as Naive from "./Naive.ts"
import { broken, holds } from "./Oracle.ts"
import { type Kind as KindName, maxDrift, smallFrame } from "./Scenario.ts"

const pageOf = 3
const limit = 5

const same = (what: string, shown: ReadonlyArray<string>, right: ReadonlyArray<string>): void => {
  if (shown.join() !== right.join()) broken("user", `${what} shows [${shown.join(", ")}], not [${right.join(", ")}]`)
}

/** What a user asks for is answered, unless the disk is full or the node goes down meanwhile. */
const asked = <A, R>(node: SimulatedNode, answer: Effect.Effect<A, StoreUnavailable, R>) => {
  const { disk, store } = node
  return Effect.catch(answer, (failure) =>
    failure.reason === "disk full" || disk.isFull || store !== node.store
      ? Effect.succeed(undefined)
      : broken("user", `${node.host} does not answer: ${failure.message}`)
  )
}

/** Lists and searches. What is written meanwhile makes it worthless. */
export const look = (node: SimulatedNode, kind: KindName, word: string, begun: string) =>
  asked(node, looked(node, kind, word, begun))

const looked = Effect.fnUntraced(function* (node: SimulatedNode, kind: KindName, word: string, begun: string) {
  const { store, disk } = node
  if (store === undefined) return
  const { content } = disk
  const all: Array<string> = []
  for (let after: string | undefined; ;) {
    const page = yield* store.list(Kind.make(kind), { after, limit: pageOf })
    all.push(...page.map(({ op_id }) => op_id))
    after = page.at(-1)?.row_id
    if (page.length < pageOf) break
  }
  if (content !== disk.content) return
  same(`the list of ${kind} of ${node.host}`, all, Naive.listed(content, kind))
  for (const query of [`${word} ${begun}`, ...Naive.words]) {
    const { hits } = yield* store.search({ query: Query.fromText(query), filter: {}, limit })
    if (content !== disk.content) return
    same(
      `the search of ${node.host} for ${query}`,
      hits.map(({ operation }) => operation.op_id),
      Naive.found(content, query.split(" "), limit)
    )
  }
})

/** What the lines of an export come to. */
const shortcomingOf = ([header = "", ...lines]: ReadonlyArray<string>) => {
  const rows = ExportFormat.readHeader(header)
  if (Result.isFailure(rows)) return broken("export", `an export begins with ${header}`)
  let sum = ExportFormat.emptySum
  let end: Option.Option<ExportFormat.Sum> = Option.none()
  for (const line of lines) {
    end = ExportFormat.readEnd(line)
    if (Option.isNone(end)) sum = ExportFormat.add(sum, line)
  }
  return ExportFormat.shortcoming(rows.success, sum, end)
}

const archiveOf = (store: Store["Service"], maxClockDriftMs: number, maxRecvBytes: number) =>
  Effect.provideService(Archive.make({ maxClockDriftMs, maxRecvBytes }), Store, store)

/** Exports all of a node. Nothing, when something was written meanwhile. */
const exported = Effect.fnUntraced(function* ({ store, disk, here }: SimulatedNode) {
  if (store === undefined) return undefined
  const { content } = disk
  const archive = yield* archiveOf(store, maxDrift, Infinity)
  const lines = [yield* here(archive.header)]
  let sum = ExportFormat.emptySum
  for (let after: Archive.Page["after"] = null; ;) {
    const page: Archive.Page = yield* archive.page(after)
    lines.push(...page.lines)
    sum = page.lines.reduce(ExportFormat.add, sum)
    after = page.after
    if (after === null) break
  }
  return content === disk.content ? { content, lines: [...lines, ExportFormat.end(sum)] } : undefined
})

/** Exports, looks whether all of it is there, and imports it elsewhere. */
export const carry = Effect.fnUntraced(
  function* (node: SimulatedNode, other: SimulatedNode, cut: number) {
    const out = yield* exported(node)
    if (out === undefined) return
    const { content, lines } = out
    const wrong = shortcomingOf(lines)
    if (wrong !== undefined) broken("export", `a whole export of ${node.host} is said to be ${wrong}`)
    const left = Math.max(1, Math.floor(cut * lines.length))
    if (shortcomingOf(lines.slice(0, left)) === undefined)
      broken("export", `${left} of ${lines.length} lines pass for whole`)
    const rows = lines.slice(1, -1)

    const disk = inMemory(NodeId.make("fresh"))
    const fresh = Context.get(
      yield* Layer.build(Layer.fresh(disk.store({}).pipe(Layer.provideMerge(HlcClock.layer)))),
      Store
    )
    const { refused } = yield* (yield* archiveOf(fresh, Infinity, Infinity)).take(rows)
    if (refused.length > 0) broken("export", `a line of an export is refused: ${refused[0]?.reason}`)
    for (const [slot, row] of content.rows) {
      if (disk.content.rows.get(slot)?.op_id !== row.op_id)
        broken("export", `the export of ${node.host} lacks ${row.op_id}`)
    }
    if (disk.content.rows.size !== content.rows.size)
      broken("export", `the export of ${node.host} has what the node has not`)

    const { store } = other
    if (store === undefined || other.disk.isFull) return
    // What was deleted here while the two were apart may be dropped: nothing tells of it then (`docs/tombstones.md`).
    const ours = other.disk.content.state.cut
    if (Cut.verdict(ours, Cut.toldOf(content.state.cut), node.nodeId) !== "admitted") return
    const limitOf = other.isSmall ? smallFrame : 8 * 1024 * 1024
    const taken = yield* other.here((yield* archiveOf(store, maxDrift, limitOf)).take(rows))
    const isRefused = new Set(taken.refused.map(({ index }) => index))
    const after = other.disk.content
    for (const [index, line] of rows.entries()) {
      const operation = Result.getOrThrow(Result.flatMap(parseExact(line, 64), fromWire))
      const isCollected = isTombstone(operation) && VectorClock.covers(after.state.cut.collected, operation.hlc)
      if (!isRefused.has(index) && !isCollected && !holds(after.rows, operation))
        broken("import", `${other.host} has imported no ${line}`)
    }
  },
  Effect.provideServiceEffect(Scope.Scope, Scope.make())
)
