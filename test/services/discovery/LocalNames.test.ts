/** Names that end in `.local`: asked for on the network, and used to dial. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import { createSocket, type Socket } from "node:dgram"
import { type Address, isLocalName } from "../../../src/core/peers/Address.ts"
import { packetOf } from "../../../src/core/discovery/DnsRecord.ts"
import { linksOf } from "../../../src/core/discovery/Link.ts"
import * as LocalNames from "../../../src/services/discovery/LocalNames.ts"
import * as Packets from "../../../src/services/discovery/Packets.ts"
import * as V1Settings from "../../../src/services/node/V1Settings.ts"
import { dial } from "../../../src/services/peers/Dial.ts"
import { PeerUnreachable } from "../../../src/services/node/NodeFailure.ts"
import { Transport } from "../../../src/services/transport/Transport.ts"

const record = (name: string, address: string) =>
  ({ name, ttl: 120, flush: false, type: address.includes(":") ? "AAAA" : "A", address }) as const

/** The interfaces of a machine. */
const interfaces = {
  eth0: [
    {
      address: "192.168.1.5",
      netmask: "255.255.255.0",
      family: "IPv4" as const,
      mac: "",
      internal: false,
      cidr: null
    }
  ]
}

/** A host on the loopback interface that has the name `nas.local`. */
const host = Effect.acquireRelease(
  Effect.callback<{ readonly socket: Socket; readonly port: number }>((resume) => {
    const socket = createSocket({ type: "udp4", reuseAddr: true })
    socket.on("message", (bytes, from) => {
      const asked = Packets.decode(bytes)
      if (asked?.questions.some(({ name }) => name === "NAS.local") !== true) return
      const answers = [
        record("nas.local", "fe80::1"),
        record("other.local", "10.0.0.9"),
        record("nas.local", "10.0.0.5")
      ]
      socket.send(Packets.encode(packetOf("response", { id: asked.id, answers })), from.port, from.address)
    })
    socket.bind(0, "0.0.0.0", () => {
      socket.addMembership("224.0.0.251", "127.0.0.1")
      resume(Effect.succeed({ socket, port: socket.address().port }))
    })
  }),
  ({ socket }) => Effect.sync(() => socket.close())
)

describe("LocalNames", () => {
  it.live("asks on the interfaces, and takes the answers about this name, IPv4 first", () =>
    Effect.gen(function* () {
      const { port } = yield* host
      const addresses = yield* LocalNames.resolve("NAS.local.", { interfaces: ["127.0.0.1"], port })
      assert.deepStrictEqual(addresses, ["10.0.0.5", "fe80::1%lo"])
    }).pipe(Effect.scoped)
  )

  it("takes eight addresses at most, and only those where a neighbour can be", () => {
    const [eth0] = linksOf(interfaces, [])
    if (eth0 === undefined) return assert.fail("no link")
    const others = ["8.8.8.8", "127.0.0.1", "169.254.169.254", "2001:db8::1", "::1", "192.168.1.5"]
    const many = Array.from({ length: 500 }, (_, index) => `192.168.${index >> 8}.${(index & 255) + 1}`)
    const says = (addresses: ReadonlyArray<string>, from: string) =>
      LocalNames.addressesIn(
        packetOf("response", { answers: addresses.map((address) => record("nas.local", address)) }),
        "nas.local",
        eth0,
        from
      )
    assert.deepStrictEqual(says(others, "192.168.1.66"), [])
    // Another node on this host may say where it is.
    assert.deepStrictEqual(says(others, "192.168.1.5"), ["192.168.1.5"])
    assert.deepStrictEqual(says([...others, ...many], "192.168.1.66"), ["192.168.0.1", ...many.slice(1, 8)])
  })

  it("knows which names are of that kind", () => {
    // A resolver reads letters of other shapes as these.
    for (const name of ["nas.local", "NAS.LOCAL.", "a.b.local", "nas.\uff4cocal", "nas.\u217cocal"])
      assert.isTrue(isLocalName(name), name)
    for (const name of ["local", "nas.local.example", "nas.localhost"]) assert.isFalse(isLocalName(name), name)
  })
})

describe("dialling", () => {
  const settings = { legacy: "on", requireClientCert: false, tls: Option.none() } as const

  /** The hosts that are dialled for one that resolves to `hosts`, where none answers. */
  const dialled = (given: string, hosts: ReadonlyArray<string>, marks: { readonly plain?: true } = {}) => {
    const tried: Array<Address> = []
    const transport = Transport.of({
      tls: "auto",
      secret: Redacted.make(new Uint8Array(32)),
      tlsExpiresAt: Effect.succeed(0),
      listen: () => Effect.never,
      dial: (address: Address) => {
        tried.push(address)
        return Effect.fail(new PeerUnreachable({ address: address.host, detail: "away" }))
      }
    })
    const resolve = () => Effect.succeed(hosts)
    return Effect.as(
      Effect.exit(Effect.scoped(dial(transport, settings, { host: given, port: 1, ...marks }, undefined, resolve))),
      tried
    )
  }

  it.effect("tries eight addresses of such a name at most, and none in clear", () =>
    Effect.gen(function* () {
      const many = Array.from({ length: 500 }, (_, index) => `10.0.${index >> 8}.${index & 255}`)
      const tried = yield* dialled("nas.local", many, { plain: true })
      assert.deepStrictEqual(
        tried.map(({ host }) => host),
        many.slice(0, 8)
      )
      for (const address of tried) assert.isFalse(V1Settings.policyOf(settings).isDialledPlain(address))
      for (const address of yield* dialled("nas.local", [], { plain: true })) {
        assert.isFalse(V1Settings.policyOf(settings).isDialledPlain(address))
      }
    })
  )

  it.effect("tries each address of such a name, the name itself where it has none, and other names as they are", () =>
    Effect.gen(function* () {
      const hosts = ["10.0.0.5", "fe80::1%lo"]
      const at = (...hosts: ReadonlyArray<string>) => hosts.map((host) => ({ host, port: 1 }))
      assert.deepStrictEqual(yield* dialled("nas.local", hosts), at(...hosts))
      assert.deepStrictEqual(yield* dialled("nas.local", []), at("nas.local"))
      assert.deepStrictEqual(yield* dialled("nas.example", ["10.0.0.5"]), at("nas.example"))
    })
  )
})

describe("the interfaces of mDNS", () => {
  it("are named, and followed to their addresses", () => {
    assert.deepStrictEqual(
      linksOf(interfaces, ["eth0"]).map(({ address }) => address),
      ["192.168.1.5"]
    )
    assert.isEmpty(linksOf(interfaces, ["eth1"]))
  })
})
