/** The kinds that applications have declared to a store. */
import { Effect } from "effect"
import { parseName } from "../../core/replica/Kind.ts"
import { KindMismatch } from "../node/NodeFailure.ts"
import type { Backend } from "./Backend.ts"
import type { Committing } from "./Committing.ts"
import type * as Opaque from "./Opaque.ts"
import * as StoreState from "./StoreState.ts"

/** What is called here holds the lock of the store. */
export const make = (backend: Backend, committing: Committing) => {
  /** Declares kinds, of which some are new or have other columns. */
  const declare = Effect.fnUntraced(function* (all: Opaque.Declared) {
    const fresh = [...all.keys()].filter((kind) => !committing.state.declared.has(kind))
    const gone = [...committing.state.declared.keys()].filter((kind) => !all.has(kind))
    yield* committing.commitState(
      StoreState.declare(committing.state, all, yield* backend.usageOf(fresh), yield* backend.usageOf(gone))
    )
  })

  const isDeclared = ([kind, columns]: readonly [string, ReadonlyArray<string>]) =>
    committing.state.declared.get(kind)?.join("\0") === columns.join("\0")

  /** Fails for a kind that is new here while there are rows of the same name with another rule. */
  const checkRules = Effect.fnUntraced(function* (kinds: Opaque.Declared) {
    const there = yield* backend.kinds
    for (const table of kinds.keys()) {
      const kind = parseName(table)
      if (kind === undefined || committing.state.declared.has(table)) continue
      const { name, rule } = kind
      const others = there.flatMap((other) => {
        const one = parseName(other)
        return one?.name === name && one.rule !== rule ? [one.rule] : []
      })
      if (others.length > 0) return yield* new KindMismatch({ kind: name, declared: rule, held: others })
    }
  })

  const declareMore = Effect.fnUntraced(function* (kinds: Opaque.Declared) {
    if ([...kinds].every(isDeclared)) return
    yield* checkRules(kinds)
    yield* declare(new Map([...committing.state.declared, ...kinds]))
  })

  /** An application that was here has gone. */
  const withdraw = (kind: string) =>
    declare(new Map([...committing.state.declared].filter(([other]) => other !== kind)))

  return { declareMore, withdraw }
}
