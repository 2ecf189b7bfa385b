/** The life of sockets and links, over a network that fails when it is told to, in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, PubSub, Queue, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { formatAddress } from "../../../src/core/peers/Address.ts"
import type { Link } from "../../../src/core/discovery/Link.ts"
import { packetOf, type Packet } from "../../../src/core/discovery/DnsRecord.ts"
import { serviceType } from "../../../src/core/discovery/ServiceRecords.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import * as MdnsRuntime from "../../../src/services/discovery/MdnsRuntime.ts"
import { MdnsUnavailable } from "../../../src/services/node/NodeFailure.ts"
import { linkOf } from "../../support/DnsSdWorld.ts"

const announcement = { nodeId: NodeId.make("me"), port: 9090 }

/** A network whose links and failures are set by hand. */
const fakeNetwork = (...links: ReadonlyArray<Link>) => {
  const sent: Array<{ readonly link: string; readonly packet: Packet }> = []
  const open = new Map<string, MdnsRuntime.Handlers>()
  const world = {
    sent,
    open,
    links,
    /** Links whose sockets cannot be opened, cannot send, or never say that they have sent. */
    closed: new Set<string>(),
    unreachable: new Set<string>(),
    mute: new Set<string>(),
    opens: 0
  }
  const network: MdnsRuntime.Network = {
    port: 5353,
    links: Effect.suspend(() =>
      world.links.length === 0 ? new MdnsUnavailable({ detail: "no links" }) : Effect.succeed(world.links)
    ),
    open: (link, handlers) =>
      Effect.suspend(() => {
        world.opens++
        if (world.closed.has(link.key)) return new MdnsUnavailable({ detail: `${link.key} is closed` })
        assert.isFalse(open.has(link.key), "opened twice")
        open.set(link.key, handlers)
        return Effect.succeed({
          send: ({ packet }: { readonly packet: Packet }, done: (error: Error | undefined) => void) => {
            assert.isTrue(open.has(link.key), "sent through a closed socket")
            if (world.mute.has(link.key)) return
            if (world.unreachable.has(link.key)) return done(new Error("ENETUNREACH"))
            sent.push({ link: link.key, packet })
            done(undefined)
          },
          close: Effect.sync(() => void open.delete(link.key))
        })
      })
  }
  return { ...world, world, network }
}

/** Runs a carrier; `seen` takes what was seen so far, as text. */
const running = Effect.fnUntraced(function* (network: MdnsRuntime.Network) {
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const doubts = yield* PubSub.dropping<NodeId>(16)
  const stream = yield* Scope.provide(MdnsRuntime.run(network, "10 seconds", announcement, doubts), scope)
  const texts: Array<string> = []
  const watching = yield* Stream.runForEach(stream, (sighting) =>
    Effect.sync(() => {
      const detail =
        sighting._tag === "Unavailable"
          ? ` ${sighting.error.detail}`
          : "nodeId" in sighting
            ? ` ${sighting.nodeId}`
            : sighting._tag === "Duplicated"
              ? ` ${formatAddress(sighting.address)}`
              : ""
      texts.push(`${sighting._tag}${detail}`)
    })
  ).pipe(Effect.forkChild)
  // The first packet leaves within 120 ms.
  yield* TestClock.adjust("120 millis")
  return { scope, watching, doubts, seen: () => texts.splice(0) }
})

const [one, two] = [linkOf(1, 0), linkOf(1, 1)]

describe("Carrier", () => {
  it.effect("is available when a packet has left, on every link", () =>
    Effect.gen(function* () {
      const { network, sent } = fakeNetwork(one, two)
      const { seen } = yield* running(network)
      assert.deepStrictEqual(seen(), ["Available"])
      assert.deepStrictEqual([...new Set(sent.map(({ link }) => link))], [one.key, two.key])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(seen(), [])
      const announced = sent.filter(({ link, packet }) => link === one.key && packet.kind === "response")
      assert.strictEqual(announced.length, 3)
    })
  )

  it.effect("is unavailable at once without a link, says so once, and is available when there is one", () =>
    Effect.gen(function* () {
      const { network, world, sent } = fakeNetwork()
      const { seen } = yield* running(network)
      assert.deepStrictEqual(seen(), ["Unavailable no links"])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(seen(), [])
      world.links = [one]
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(seen(), ["Available"])
      assert.isAbove(sent.length, 0)
      world.links = []
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(seen(), ["Unavailable no links"])
      assert.strictEqual(world.open.size, 0)
    })
  )

  it.effect("is unavailable when no socket opens, and tries again every ten seconds", () =>
    Effect.gen(function* () {
      const { network, world } = fakeNetwork(one)
      world.closed.add(one.key)
      const { seen } = yield* running(network)
      assert.deepStrictEqual(seen(), [`Unavailable ${one.key} is closed`])
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(world.opens, 6)
      assert.deepStrictEqual(seen(), [])
      world.closed.clear()
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(seen(), ["Available"])
    })
  )

  it.effect("a link that breaks is made anew; discovery is unavailable only when all are broken", () =>
    Effect.gen(function* () {
      const { network, world } = fakeNetwork(one, two)
      const { seen } = yield* running(network)
      assert.deepStrictEqual(seen(), ["Available"])
      world.open.get(one.key)?.failed(new Error("ENODEV"))
      world.closed.add(one.key)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual([...world.open.keys()], [two.key])
      world.unreachable.add(two.key)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(seen(), [`Unavailable ${two.key}: ENETUNREACH`])
      // It opens, but nothing leaves: that is no change, and no noise.
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(seen(), [])
      world.unreachable.clear()
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(seen(), ["Available"])
      world.closed.clear()
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual([...world.open.keys()].sort(), [one.key, two.key].sort())
      assert.deepStrictEqual(seen(), [])
    })
  )

  it.effect("an address that comes to an interface is announced, without a new socket", () =>
    Effect.gen(function* () {
      const { network, world, sent } = fakeNetwork(one)
      yield* running(network)
      yield* TestClock.adjust("5 seconds")
      sent.length = 0
      world.links = [{ ...one, addresses: [...one.addresses, "fd00::1"] }]
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(world.opens, 1)
      assert.isTrue(sent.some(({ packet }) => packet.answers.some((record) => record.type === "AAAA")))
    })
  )

  it.effect("packets are taken on the link that their sender is on, and on no other", () =>
    Effect.gen(function* () {
      const { network, world, sent } = fakeNetwork(one, two)
      yield* running(network)
      yield* TestClock.adjust("5 seconds")
      sent.length = 0
      const packet = packetOf("query", { questions: [{ name: `feral-me.${serviceType}`, type: "TXT" }] })
      // Each socket hears it, as on Linux.
      for (const handlers of world.open.values()) handlers.packet(packet, { address: "10.0.1.77", port: 5353 })
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(
        sent.map(({ link }) => link),
        [two.key]
      )
    })
  )

  it.effect("more packets than can be looked at are dropped, and the rest is looked at", () =>
    Effect.gen(function* () {
      const { network, world } = fakeNetwork(one)
      const { seen } = yield* running(network)
      seen()
      const handlers = world.open.get(one.key)
      for (let index = 0; index < 5000; index++) {
        const [name, target] = [`feral-${index}.${serviceType}`, `h${index}.local`]
        const common = { ttl: 120, flush: false }
        handlers?.packet(
          packetOf("response", {
            answers: [
              { ...common, type: "PTR", name: serviceType, target: name },
              { ...common, type: "SRV", name, port: 4001, target },
              { ...common, type: "TXT", name, strings: [] },
              { ...common, type: "A", name: target, address: "10.0.0.2" }
            ]
          }),
          // More than one sender may announce.
          { address: `10.0.0.${2 + (index % 200)}`, port: 5353 }
        )
      }
      // Long enough for all of them to be looked at, were they not dropped.
      for (let turn = 0; turn < 400; turn++) {
        yield* TestClock.adjust("50 millis")
        for (let step = 0; step < 25; step++) yield* Effect.yieldNow
      }
      const appeared = seen()
      assert.strictEqual(appeared.length, 512)
      assert.strictEqual(appeared[0], "Appeared 0")
    })
  )

  it.effect("a machine that slept announces itself anew, and looks for others", () =>
    Effect.gen(function* () {
      const { network, sent } = fakeNetwork(one)
      const clock = yield* Clock.Clock
      let slept = 0
      const day: Clock.Clock = {
        ...clock,
        sleep: (duration) => clock.sleep(duration),
        currentTimeMillis: Effect.map(clock.currentTimeMillis, (millis) => millis + slept)
      }
      yield* Effect.provideService(running(network), Clock.Clock, day)
      yield* TestClock.adjust("1 minute")
      sent.length = 0
      slept = 4_000
      yield* TestClock.adjust("30 seconds")
      // A clock that is set right is no sleep.
      assert.deepStrictEqual(
        sent.filter(({ packet }) => packet.kind === "response"),
        []
      )
      slept += 3_600_000
      yield* TestClock.adjust("20 seconds")
      const kinds = sent.map(({ packet }) => (packet.authorities.length > 0 ? "probe" : packet.kind))
      assert.strictEqual(kinds.filter((kind) => kind === "probe").length, 3)
      assert.strictEqual(kinds.filter((kind) => kind === "response").length, 3)
    })
  )

  it.effect("a doubtful node is asked for, and gone without an answer", () =>
    Effect.gen(function* () {
      const { network, world, sent } = fakeNetwork(one)
      const { doubts, seen } = yield* running(network)
      const [name, target] = [`feral-you.${serviceType}`, "you.local"]
      const common = { ttl: 120, flush: false }
      const answers: Packet["answers"] = [
        { ...common, type: "PTR", name: serviceType, target: name },
        { ...common, type: "SRV", name, port: 4001, target },
        { ...common, type: "TXT", name, strings: ["node_id=you"] },
        { ...common, type: "A", name: target, address: "10.0.0.2" }
      ]
      world.open.get(one.key)?.packet(packetOf("response", { answers }), { address: "10.0.0.2", port: 5353 })
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(seen(), ["Available", "Appeared you"])
      sent.length = 0
      yield* PubSub.publish(doubts, NodeId.make("you"))
      yield* TestClock.adjust("9 seconds")
      assert.isTrue(sent.some(({ packet }) => packet.questions.some((question) => question.name === name)))
      assert.deepStrictEqual(seen(), [])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(seen(), ["Vanished you"])
    })
  )

  it.effect("another node with our id is shown, with where it is", () =>
    Effect.gen(function* () {
      const { network, world } = fakeNetwork(one)
      const { seen } = yield* running(network)
      const [name, target] = [`feral-me.${serviceType}`, "feral-me.local"]
      const answers: Packet["answers"] = [{ type: "SRV", name, ttl: 120, flush: true, port: 7, target }]
      world.open.get(one.key)?.packet(packetOf("response", { answers }), { address: "10.0.0.2", port: 5353 })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(seen(), ["Available", "Duplicated 10.0.0.2:7"])
    })
  )

  it.effect("the end of the scope says goodbye twice, closes the sockets, and ends the stream", () =>
    Effect.gen(function* () {
      const { network, world, sent } = fakeNetwork(one, two)
      const { scope, watching } = yield* running(network)
      yield* TestClock.adjust("5 seconds")
      sent.length = 0
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(
        sent.map(({ link }) => link),
        [one.key, two.key, one.key, two.key]
      )
      assert.isTrue(sent.every(({ packet }) => packet.answers.every(({ ttl }) => ttl === 0)))
      assert.strictEqual(world.open.size, 0)
      yield* Fiber.join(watching)
    })
  )

  it.effect("a network that drops the goodbye delays the end by at most 300 ms", () =>
    Effect.gen(function* () {
      const { network, world } = fakeNetwork(one)
      const { scope } = yield* running(network)
      yield* TestClock.adjust("5 seconds")
      world.mute.add(one.key)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("299 millis")
      assert.strictEqual(world.open.size, 1)
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(closing)
      assert.strictEqual(world.open.size, 0)
    })
  )

  it.effect("nodes over one network find each other, and lose each other", () =>
    Effect.gen(function* () {
      const others = yield* Queue.bounded<string>(16)
      const sides = [fakeNetwork(linkOf(1)), fakeNetwork(linkOf(2))] as const
      const scopes = yield* Effect.forEach(sides, ({ network, world, sent }, index) =>
        Effect.gen(function* () {
          const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
          const nodeId = NodeId.make(`n${index}`)
          const doubts = yield* PubSub.dropping<NodeId>(16)
          const announcement = { nodeId, port: 9000 + index }
          const stream = yield* Scope.provide(MdnsRuntime.run(network, "10 seconds", announcement, doubts), scope)
          yield* Stream.runForEach(stream, (sighting) =>
            sighting._tag === "Appeared"
              ? Queue.offer(others, `${nodeId} sees ${sighting.nodeId} at ${sighting.addresses[0]?.port}`)
              : sighting._tag === "Vanished"
                ? Queue.offer(others, `${nodeId} misses ${sighting.nodeId}`)
                : Effect.void
          ).pipe(Effect.forkChild)
          // What one sends, both hear.
          sent.push = (...packets) => {
            for (const { packet } of packets) {
              for (const side of sides) {
                for (const handlers of side.world.open.values()) {
                  handlers.packet(packet, { address: world.links[0]?.address ?? "", port: 5353 })
                }
              }
            }
            return 0
          }
          return scope
        })
      )
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual((yield* Queue.takeAll(others)).sort(), ["n0 sees n1 at 9001", "n1 sees n0 at 9000"])
      if (scopes[1] !== undefined) yield* Scope.close(scopes[1], Exit.void)
      yield* TestClock.adjust("1100 millis")
      assert.deepStrictEqual(yield* Queue.takeAll(others), ["n0 misses n1"])
    })
  )
})
