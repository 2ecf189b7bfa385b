/** Multicast DNS over real sockets on loopback, each test in a network of its own: a UDP port that nobody else uses. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Queue, References, Schedule, Scope, Stream } from "effect"
import multicastDns from "multicast-dns"
import { execFile } from "node:child_process"
import { randomBytes, randomUUID } from "node:crypto"
import { createSocket, type Socket } from "node:dgram"
import { fileURLToPath } from "node:url"
import { serviceType } from "../../../src/core/discovery/ServiceRecords.ts"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import { type Announcement, Discovery, type Sighting } from "../../../src/services/discovery/Discovery.ts"
import type { Options } from "../../../src/services/discovery/MdnsDiscovery.ts"
import * as DnsPackets from "../../support/DnsPackets.ts"
import * as MdnsDiscovery from "../../../src/services/discovery/MdnsDiscovery.ts"

const freshId = () => NodeId.make(`test-${randomUUID()}`)

const socketOn = (port: number, options: { readonly reuseAddr?: boolean } = {}) =>
  Effect.acquireRelease(
    Effect.callback<Socket>((resume) => {
      const socket = createSocket({ type: "udp4", ...options })
      socket.bind(port, "0.0.0.0", () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.callback<void>((resume) => void socket.close(() => resume(Effect.void)))
  )

const freePort = Effect.scoped(Effect.map(socketOn(0), (socket) => socket.address().port))

const onLoopback = (options: Partial<Options>) =>
  MdnsDiscovery.layer({ interfaces: ["127.0.0.1"], reconcileEvery: "200 millis", ...options })

/** Runs discovery: `next` waits for a sighting that fits. */
const start = Effect.fnUntraced(function* (announcement: Announcement, layer: Layer.Layer<Discovery>) {
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const discovery = Context.get(yield* Scope.provide(Layer.build(layer), scope), Discovery)
  const stream = yield* Scope.provide(discovery.sightings(announcement), scope)
  const queue = yield* Queue.bounded<Sighting>(1024)
  const watching = yield* Stream.runForEach(stream, (sighting) => Queue.offer(queue, sighting)).pipe(Effect.forkScoped)
  const next = <Tag extends Sighting["_tag"]>(
    tag: Tag,
    fits: (sighting: Extract<Sighting, { readonly _tag: Tag }>) => boolean = () => true
  ) =>
    Effect.gen(function* () {
      const isOfTag = (one: Sighting): one is Extract<Sighting, { readonly _tag: Tag }> => one._tag === tag
      for (;;) {
        const sighting = yield* Queue.take(queue)
        if (isOfTag(sighting) && fits(sighting)) return sighting
      }
    })
  return { scope, next, watching }
})

const within = <A, E>(test: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.scoped(test).pipe(Effect.timeout("15 seconds"), Effect.provideService(References.MinimumLogLevel, "None"))

/** Another responder: `next` waits for a response that fits. */
const sniffer = Effect.fnUntraced(function* (port: number) {
  const heard = yield* Queue.sliding<DnsPackets.Heard>(1024)
  const mdns = yield* Effect.acquireRelease(
    Effect.callback<multicastDns.MulticastDNS>((resume) => {
      const mdns = multicastDns({ interface: "127.0.0.1", bind: "0.0.0.0", port })
      mdns.on("warning", () => undefined)
      mdns.on("response", (packet) => Queue.offerUnsafe(heard, DnsPackets.heardFrom(packet)))
      mdns.once("ready", () => resume(Effect.succeed(mdns)))
    }),
    (mdns) => Effect.callback<void>((resume) => mdns.destroy(() => resume(Effect.void)))
  )
  const next = (fits: (packet: DnsPackets.Heard) => boolean) =>
    Effect.gen(function* () {
      for (;;) {
        const packet = yield* Queue.take(heard)
        if (fits(packet)) return packet
      }
    })
  return { mdns, next }
})

describe("MdnsDiscovery.layer", () => {
  it.live("two nodes on one host find each other quickly, see each other leave, and come back", () =>
    within(
      Effect.gen(function* () {
        const port = yield* freePort
        const [a, b] = [freshId(), freshId()]
        const one = yield* start({ nodeId: a, port: 1111 }, onLoopback({ port }))
        yield* one.next("Available")
        const since = performance.now()
        const other = yield* start({ nodeId: b, port: 2222 }, onLoopback({ port }))
        const seen = yield* Effect.all([one.next("Appeared"), other.next("Appeared")], { concurrency: 2 })
        assert.isBelow(performance.now() - since, 3000)
        const at = (port: number) => ({
          addresses: [{ host: "127.0.0.1", port }],
          near: ["127.0.0.1"],
          protocol: 2 as const
        })
        assert.deepStrictEqual(seen, [
          { _tag: "Appeared", nodeId: b, ...at(2222) },
          { _tag: "Appeared", nodeId: a, ...at(1111) }
        ])
        yield* Scope.close(other.scope, Exit.void)
        yield* Fiber.join(other.watching)
        assert.deepStrictEqual(yield* one.next("Vanished"), { _tag: "Vanished", nodeId: b, isGoodbye: true })
        yield* start({ nodeId: b, port: 3333 }, onLoopback({ port }))
        assert.deepStrictEqual(yield* one.next("Appeared"), { _tag: "Appeared", nodeId: b, ...at(3333) })
      })
    )
  )

  it.live("a querier gets port, TXT record and address, and the goodbye", () =>
    within(
      Effect.gen(function* () {
        const port = yield* freePort
        const id = freshId()
        const instance = `feral-${id}.${serviceType}`
        const others = yield* sniffer(port)
        const node = yield* start({ nodeId: id, port: 4321 }, onLoopback({ port }))
        const service = { name: instance, type: "SRV", ttl: 120, flush: true, data: `4321 feral-${id}.local` }
        const address = { name: `feral-${id}.local`, type: "A", ttl: 120, flush: true, data: "127.0.0.1" }
        const nothingElse = { name: `feral-${id}.local`, type: "NSEC", ttl: 120, flush: true, data: "only A" }
        const whole = [
          { name: serviceType, type: "PTR", ttl: 4500, flush: false, data: instance },
          service,
          { name: instance, type: "TXT", ttl: 4500, flush: true, data: `node_id=${id} version=1.0.0 p=2` },
          address
        ]
        for (let announcement = 0; announcement < 3; announcement++) {
          assert.deepStrictEqual((yield* others.next(() => true)).records, [...whole, nothingElse])
        }
        others.mdns.query({ questions: [{ name: instance, type: "SRV" }] })
        assert.deepStrictEqual((yield* others.next(() => true)).records, [service, address, nothingElse])
        yield* Scope.close(node.scope, Exit.void)
        assert.deepStrictEqual(
          (yield* others.next(() => true)).records,
          whole.map((record) => ({ ...record, ttl: 0 }))
        )
      })
    )
  )

  it.live("an existing FERAL node is found, and is of protocol 1", () =>
    within(
      Effect.gen(function* () {
        const port = yield* freePort
        const id = freshId()
        const node = yield* start({ nodeId: freshId(), port: 4001 }, onLoopback({ port }))
        yield* node.next("Available")
        const other = yield* sniffer(port)
        const [name, target] = [`feral-${id}.${serviceType}`, `${id}.local`]
        other.mdns.respond([
          { name: serviceType, type: "PTR", ttl: 4500, data: name },
          { name, type: "SRV", ttl: 120, data: { port: 9090, target } },
          { name, type: "TXT", ttl: 4500, data: [`node_id=${id}`, "version=1.0.0"] },
          { name: target, type: "A", ttl: 120, data: "127.0.0.1" }
        ])
        const { nodeId, protocol, addresses } = yield* node.next("Appeared")
        assert.deepStrictEqual([nodeId, protocol, addresses], [id, 1, [{ host: "127.0.0.1", port: 9090 }]])
      })
    )
  )

  it.live("a node id of any shape arrives whole", () =>
    within(
      Effect.gen(function* () {
        const port = yield* freePort
        const shapes = [`host.${freshId()}.`, "é".repeat(64), ` \\ "${randomUUID()}" :: `, "x".repeat(128)]
        const ids = shapes.map((id) => NodeId.make(id))
        const watcher = yield* start({ nodeId: freshId(), port: 4001 }, onLoopback({ port }))
        yield* watcher.next("Available")
        for (const [index, nodeId] of ids.entries()) yield* start({ nodeId, port: 2000 + index }, onLoopback({ port }))
        const seen = yield* Effect.forEach(ids, () => watcher.next("Appeared"))
        assert.deepStrictEqual(seen.map(({ nodeId }) => nodeId).sort(), ids.toSorted())
      })
    )
  )

  it.live("a querier with its own port gets an answer of its own", () =>
    within(
      Effect.gen(function* () {
        const port = yield* freePort
        const id = freshId()
        const node = yield* start({ nodeId: id, port: 4321 }, onLoopback({ port }))
        yield* node.next("Available")
        const asker = yield* socketOn(0)
        asker.setMulticastInterface("127.0.0.1")
        const ask = Effect.callback<void>((resume) =>
          asker.send(DnsPackets.question(0x1234, serviceType), port, "224.0.0.251", () => resume(Effect.void))
        )
        const message = yield* Effect.callback<Buffer>((resume) => {
          asker.once("message", (message) => resume(Effect.succeed(message)))
          // It says nothing before it has claimed its names.
        }).pipe(Effect.raceFirst(ask.pipe(Effect.repeat(Schedule.spaced("100 millis")), Effect.andThen(Effect.never))))
        assert.strictEqual(message.readUInt16BE(0), 0x1234)
        // One question, repeated, and one answer.
        assert.deepStrictEqual([message.readUInt16BE(4), message.readUInt16BE(6)], [1, 1])
        assert.include(message.toString("latin1"), `node_id=${id}`)
      })
    )
  )

  it.live("junk on the network changes nothing", () =>
    within(
      Effect.gen(function* () {
        const port = yield* freePort
        const node = yield* start({ nodeId: freshId(), port: 4001 }, onLoopback({ port }))
        yield* node.next("Available")
        const sender = yield* socketOn(port, { reuseAddr: true })
        sender.setMulticastInterface("127.0.0.1")
        const sound = DnsPackets.question(0, serviceType)
        for (let count = 0; count < 3000; count++) {
          const junk = count % 3 === 0 ? randomBytes(count % 600) : DnsPackets.mutated(sound, randomBytes(8))
          yield* Effect.callback<void>((resume) => sender.send(junk, port, "224.0.0.251", () => resume(Effect.void)))
        }
        const peer = freshId()
        yield* start({ nodeId: peer, port: 4002 }, onLoopback({ port }))
        yield* node.next("Appeared", ({ nodeId }) => nodeId === peer)
      })
    )
  )

  it.live("an interface that is not there makes it unavailable at once", () =>
    within(
      Effect.gen(function* () {
        const since = performance.now()
        const node = yield* start({ nodeId: freshId(), port: 4001 }, onLoopback({ interfaces: ["192.0.2.1"] }))
        const { error } = yield* node.next("Unavailable")
        assert.isBelow(performance.now() - since, 1000)
        assert.include(error.message, "no network interface has the name or address 192.0.2.1")
      })
    )
  )

  it.live("a port that is taken makes it unavailable until it is free", () =>
    within(
      Effect.gen(function* () {
        const port = yield* freePort
        const taken = yield* Scope.make()
        yield* Scope.provide(socketOn(port), taken)
        const node = yield* start({ nodeId: freshId(), port: 4001 }, onLoopback({ port }))
        const { error } = yield* node.next("Unavailable")
        assert.include(error.detail, "EADDRINUSE")
        yield* Scope.close(taken, Exit.void)
        yield* node.next("Available")
      })
    )
  )

  it.live("the end of the scope lets the process end", () =>
    within(
      Effect.gen(function* () {
        const port = yield* freePort
        const modules = new URL("../../../src/services/discovery/", import.meta.url).href
        const script = `
          import { Effect, Stream } from "effect"
          import { Discovery } from "${modules}Discovery.ts"
          import * as MdnsDiscovery from "${modules}MdnsDiscovery.ts"
          const program = Effect.gen(function* () {
            const discovery = yield* Discovery
            const sightings = yield* discovery.sightings({ nodeId: "test", port: 4001 })
            yield* sightings.pipe(Stream.take(1), Stream.runForEach(({ _tag }) => Effect.sync(() => console.log(_tag))))
          })
          const layer = MdnsDiscovery.layer({ interfaces: ["127.0.0.1"], port: ${port} })
          await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(layer)))
          console.log("closed")
        `
        const output = yield* Effect.callback<string>((resume) => {
          const args = ["--input-type=module", "--eval", script]
          const cwd = fileURLToPath(new URL("../../..", import.meta.url))
          const child = execFile(process.execPath, args, { cwd, timeout: 10_000 }, (error, stdout, stderr) =>
            resume(error === null ? Effect.succeed(stdout) : Effect.die(new Error(`${error.message} ${stderr}`)))
          )
          return Effect.sync(() => child.kill("SIGKILL"))
        })
        assert.deepStrictEqual(output.trim().split("\n"), ["Available", "closed"])
      })
    )
  )
})
