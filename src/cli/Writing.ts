/**
 * What all writing commands do: they write, and say under which id. With `--wait-for` they wait until other nodes have
 * it.
 */
import { Clock, Effect } from "effect"
import type { Memory, Written } from "../services/memory/Memory.ts"
import { limits } from "../services/memory/Waiting.ts"
import type { Holder } from "../services/node/NodeFailure.ts"
import * as Access from "./Access.ts"
import { NodeNotRunning, WrongUsage } from "./Failure.ts"
import * as Fields from "./Fields.ts"
import * as Globals from "./Globals.ts"
import { ago, counted, oneLine, writeJson, writeLine } from "./Output.ts"

/** The flags of every command that writes rows. */
export const wait = {
  nodes: Fields.maybe(
    Fields.number(
      "wait-for",
      "K",
      "Wait until K other nodes have acknowledged the write",
      (value) => Number.isInteger(value) && value >= 1 && value <= limits.nodes,
      `a whole number from 1 to ${limits.nodes}`
    )
  ),
  timeout: Fields.maybe(
    Fields.number(
      "wait-timeout",
      "SECONDS",
      "How long to wait for them (default: 30)",
      (value) => value >= 0 && value <= limits.seconds,
      `a number of seconds, ${limits.seconds} at most`
    )
  )
}

export interface Wait {
  readonly nodes: number | undefined
  readonly timeout: number | undefined
}

/** A node that has the write, and who says so where it did not say so itself. */
const named =
  (now: number) =>
  ({ node, at, via }: Holder): string =>
    via === undefined
      ? oneLine(node)
      : `${oneLine(node)} (${ago(at * 1000, now)}, by way of ${oneLine(via.join(", "))})`

/**
 * Writes, and prints the id: as JSON, or in a sentence like `Added note <id>`. What changes a row that is there makes
 * no data directory: there is none in a new one. When the nodes are not there in time, the id is printed all the same:
 * the write is done.
 */
export const run = Effect.fn("Writing.run")(function* <E>(
  done: string,
  { nodes, timeout }: Wait,
  write: (memory: Memory["Service"]) => Effect.Effect<Written, E>,
  purpose: "change" | "write" = "write"
) {
  if (nodes === undefined && timeout !== undefined) {
    return yield* new WrongUsage({ problem: "--wait-timeout needs --wait-for" })
  }
  const { memory, home, isRunning } = yield* Access.open(purpose)
  // Before anything is written: without a node, no other one can answer.
  if (nodes !== undefined && !isRunning) return yield* new NodeNotRunning({ home })
  const { id, hlc } = yield* write(memory)
  const isJson = yield* Globals.Json
  const print = isJson ? writeJson({ id, hlc }) : writeLine(`${done} ${id}`)
  if (nodes === undefined) return yield* print
  const { reached } = yield* Effect.tapError(
    memory.waitFor({ hlc, nodes, ...(timeout === undefined ? {} : { timeout }) }),
    () => print
  )
  yield* isJson
    ? writeJson({ id, hlc, reached })
    : writeLine(
        `${done} ${id}, on ${counted(reached.length, "other node")}: ${reached.map(named(yield* Clock.currentTimeMillis)).join(", ")}`
      )
}, Effect.scoped)
