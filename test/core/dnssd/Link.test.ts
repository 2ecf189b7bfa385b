import { assert, describe, it } from "@effect/vitest"
import {
  dialled,
  isUsable,
  type Link,
  linkFrom,
  linksOf,
  type NetworkAddress,
  rank
} from "../../../src/core/dnssd/Link.ts"

const address = (address: string, netmask: string, internal = false): NetworkAddress => ({
  address,
  netmask,
  family: address.includes(":") ? "IPv6" : "IPv4",
  internal
})

const interfaces = {
  lo: [address("127.0.0.1", "255.0.0.0", true), address("::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true)],
  eth0: [
    address("192.168.1.5", "255.255.255.0"),
    address("192.168.1.6", "255.255.255.0"),
    address("FE80::5", "ffff:ffff:ffff:ffff::")
  ],
  wlan0: [address("10.20.30.40", "255.255.240.0")],
  tun0: [address("fd00::7", "ffff:ffff:ffff:ffff::")],
  gone: undefined
}

const links = (wanted: ReadonlyArray<string>) => linksOf(interfaces, wanted)

describe("linksOf", () => {
  it("without wishes: every interface with IPv4 but loopback, once, with all its addresses", () => {
    assert.deepStrictEqual(links([]), [
      {
        key: "eth0 192.168.1.5",
        scope: "eth0",
        address: "192.168.1.5",
        prefix: 24,
        addresses: ["192.168.1.5", "192.168.1.6", "fe80::5"]
      },
      { key: "wlan0 10.20.30.40", scope: "wlan0", address: "10.20.30.40", prefix: 20, addresses: ["10.20.30.40"] }
    ])
  })

  it("with wishes: the interfaces that hold them, loopback too, announcing nothing but them", () => {
    assert.deepStrictEqual(links(["127.0.0.1"]), [
      { key: "lo 127.0.0.1", scope: "lo", address: "127.0.0.1", prefix: 8, addresses: ["127.0.0.1"] }
    ])
    assert.deepStrictEqual(
      links(["192.168.1.6", "fe80::5%eth0"]).map(({ address, addresses }) => [address, ...addresses]),
      [["192.168.1.6", "192.168.1.6", "fe80::5"]]
    )
    // Multicast goes over IPv4, even where only IPv6 is announced.
    assert.deepStrictEqual(
      links(["fe80::5"]).map(({ address, addresses }) => [address, ...addresses]),
      [["192.168.1.5", "fe80::5"]]
    )
  })

  it("where nothing fits, there is no link", () => {
    assert.deepStrictEqual(links(["192.0.2.1"]), [])
    assert.deepStrictEqual(links(["fd00::7"]), [])
    assert.deepStrictEqual(linksOf({}, []), [])
  })
})

describe("linkFrom", () => {
  const all = links(["127.0.0.1", "192.168.1.5", "10.20.30.40"])
  const scopeFrom = (among: ReadonlyArray<Link>, sender: string) => linkFrom(among, sender)?.scope

  it("tells the link by the subnet of the sender", () => {
    assert.strictEqual(scopeFrom(all, "192.168.1.250"), "eth0")
    assert.strictEqual(scopeFrom(all, "10.20.16.1"), "wlan0")
    assert.strictEqual(scopeFrom(all, "127.0.0.1"), "lo")
  })

  it("takes a neighbour of another subnet for one of the first link, but never on or from loopback", () => {
    assert.strictEqual(scopeFrom(all, "172.16.0.1"), "eth0")
    assert.strictEqual(scopeFrom(all, "10.20.32.1"), "eth0")
    assert.isUndefined(linkFrom(links(["127.0.0.1"]), "192.168.1.5"))
    assert.isUndefined(linkFrom(links([]), "127.0.0.1"))
    assert.isUndefined(linkFrom([], "10.0.0.1"))
  })

  it("knows subnets of every size", () => {
    const of = (prefix: number): Link => ({ key: "x", scope: "x", address: "200.1.2.3", prefix, addresses: [] })
    for (let prefix = 0; prefix <= 32; prefix++) {
      assert.isBelow(rank(of(prefix), "200.1.2.3"), 2)
      // The first bit that differs is bit 0, counted from the left.
      assert.strictEqual(rank(of(prefix), "72.1.2.3"), prefix === 0 ? 1 : 2)
      assert.strictEqual(rank(of(prefix), "200.1.2.2"), prefix <= 31 ? 1 : 2)
    }
  })
})

describe("addresses", () => {
  const [eth0, lo] = [...links(["192.168.1.5"]), ...links(["127.0.0.1"])]
  if (eth0 === undefined || lo === undefined) throw new Error("no links")

  it("are usable where they can be dialled", () => {
    for (const good of ["192.168.1.7", "8.8.8.8", "223.255.255.255", "1.0.0.0", "fe80::1", "2001:db8::1", "fd00::1"]) {
      assert.isTrue(isUsable(eth0, good), good)
    }
    for (const bad of [
      "127.0.0.1",
      "::1",
      "::",
      "0.0.0.0",
      "224.0.0.0",
      "ff02::fb",
      "",
      "x",
      "1.2.3.256",
      "::1.2.3.4"
    ]) {
      assert.isFalse(isUsable(eth0, bad), bad)
    }
    assert.isTrue(isUsable(lo, "127.0.0.1") && isUsable(lo, "::1"))
  })

  it("are dialled with their scope where they have one", () => {
    assert.deepStrictEqual(dialled(eth0, "fe80::1", 1), { host: "fe80::1%eth0", port: 1 })
    assert.deepStrictEqual(dialled(eth0, "febf::1", 1), { host: "febf::1%eth0", port: 1 })
    assert.deepStrictEqual(dialled(eth0, "fec0::1", 1), { host: "fec0::1", port: 1 })
    assert.deepStrictEqual(dialled(eth0, "192.168.1.7", 1), { host: "192.168.1.7", port: 1 })
  })
})
