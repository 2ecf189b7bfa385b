/** Attacks on the channel itself: real TLS, with somebody in the middle of it or with what was recorded there. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue, type Scope } from "effect"
import type { PeerStatus } from "../../../src/services/node/Status.ts"
import { closeCodes } from "../../../src/core/sync/Wire.ts"
import { greeting, intruder, middleman } from "../../support/Attackers.ts"
import { keyOf, type Running, startOnSocket } from "../../support/Members.ts"

const live = (name: string, test: Effect.Effect<unknown, unknown, Scope.Scope>) =>
  it.live(name, () => Effect.scoped(test).pipe(Effect.timeout("30 seconds"), Effect.asVoid), 40_000)

const address = ({ port }: Running) => ({ host: "127.0.0.1", port })

/** Waits until a node shows a peer that is as it should be. */
const shows = (running: Running, predicate: (peer: PeerStatus) => boolean) =>
  running.status.pipe(
    Effect.delay("20 millis"),
    Effect.repeat({ until: (peers) => peers.some(predicate) }),
    Effect.timeout("10 seconds")
  )

const secret = "the secret of both"

describe("a man in the middle who ends TLS on both sides", () => {
  live(
    "cannot pass on the proofs: both sides notice, and he sees nothing of the memory",
    Effect.gen(function* () {
      const server = yield* startOnSocket("server", [])
      const man = yield* middleman(address(server))
      const dialler = yield* startOnSocket("dialler", [man.at])
      yield* Effect.all([server.write(secret), dialler.write(secret)])
      yield* shows(server, ({ last_error }) => last_error?._tag === "PassphraseMismatch")
      yield* shows(dialler, ({ last_error }) => last_error?._tag === "PassphraseMismatch")
      // He did read what they said, and it did go through him.
      assert.include(man.seen.fromDialler, "sync_request")
      assert.include(man.seen.fromServer, "invalid_passphrase")
      for (const text of [man.seen.fromDialler, man.seen.fromServer]) {
        assert.notInclude(text, secret)
        assert.notInclude(text, "sync_data")
      }
      assert.notInclude(man.seen.fromServer, "sync_response")
      for (const running of [server, dialler]) assert.deepStrictEqual(yield* running.rows, [secret])
      // Without him the same two get on at once.
      const direct = yield* startOnSocket("direct", [address(server)])
      yield* shows(direct, ({ state }) => state === "live")
      assert.deepStrictEqual(yield* direct.rows, [secret])
    })
  )
})

describe("a proof that was recorded", () => {
  live(
    "is worth nothing on a second connection, with the same nonce and to the same server",
    Effect.gen(function* () {
      const server = yield* startOnSocket("server", [])
      yield* server.write(secret)
      const nonce = "n".repeat(43)
      const first = yield* intruder(address(server), nonce)
      const recorded = greeting(first, keyOf("secret"))
      yield* first.send(recorded)
      assert.include(yield* Queue.take(first.texts), "sync_response")
      const second = yield* intruder(address(server), nonce)
      yield* second.send(recorded)
      const answer = yield* Queue.take(second.texts)
      assert.include(answer, '"reason":"invalid_passphrase"')
      assert.strictEqual(yield* second.closed, closeCodes.invalid_passphrase)
      assert.strictEqual(Queue.sizeUnsafe(second.texts), 0)
    })
  )
})
