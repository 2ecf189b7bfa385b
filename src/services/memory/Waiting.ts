/**
 * Waits until other nodes have a write: until they have acknowledged that they have committed it, or one that wins over
 * it.
 *
 * What counts is what each node said itself, when it was last connected to this one, and what peers tell of the nodes
 * that they meet (`core/replica/Relayed.ts`). Each answer has the time of that word, and the nodes that it went
 * through.
 */
import { Duration, Effect, Option, Schema } from "effect"
import * as Acknowledgement from "../../core/replica/Acknowledgement.ts"
import * as Hlc from "../../core/replica/Hlc.ts"
import { Kind as KindName } from "../../core/replica/Operation.ts"
import { type Holder, NotYetOnNodes, QueryInvalid, RowNotFound } from "../node/NodeFailure.ts"
import * as Inputs from "./Inputs.ts"
import type { Store } from "../store/Store.ts"
import { wrong } from "./Reads.ts"

/** How long may be waited at most (seconds), and for how many nodes. */
export const limits = { seconds: 3_000, nodes: 1_000 } as const

/** A write: by its HLC as text, or the last one of a row. `timeout` is in seconds; 30 by default. */
export const WaitInput = Schema.Struct({
  hlc: Schema.optionalKey(Schema.String),
  kind: Schema.optionalKey(Schema.String),
  id: Schema.optionalKey(Schema.String),
  nodes: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: limits.nodes })),
  timeout: Schema.optionalKey(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: limits.seconds })))
})
export interface WaitInput extends Schema.Schema.Type<typeof WaitInput> {}

const decode = Inputs.decoded(WaitInput)

type Reader = Pick<Store["Service"], "nodeId" | "get" | "acknowledgements" | "listen" | "relays">

export const make = (store: Reader) => {
  /** The write that is meant. */
  const find = Effect.fnUntraced(function* ({ hlc, kind, id }: WaitInput) {
    const named = hlc === undefined ? undefined : Option.getOrUndefined(Hlc.fromText(hlc))
    if (named !== undefined) return named
    if (hlc !== undefined) return yield* wrong("hlc", "is not <wall_ms>:<counter>:<node_id>")
    if (kind === undefined || id === undefined)
      return yield* wrong("", "needs the hlc of a write, or the kind and id of a row")
    const row = Schema.is(KindName)(kind) ? yield* store.get(kind, id) : Option.none()
    return Option.isSome(row) ? row.value.hlc : yield* new RowNotFound({ kind, id })
  })

  const look = Effect.fnUntraced(function* (hlc: Hlc.Hlc) {
    const known = (yield* store.acknowledgements)
      .filter(({ node }) => node !== store.nodeId)
      .toSorted((a, b) => b.seenAt - a.seenAt)
    const holders = new Set(Acknowledgement.holdersOf(known, hlc))
    const seen = new Map(known.map(({ node, seenAt }) => [node, seenAt]))
    // The later word counts: a node that was restored may not have any more what it had.
    const relayed = [...(yield* store.relays.holders(hlc)).values()].filter(
      ({ node, at }) => node !== store.nodeId && !holders.has(node) && at > (seen.get(node) ?? -Infinity)
    )
    const all = new Set([...holders, ...relayed.map(({ node }) => node)])
    const direct = known.map(({ node, seenAt }): Holder => ({ node, at: seenAt / 1000 }))
    const reached = [
      ...direct.filter(({ node }) => holders.has(node)),
      ...relayed.map(({ node, at, via }): Holder => ({ node, at: at / 1000, via }))
    ]
    return {
      reached: reached.toSorted((a, b) => b.at - a.at),
      missing: direct.filter(({ node }) => !all.has(node))
    }
  })

  return Effect.fn("Memory.waitFor")(function* (given: WaitInput) {
    const input = yield* Effect.mapError(decode(given), (problems) => new QueryInvalid({ problems }))
    const hlc = yield* find(input)
    // First of all: no word after the look is missed.
    const heard = yield* store.listen
    yield* store.relays.ask(hlc)
    const enough = Effect.gen(function* () {
      for (;;) {
        const found = yield* look(hlc)
        if (found.reached.length >= input.nodes) return found
        yield* heard
      }
    })
    return yield* Effect.timeoutOrElse(enough, {
      duration: Duration.seconds(input.timeout ?? 30),
      orElse: () =>
        Effect.flatMap(look(hlc), (found) => new NotYetOnNodes({ hlc: Hlc.toText(hlc), wanted: input.nodes, ...found }))
    })
  }, Effect.scoped)
}
