/**
 * An existing FERAL node in the simulated network: it serves one exchange for each connection, and dials now and then.
 */
import { Effect, Queue } from "effect"
import type { Address } from "../../src/core/peers/Address.ts"
import * as V1Wire from "../../src/core/sync/v1/V1Wire.ts"
import type { Connection } from "../../src/services/transport/Transport.ts"
import { MemoryNetwork } from "../../src/services/transport/MemoryNetwork.ts"
import type { OldNode } from "../support/OldNode.ts"

/** How often it dials each of those it knows, in ms. */
const dialEvery = 20_000

const next = (connection: Connection) =>
  Effect.gen(function* () {
    for (;;) {
      const incoming = yield* Queue.take(connection.incoming)
      if (incoming._tag === "Frame") return incoming.text
    }
  }).pipe(Effect.timeout("5 seconds"))

const takeAll = Effect.fnUntraced(function* (node: OldNode, connection: Connection) {
  while (node.take(yield* next(connection))) continue
})

/** Its part when it was dialled: hears the greeting, answers, takes, sends, ends. */
const serve = Effect.fnUntraced(function* (node: OldNode, connection: Connection) {
  const asked = V1Wire.decode(yield* next(connection))
  if (asked._tag === "Failure" || asked.success.type !== "sync_request") return
  yield* connection.send(node.greeting("sync_response"))
  yield* takeAll(node, connection)
  const frames = node.data(node.lackedBy(asked.success.nodeId, asked.success.clock))
  yield* Effect.forEach(frames, (frame) => connection.send(frame))
})

/** Its part when it dials. */
const exchange = Effect.fnUntraced(function* (node: OldNode, passphrase: string, connection: Connection) {
  yield* connection.send(node.greeting("sync_request", passphrase))
  const answer = V1Wire.decode(yield* next(connection))
  if (answer._tag === "Failure" || answer.success.type !== "sync_response") return
  const frames = node.data(node.lackedBy(answer.success.nodeId, answer.success.clock))
  yield* Effect.forEach(frames, (frame) => connection.send(frame))
  yield* takeAll(node, connection)
})

/** Runs it until the scope closes. */
export const run = Effect.fnUntraced(function* (
  node: OldNode,
  host: string,
  dials: ReadonlyArray<Address>,
  passphrase: string
) {
  const network = yield* MemoryNetwork
  const terms = { host, form: 1, maxRecvBytes: 16 * 1024 * 1024 } as const
  yield* network.listen(terms, 1, (connection) => Effect.ignore(serve(node, connection))).pipe(Effect.orDie)
  for (const address of dials) {
    const once = network.dial(terms, address).pipe(
      Effect.flatMap((connection) => exchange(node, passphrase, connection)),
      Effect.scoped,
      Effect.ignore
    )
    yield* once.pipe(Effect.andThen(Effect.sleep(dialEvery)), Effect.forever, Effect.forkScoped)
  }
})
