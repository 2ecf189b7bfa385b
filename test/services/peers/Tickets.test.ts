/** The tickets of other nodes: kept by node and by address, over restarts, and never a reason to fail. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { deriveKey, ticketOf } from "../../../src/core/sync/Handshake.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import { Config } from "../../../src/services/node/Config.ts"
import * as Tickets from "../../../src/services/peers/Tickets.ts"
import { directory } from "../../support/Directory.ts"

const key = deriveKey("secret")
const ticket = (member: string) => Redacted.make(ticketOf(key, member))
const address = { host: "192.0.2.7", port: 9090 }
const elsewhere = { host: "192.0.2.8", port: 9090 }
const node = NodeId.make("node")

const inHome = (home: string) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(
      Layer.fresh(Tickets.layerFile).pipe(Layer.provide(Layer.succeed(Config, Config.make({ home }))))
    )
    return yield* Effect.provide(Tickets.make, context)
  })

const shown = (found: Redacted.Redacted<string> | undefined) => found && Redacted.value(found)

describe("Tickets", () => {
  it.effect("are found by node, else by the address where it was dialled", () =>
    Effect.gen(function* () {
      const tickets = yield* Tickets.make
      yield* tickets.keep(node, address, ticket("a"))
      assert.strictEqual(shown(tickets.of(node, elsewhere)), shown(ticket("a")))
      assert.strictEqual(shown(tickets.of(undefined, address)), shown(ticket("a")))
      assert.isUndefined(tickets.of(undefined, elsewhere))
      assert.isUndefined(tickets.of(NodeId.make("another"), elsewhere))
      // Who came in is known by its id alone.
      yield* tickets.keep(NodeId.make("inbound"), undefined, ticket("b"))
      assert.strictEqual(shown(tickets.of(NodeId.make("inbound"), elsewhere)), shown(ticket("b")))
    })
  )

  it.effect("outlive the process, in a file for this user alone, which is written when something is new", () =>
    Effect.gen(function* () {
      const home = yield* directory
      const file = join(home, "tickets")
      const tickets = yield* inHome(home)
      yield* tickets.keep(node, address, ticket("a"))
      assert.strictEqual(statSync(file).mode & 0o777, 0o600)
      const again = yield* inHome(home)
      assert.strictEqual(shown(again.of(node, elsewhere)), shown(ticket("a")))
      const { ino } = statSync(file)
      yield* again.keep(node, address, ticket("a"))
      assert.strictEqual(statSync(file).ino, ino)
      yield* again.keep(node, address, ticket("b"))
      assert.include(readFileSync(file, "utf8"), shown(ticket("b")) ?? "no ticket")
    })
  )

  it.effect("no file is a failure: not one of garbage, of too much, a directory, or one that cannot be written", () =>
    Effect.gen(function* () {
      const spoilers: ReadonlyArray<(file: string) => void> = [
        () => {},
        (file) => writeFileSync(file, "\xff garbage"),
        (file) => writeFileSync(file, '[["node x","no ticket"],[1]]'),
        (file) => writeFileSync(file, " ".repeat(2 * 1024 * 1024)),
        (file) => mkdirSync(join(file, "x"), { recursive: true }),
        (file) => chmodSync(join(file, ".."), 0o500)
      ]
      for (const spoil of spoilers) {
        const home = yield* directory
        spoil(join(home, "tickets"))
        const tickets = yield* inHome(home)
        assert.isUndefined(tickets.of(node, address))
        yield* tickets.keep(node, address, ticket("a"))
        assert.strictEqual(shown(tickets.of(node, address)), shown(ticket("a")))
        chmodSync(home, 0o700)
      }
    })
  )

  it.effect("are bounded: those that were given longest ago are forgotten", () =>
    Effect.gen(function* () {
      const tickets = yield* Tickets.make
      for (let n = 0; n < 1_100; n++) yield* tickets.keep(NodeId.make(`${n}`), undefined, ticket("a"))
      assert.isUndefined(tickets.of(NodeId.make("0"), address))
      assert.isDefined(tickets.of(NodeId.make("1099"), address))
    })
  )
})
