/** What a machine can say before it has proved the passphrase: as a frame, as a close, as a TLS alert, as a sighting. */
import { Effect } from "effect"
import { createServer } from "node:net"
import type { Address } from "../../src/core/peers/Address.ts"
import { NodeId } from "../../src/core/replica/NodeId.ts"
import { closeCodes } from "../../src/core/sync/Wire.ts"
import type { Sighting } from "../../src/services/discovery/Discovery.ts"
import type { Connection } from "../../src/services/transport/Transport.ts"
import { MemoryNetwork } from "../../src/services/transport/MemoryNetwork.ts"
import { listen } from "./Attackers.ts"

export const error = (fields: object) => JSON.stringify({ type: "sync_error", message: "", ...fields })
const zeros = "A".repeat(43)

/** What a stranger sends, and the code with which it closes; without one it waits for the other side. */
export type Saying = readonly [name: string, text: string | undefined, code: number | undefined]

export const sayings: ReadonlyArray<Saying> = [
  ...[0, 1, 60, 3_600, 999_999, Number.MAX_SAFE_INTEGER].map((retry_after): Saying => [
    `wait ${retry_after} s`,
    error({ reason: "rate_limited", retry_after }),
    undefined
  ]),
  ["wait, and not how long", error({ reason: "rate_limited" }), closeCodes.rate_limited],
  ["wait for a negative time", error({ reason: "rate_limited", retry_after: -1 }), closeCodes.rate_limited],
  ["wait for no number", error({ reason: "rate_limited", retry_after: "long" }), closeCodes.rate_limited],
  ...Object.entries(closeCodes).map(([reason, code]): Saying => [`refused: ${reason}`, error({ reason }), code]),
  ["refused for a reason of its own", error({ reason: "x", message: "\u001b[2Jgo away\u0000" }), undefined],
  ["an empty refusal", error({}), undefined],
  ...[1000, 1001, 1002, 1003, 1005, 1006, 1008, 1009, 1011, 1012, 1013, 3000, 4999, ...Object.values(closeCodes)].map(
    (code): Saying => [`closed with ${code}`, undefined, code]
  ),
  ["no JSON", "{", undefined],
  ["a frame of operations", JSON.stringify({ type: "sync_data", seq: 0, more: false, changes: [] }), undefined],
  [
    "a proof that does not hold",
    JSON.stringify({ type: "sync_response", node_id: "b", vector_clock: {}, proof: zeros }),
    undefined
  ]
]

/** The stranger's machine; how often it was dialled, and when. */
export const stranger = Effect.fnUntraced(function* ([, text, code]: Saying) {
  const network = yield* MemoryNetwork
  const visits: Array<number> = []
  yield* network.listen({ host: "stranger", form: 2, maxRecvBytes: 1_000_000 }, 1, (connection: Connection) =>
    Effect.gen(function* () {
      visits.push(yield* Effect.clockWith((clock) => clock.currentTimeMillis))
      if (text !== undefined) yield* Effect.ignore(connection.send(text))
      if (code !== undefined) yield* connection.close(code, "")
      yield* listen(connection)
    })
  )
  return visits
})

/** A node, as discovery shows it. */
export const appeared = (id: string, addresses: ReadonlyArray<Address>): Sighting => ({
  _tag: "Appeared",
  nodeId: NodeId.make(id),
  addresses,
  protocol: 2
})

/**
 * handshake_failure, bad_certificate, certificate_expired, unknown_ca, protocol_version, internal_error, certificate_required.
 */
export const alerts = [40, 42, 45, 48, 70, 80, 116] as const

/** A port that answers every connection with one fatal alert. */
export const alerting = (alert: number) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly close: () => void; readonly visits: () => number }>((resume) => {
      let visits = 0
      const server = createServer((socket) => {
        visits++
        socket.on("error", () => {})
        socket.once("data", () => socket.end(Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, alert])))
      })
      server.listen(0, "127.0.0.1", () => {
        const bound = server.address()
        const port = bound !== null && typeof bound === "object" ? bound.port : 0
        resume(Effect.succeed({ port, close: () => server.close(), visits: () => visits }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )
