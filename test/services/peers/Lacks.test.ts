/** What `status` says of each side: from the sessions that run, and from what was acknowledged before. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, HashMap } from "effect"
import type { Acknowledgement } from "../../../src/core/replica/Acknowledgement.ts"
import * as Digest from "../../../src/core/replica/Digest.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import * as VectorClock from "../../../src/core/replica/VectorClock.ts"
import type { View } from "../../../src/core/sync/SessionEvents.ts"
import { withLacks } from "../../../src/services/peers/Lacks.ts"
import { peerStatus } from "../../support/Statuses.ts"

const us = NodeId.make("us")
const them = NodeId.make("them")

const view: View = {
  peer: them,
  aliveAt: 0,
  provedAt: 0,
  state: "live",
  lag: 0,
  offset: 0,
  lastSyncAt: 1,
  isComplete: true,
  deferred: HashMap.empty(),
  deferredOwn: undefined,
  leftOut: undefined,
  diverged: false,
  repair: undefined
}

const acknowledged: Acknowledgement = {
  node: them,
  clock: VectorClock.empty,
  seenAt: 1,
  agreed: VectorClock.empty,
  agreedAt: undefined
}

/** The peer, as a node with seven rows that were not acknowledged shows it. */
const shown = (acknowledgements: ReadonlyArray<Acknowledgement>, session: Partial<View> | undefined) =>
  Effect.map(
    withLacks(
      {
        nodeId: us,
        snapshot: Effect.succeed({
          version: 0,
          vectorClock: VectorClock.empty,
          frontier: VectorClock.empty,
          digest: Digest.empty,
          holdings: HashMap.empty(),
          purges: HashMap.empty()
        }),
        acknowledgements: Effect.succeed(acknowledgements),
        countBeyond: (_, most) => Effect.succeed(Math.min(7, most))
      },
      {
        entries: new Map(session && [[1, { running: { view: () => ({ ...view, ...session }) } }]]),
        lost: new Map()
      },
      [peerStatus(them)]
    ),
    ([row]) => row?.it_lacks
  )

describe("what a peer lacks", () => {
  it.effect("is what its session says, also before anything that it acknowledged is stored", () =>
    Effect.gen(function* () {
      for (const stored of [[], [acknowledged]]) {
        assert.deepStrictEqual(yield* shown(stored, { lag: 0 }), { operations: 0 })
        assert.deepStrictEqual(yield* shown(stored, { lag: 3 }), { operations: 3 })
      }
    })
  )

  it.effect("is counted from its last word without a session that knows", () =>
    Effect.gen(function* () {
      for (const session of [undefined, { lag: undefined }]) {
        assert.deepStrictEqual(yield* shown([acknowledged], session), { operations: 7 })
        assert.isUndefined(yield* shown([], session))
      }
    })
  )
})
