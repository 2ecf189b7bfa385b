/** Names that end in `.local`: asked for on the network, and used to dial. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import { createSocket, type Socket } from "node:dgram"
import { type Address, isLocalName } from "../../../src/core/peers/Address.ts"
import { packetOf } from "../../../src/core/discovery/DnsRecord.ts"
import { linksOf } from "../../../src/core/discovery/Link.ts"
import * as LocalNames from "../../../src/services/discovery/LocalNames.ts"
import * as Packets from "../../../src/services/discovery/Packets.ts"
import { dial } from "../../../src/services/peers/Dial.ts"
import { PeerUnreachable } from "../../../src/services/node/NodeFailure.ts"
import { Transport } from "../../../src/services/transport/Transport.ts"

const record = (name: string, address: string) =>
  ({ name, ttl: 120, flush: false, type: address.includes(":") ? "AAAA" : "A", address }) as const

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

  it("knows which names are of that kind", () => {
    for (const name of ["nas.local", "NAS.LOCAL.", "a.b.local"]) assert.isTrue(isLocalName(name), name)
    for (const name of ["local", "nas.local.example", "nas.localhost"]) assert.isFalse(isLocalName(name), name)
  })
})

describe("dialling", () => {
  const settings = { legacy: "tls", requireClientCert: false, tls: Option.none() } as const

  /** The hosts that are dialled for one that resolves to `hosts`, where none answers. */
  const dialled = (given: string, hosts: ReadonlyArray<string>) => {
    const tried: Array<string> = []
    const transport = Transport.of({
      tls: "auto",
      secret: Redacted.make(new Uint8Array(32)),
      tlsExpiresAt: Effect.succeed(0),
      listen: () => Effect.never,
      dial: (address: Address) => {
        tried.push(address.host)
        return Effect.fail(new PeerUnreachable({ address: address.host, detail: "away" }))
      }
    })
    const resolve = () => Effect.succeed(hosts)
    return Effect.as(
      Effect.exit(Effect.scoped(dial(transport, settings, { host: given, port: 1 }, undefined, resolve))),
      tried
    )
  }

  it.effect("tries each address of such a name, the name itself where it has none, and other names as they are", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* dialled("nas.local", ["10.0.0.5", "fe80::1%lo"]), ["10.0.0.5", "fe80::1%lo"])
      assert.deepStrictEqual(yield* dialled("nas.local", []), ["nas.local"])
      assert.deepStrictEqual(yield* dialled("nas.example", ["10.0.0.5"]), ["nas.example"])
    })
  )
})

describe("the interfaces of mDNS", () => {
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

  it("are named, and followed to their addresses", () => {
    assert.deepStrictEqual(
      linksOf(interfaces, ["eth0"]).map(({ address }) => address),
      ["192.168.1.5"]
    )
    assert.isEmpty(linksOf(interfaces, ["eth1"]))
  })
})
