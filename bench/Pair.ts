/** Two nodes: a full one and an empty one, or two that hold the same, under identities of their own. */
import { Effect } from "effect"
import { cpSync } from "node:fs"
import { renew } from "../src/services/store/SqliteIdentity.ts"
import { type Node, Nodes, until } from "../test/support/Nodes.ts"
import * as Rows from "./Rows.ts"

/** The first one runs; the second one, when it is started, dials it. */
export const equal = async (nodes: Nodes, rows: number, origins: number): Promise<readonly [Node, Node]> => {
  const a = nodes.make()
  await Rows.fill(a.home, rows, origins)
  const env: Record<string, string> = {}
  const b = nodes.make(env)
  cpSync(a.home, b.home, { recursive: true })
  await Effect.runPromise(renew(b.home))
  await a.start()
  env["FERAL_SYNC_PEERS"] = a.address
  return [a, b]
}

/** A node that holds so many notes of five origins, and runs. */
export const full = async (nodes: Nodes, count: number): Promise<Node> => {
  const a = nodes.make()
  await Rows.fill(a.home, count, 5)
  return a.start()
}

/** Waits until a node holds so many notes. */
export const holds = (node: Node, count: number, timeoutMs = 300_000) =>
  until(
    "everything is there",
    () => node.status(),
    ({ counts }) => counts.notes === count,
    timeoutMs
  )

/** Waits until `b` shows `a` as a peer with nothing on its way. */
export const met = (a: Node, b: Node) =>
  until(
    "they have met",
    () => b.status(),
    ({ peers }) => peers.some(({ node_id, state, lag_ops }) => node_id === a.id && state === "live" && lag_ops === 0),
    120_000
  )
