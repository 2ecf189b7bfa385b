/** What the log says of connections that end. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Logger, References } from "effect"
import { TestClock } from "effect/testing"
import { mdnsKey, staticKey } from "../../../src/core/peers/Candidate.ts"
import * as Roster from "../../../src/core/peers/Roster.ts"
import { PassphraseMismatch } from "../../../src/core/sync/SyncFailure.ts"
import { HlcClock } from "../../../src/services/node/HlcClock.ts"
import * as Connections from "../../../src/services/peers/Connections.ts"
import * as Endings from "../../../src/services/peers/Endings.ts"
import * as PeerTable from "../../../src/services/peers/PeerTable.ts"
import { pace } from "../../../src/services/peers/UnprovedLog.ts"
import { node } from "../../support/Network.ts"

const [before] = Roster.initial({ self: node("us"), mdns: true, mdnsTimeout: 30_000, interval: 30_000, peers: [] }, 0)
const member = { host: "10.0.0.5", port: 9090 }
const other = { host: "10.0.0.6", port: 9090 }
const steps: ReadonlyArray<Roster.Event> = [
  { _tag: "Appeared", now: 0, node: node("member"), addresses: [member], protocol: 2 },
  { _tag: "Listed", now: 0, address: member },
  { _tag: "Established", now: 0, link: 1, node: node("member"), key: mdnsKey(node("member")), form: 2 },
  { _tag: "Established", now: 0, link: 2, node: node("other"), key: undefined, host: other.host, form: 2 }
]
const roster = steps.reduce((next, event) => Roster.step(next, event)[0], before)

const failure = new PassphraseMismatch({ by: "this node" })

/** The endings of a node, and the lines that are logged. */
const make = Effect.gen(function* () {
  const over = {
    table: PeerTable.make(),
    connections: Connections.make(),
    roster: () => roster,
    notify: () => Effect.void
  }
  return yield* Endings.make(over)
})

const logged = <A, E, R>(test: (lines: Array<string>) => Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message, fiber }) =>
    lines.push(`${String(message)} ${JSON.stringify(fiber.getRef(References.CurrentLogAnnotations))}`)
  )
  return test(lines).pipe(Effect.provide([HlcClock.layer, Logger.layer([logger])]), Effect.scoped)
}

describe("the log", () => {
  it.effect("is not flooded by peers that have not proved themselves, whatever their addresses are", () =>
    logged((lines) =>
      Effect.gen(function* () {
        const { report, ended } = yield* make
        for (let index = 0; index < 10_000; index++) {
          const remote = { host: `127.1.${index >> 8}.${index & 255}`, port: 1 }
          if (index % 2 === 0) yield* report(PeerTable.incomingKey(remote.host), remote, failure)
          else yield* ended(index + 10, mdnsKey(node(`made-up-${index}`)), remote, Exit.fail(failure))
        }
        assert.lengthOf(lines, pace.burst)
        // Members and the list of the user are heard of all the same.
        yield* ended(2, undefined, other, Exit.fail(failure))
        yield* ended(3, staticKey(member), member, Exit.fail(failure))
        yield* ended(4, mdnsKey(node("member")), member, Exit.fail(failure))
        assert.lengthOf(lines, pace.burst + 3)
        yield* TestClock.adjust(pace.every)
        assert.lengthOf(lines, pace.burst + 4)
        assert.include(lines.at(-1), `"lines":${10_000 - pace.burst},"addresses":"1024 or more"`)
        yield* TestClock.adjust(1_000_000)
        assert.lengthOf(lines, pace.burst + 4)
      })
    )
  )

  it.effect("counts the addresses of one IPv6 network as one", () =>
    logged((lines) =>
      Effect.gen(function* () {
        const { report } = yield* make
        for (let index = 0; index < 100; index++) {
          const remote = { host: `2001:db8::${index.toString(16)}`, port: 1 }
          yield* report(PeerTable.incomingKey(remote.host), remote, failure)
        }
        yield* TestClock.adjust(pace.every)
        assert.lengthOf(lines, pace.burst + 1)
        assert.include(lines.at(-1), `"lines":${100 - pace.burst},"addresses":1`)
      })
    )
  )
})
