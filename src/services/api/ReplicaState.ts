/**
 * What `status` shows of a replica, whether its node runs or not.
 */
import { Effect, Option } from "effect"
import * as Digest from "../../core/Digest.ts"
import * as VectorClock from "../../core/VectorClock.ts"
import type { Settings } from "../Config.ts"
import type { NodeStatus } from "../Status.ts"
import { Store } from "../Store.ts"
import { version } from "../Version.ts"

/** The status of a node that does not run: what its database holds. */
export const stopped = Effect.fnUntraced(function* (settings: Pick<Settings, "tls" | "legacy">) {
  const { damage, node_id, vector_clock, digest, counts } = yield* read(yield* Store)
  return {
    ...damage,
    node_id,
    version,
    port: null,
    api_port: null,
    tls: Option.isSome(settings.tls) ? "ca" : "auto",
    legacy: settings.legacy,
    uptime_seconds: 0,
    vector_clock,
    digest,
    counts,
    discovery: { mdns: "off", static: "none" },
    peers: []
  } satisfies NodeStatus
})

/** What the store knows of it. */
export const read = Effect.fnUntraced(function* (store: Store["Service"]) {
  const { clock, digest } = yield* store.snapshot
  return {
    damage: Option.match(yield* store.damageFound, {
      onNone: () => ({}),
      onSome: ({ _tag, message }) => ({ damage: { _tag, message } })
    }),
    node_id: store.nodeId,
    vector_clock: VectorClock.toRecord(clock),
    digest: Digest.toText(digest),
    counts: yield* store.counts
  }
})
