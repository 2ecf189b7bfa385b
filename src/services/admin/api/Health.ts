/**
 * Whether the node can do its work: a few checks, none of which shows anything of the memory.
 */
import { Effect, Option } from "effect"
import { HttpServerResponse } from "effect/http"
import { Peers } from "../../peers/Peers.ts"
import { Store } from "../../store/Store.ts"

export interface Check {
  readonly name: string
  readonly isGood: boolean
  readonly detail: string
}

/** The checks, made anew each time. */
export const make = Effect.gen(function* () {
  const store = yield* Store
  const peers = yield* Peers
  return Effect.gen(function* () {
    const damage = yield* store.damageFound
    const read = yield* Effect.result(store.counts)
    const { mdns, static: listed } = yield* peers.discovery
    const checks: ReadonlyArray<Check> = [
      { name: "process", isGood: true, detail: "answers" },
      {
        name: "store",
        isGood: Option.isNone(damage) && read._tag === "Success",
        detail: Option.match(damage, {
          onSome: ({ message }) => message,
          onNone: () => (read._tag === "Success" ? "can be read" : read.failure.message)
        })
      },
      { name: "listener", isGood: true, detail: `port ${peers.port}` },
      // A node without discovery still takes connections.
      { name: "discovery", isGood: true, detail: `mDNS ${mdns}, static peers ${listed}` }
    ]
    return checks
  })
})

/** 200 when all is good, else 503. In words, or a line for each check. */
export const answer = (checks: ReadonlyArray<Check>, isVerbose: boolean) => {
  const isGood = checks.every((check) => check.isGood)
  const lines = checks.map((check) => `${check.isGood ? "ok  " : "fail"} ${check.name}: ${check.detail}`)
  const text = isVerbose ? [...lines, isGood ? "ready" : "not ready"].join("\n") : isGood ? "ready" : "not ready"
  return HttpServerResponse.text(`${text}\n`, { status: isGood ? 200 : 503 })
}
