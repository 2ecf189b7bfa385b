import { assert, describe, it } from "@effect/vitest"
import {
  dialled,
  isNeighbour,
  isOwn,
  isUsable,
  type Link,
  linkFrom,
  linksOf,
  type NetworkAddress,
  rank
} from "../../../src/core/discovery/Link.ts"
import { linkAt } from "../../support/DnsSdWorld.ts"

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
/** Without what is the same on all of them. */
const bare = (wanted: ReadonlyArray<string>) => links(wanted).map((link): Link => ({ ...link, networks: [], own: [] }))

describe("linksOf", () => {
  it("without wishes: every interface but loopback, once for each family, with all its addresses", () => {
    const eth0 = ["192.168.1.5", "192.168.1.6", "fe80::5"]
    assert.deepStrictEqual(bare([]), [
      linkAt("eth0", "192.168.1.5", 24, eth0.slice(1)),
      { ...linkAt("eth0", "fe80::5"), addresses: eth0 },
      linkAt("wlan0", "10.20.30.40", 20),
      linkAt("tun0", "fd00::7")
    ])
  })

  it("with wishes: the interfaces and families that hold them, loopback too, announcing nothing but them", () => {
    const shown = (wanted: ReadonlyArray<string>) => links(wanted).map(({ key, addresses }) => [key, ...addresses])
    assert.deepStrictEqual(bare(["127.0.0.1"]), [linkAt("lo", "127.0.0.1", 8)])
    assert.deepStrictEqual(shown(["192.168.1.6"]), [["eth0 192.168.1.6", "192.168.1.6"]])
    for (const wish of ["fe80::5", "FE80::5%eth0"]) assert.deepStrictEqual(shown([wish]), [["eth0 fe80::5", "fe80::5"]])
    assert.deepStrictEqual(shown(["192.168.1.6", "fe80::5%eth0"]), [
      ["eth0 192.168.1.6", "192.168.1.6", "fe80::5"],
      ["eth0 fe80::5", "192.168.1.6", "fe80::5"]
    ])
    assert.deepStrictEqual(shown(["fe80::5%wlan0"]), [])
  })

  it("where nothing fits, there is no link", () => {
    assert.deepStrictEqual(links(["192.0.2.1"]), [])
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

  it("tells the link of IPv6 by its scope", () => {
    const among = links([])
    assert.strictEqual(linkFrom(among, "fe80::9%eth0")?.key, "eth0 fe80::5")
    assert.strictEqual(linkFrom(among, "fe80::9%tun0")?.key, "tun0 fd00::7")
    assert.isUndefined(linkFrom(among, "fe80::9%wlan0"), "no IPv6 is spoken there")
    assert.strictEqual(linkFrom(among, "2001:db8::9")?.family, "IPv6")
    assert.isUndefined(linkFrom(all, "fe80::9%eth0"))
  })

  it("knows which hosts are certainly near, and which is ourselves", () => {
    const [eth0, eth0v6] = links([])
    if (eth0 === undefined || eth0v6 === undefined) throw new Error("no links")
    for (const near of ["192.168.1.7", "192.168.1.5"]) assert.isTrue(isNeighbour(eth0, near), near)
    for (const far of ["192.168.2.7", "8.8.8.8", "fe80::9%eth0"]) assert.isFalse(isNeighbour(eth0, far), far)
    assert.isTrue(isNeighbour(eth0v6, "fe80::9%eth0"))
    for (const far of ["fe80::9%wlan0", "2001:db8::9", "192.168.1.7"]) assert.isFalse(isNeighbour(eth0v6, far), far)
    for (const own of ["192.168.1.6", "fe80::5%eth0"]) assert.isTrue(isOwn([eth0v6], own), own)
    assert.isFalse(isOwn([eth0], "192.168.1.7"))
  })

  it("knows subnets of every size", () => {
    const of = (prefix: number): Link => linkAt("x", "200.1.2.3", prefix)
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

  const neighbour = "192.168.1.9"
  const table: ReadonlyArray<readonly [string, string, boolean]> = [
    // The link, and private ranges, which reflectors may join.
    ["192.168.1.7", neighbour, true],
    ["192.168.77.7", neighbour, true],
    ["10.0.0.1", neighbour, true],
    ["172.31.255.1", neighbour, true],
    ["100.64.0.1", neighbour, true],
    ["fe80::1", neighbour, true],
    ["fd00::1", neighbour, true],
    // The internet, and what is next to those ranges.
    ["8.8.8.8", neighbour, false],
    ["8.8.8.8", "8.8.8.8", false],
    ["223.255.255.255", neighbour, false],
    ["172.32.0.1", neighbour, false],
    ["100.128.0.1", neighbour, false],
    ["169.254.169.254", neighbour, false],
    ["2001:db8::1", neighbour, false],
    ["::ffff:10.0.0.1", neighbour, false],
    // What is here: our addresses on any interface, unless we announce them, as another node on this host does.
    ["192.168.1.5", neighbour, false],
    ["10.20.30.40", neighbour, false],
    ["fe80::5", neighbour, false],
    ["192.168.1.5", "192.168.1.6", true],
    ["127.0.0.1", neighbour, false],
    ["127.0.0.1", "192.168.1.5", false],
    ["::1", neighbour, false],
    // No host.
    ...["::", "0.0.0.0", "224.0.0.0", "255.255.255.255", "ff02::fb", "", "x", "1.2.3.256", "::1.2.3.4"].map(
      (address) => [address, neighbour, false] as const
    )
  ]
  for (const [address, from, isGood] of table) {
    it(`${address || "nothing"} of ${from} ${isGood ? "is" : "is not"} dialled`, () => {
      assert.strictEqual(isUsable(eth0, address, from), isGood)
    })
  }

  it("of loopback are dialled where mDNS is bound to loopback", () => {
    for (const address of ["127.0.0.1", "127.0.0.7", "::1"]) assert.isTrue(isUsable(lo, address, "127.0.0.1"))
  })

  it("that are public are dialled on the networks of the interface alone", () => {
    const [link] = linksOf(
      {
        eth0: [
          address("203.0.113.5", "255.255.255.128"),
          address("169.254.3.4", "255.255.0.0"),
          address("2001:db8:0:7::5", "ffff:ffff:ffff:ffff::")
        ]
      },
      []
    )
    if (link === undefined) throw new Error("no link")
    for (const good of ["203.0.113.6", "169.254.9.9", "2001:db8:0:7::9"])
      assert.isTrue(isUsable(link, good, good), good)
    for (const bad of ["203.0.113.128", "2001:db8:0:8::9"]) assert.isFalse(isUsable(link, bad, bad), bad)
  })

  it("are dialled with their scope where they have one", () => {
    assert.deepStrictEqual(dialled(eth0, "fe80::1", 1), { host: "fe80::1%eth0", port: 1 })
    assert.deepStrictEqual(dialled(eth0, "febf::1", 1), { host: "febf::1%eth0", port: 1 })
    assert.deepStrictEqual(dialled(eth0, "fec0::1", 1), { host: "fec0::1", port: 1 })
    assert.deepStrictEqual(dialled(eth0, "192.168.1.7", 1), { host: "192.168.1.7", port: 1 })
  })
})
