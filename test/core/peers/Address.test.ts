import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { formatAddress, networkOf, parseAddress } from "../../../src/core/peers/Address.ts"
import { runs } from "../../support/Generators.ts"

describe("Address", () => {
  it("reads names, IPv4 and IPv6, and writes them back", () => {
    for (const text of ["10.0.0.1:9090", "host.local:1", "my-host_2:65535", "[::1]:9090", "[fe80::1%eth0]:9090"]) {
      assert.strictEqual(formatAddress(Result.getOrThrow(parseAddress(text))), text)
    }
    assert.deepStrictEqual(parseAddress(" [fe80::1%eth0]:9090 "), Result.succeed({ host: "fe80::1%eth0", port: 9090 }))
  })

  const spellings: ReadonlyArray<readonly [text: string, reads: string]> = [
    ["nas", "nas:9090"],
    ["nas.local", "nas.local:9090"],
    ["nas.example.:1234", "nas.example.:1234"],
    [" 192.168.1.20 ", "192.168.1.20:9090"],
    ["[fd00::1]", "[fd00::1]:9090"],
    ["[FE80::1%eth0]", "[FE80::1%eth0]:9090"],
    ["my-nas--2.local", "my-nas--2.local:9090"],
    ["127.0.0.1", "127.0.0.1:9090"],
    ["223.255.255.255", "223.255.255.255:9090"],
    ["[fe80::1%25eth0]:9090", "[fe80::1%eth0]:9090"],
    ["[fe80::1%eth0]", "[fe80::1%eth0]:9090"],
    ["[fe80::1%25]:1", "[fe80::1%25]:1"],
    ["[::ffff:10.0.0.1]:1", "[::ffff:10.0.0.1]:1"],
    ["küche:9090", "küche:9090"]
  ]
  for (const [text, reads] of spellings) {
    it(`reads ${JSON.stringify(text)} as ${reads}`, () => {
      assert.deepStrictEqual(Result.map(parseAddress(text), formatAddress), Result.succeed(reads))
    })
  }

  const slips: ReadonlyArray<readonly [text: string, says: string]> = [
    ["http://nas:9090", "is a URL: remove everything before the host; write nas:9090"],
    ["wss://10.0.0.1", "is a URL: remove everything before the host; write 10.0.0.1:9090"],
    ["https://nas:9090/", "is a URL: remove everything before the host; write nas:9090"],
    ["wss://me@nas:9090/sync?x=1", "is a URL: remove everything before the host; write nas:9090"],
    ["[fe80::1]:9090", "is a link-local address without its interface: write it as in [fe80::1%eth0]:9090"],
    ["[FEBF::1]", "is a link-local address without its interface"],
    ["0.0.0.0", "means every address of this machine: write the address of the peer"],
    ["0.1.2.3:9090", "means every address of this machine"],
    ["[::]:9090", "means every address of this machine"],
    ["[0:0::0]:9090", "means every address of this machine"],
    ["[::ffff:0.0.0.0]:1", "means every address of this machine"],
    ["255.255.255.255:9090", "is the address of all machines of a network"],
    ["224.0.0.251", "is a multicast address"],
    ["239.255.255.255:1", "is a multicast address"],
    ["[ff02::fb%eth0]:9090", "is a multicast address"],
    ["240.0.0.1", "is a reserved address"],
    ["-x:1", "is not a host name: no part of one begins or ends with a hyphen"],
    ["x-.local:1", "is not a host name"],
    ["a.-b", "is not a host name"],
    ["nas:9090/", "has a path: remove everything after the port; write nas:9090"],
    ["a:1;b:2", "has a semicolon: separate peers with commas; write a:1,b:2"],
    ["a:1 b", "has a space: separate peers with commas; write a:1,b:9090"],
    ["nas : 9090", "has a space next to a colon: remove it; write nas:9090"],
    ["me@nas:9090", "has a user name: remove it; write nas:9090"],
    ['"nas:9090"', "has quotes: remove them; write nas:9090"],
    ["192.168.1.300:9090", "is not an IPv4 address: it has four numbers from 0 to 255"],
    ["192.168.1:9090", "is not an IPv4 address"],
    ["192.168.001.005", "without leading zeros"],
    ["nas.1:9090", "is not an IPv4 address"],
    ["::1", "needs brackets around its IPv6 address, as in [::1]:9090; write [::1]:9090"],
    ["::1:9090", "needs brackets around its IPv6 address, as in [::1]:9090; write [::1]:9090"],
    ["fe80::1%eth0:9090", "needs brackets around its IPv6 address, as in [::1]:9090; write [fe80::1%eth0]:9090"],
    [
      "2001:db8:1:2:3:4:5:6:9090",
      "needs brackets around its IPv6 address, as in [::1]:9090; write [2001:db8:1:2:3:4:5:6]:9090"
    ],
    ["[nas]:9090", "has brackets, which only IPv6 needs; write nas:9090"],
    ["[fe80::1%]:9090", "has no interface name after the %"],
    ["[fe80::12345]:9090", "is not an IPv6 address"],
    ["nas:", "has no port after the colon: write HOST:PORT; write nas:9090"],
    [":9090", "has no host: write HOST:PORT"],
    ["9090", "is a port without a host: write HOST:PORT"],
    ["nas:http", "http is not a port (1 to 65535)"],
    ["nas:0", "0 is not a port (1 to 65535)"],
    ["nas:65536", "65536 is not a port (1 to 65535)"],
    ["na,s", "is not host:port"],
    ["a..b:1", "is not host:port"],
    ["plain://nas.local:9090", "write the IP address of that node, as in plain://192.168.1.9:9090"],
    ["PLAIN://NAS.LOCAL.", "write the IP address of that node, as in plain://192.168.1.9:9090"],
    ["plain://nas.\uff4cocal:1234", "write the IP address of that node, as in plain://192.168.1.9:1234"],
    ["", "has no host"]
  ]
  for (const [text, says] of slips) {
    it(`refuses ${JSON.stringify(text)}, and names the slip`, () => {
      const parsed = parseAddress(text)
      assert.isTrue(Result.isFailure(parsed))
      if (Result.isFailure(parsed)) assert.include(parsed.failure, says)
    })
  }

  it("no guess leaves out an address", () => {
    for (const [text, all] of [
      ["https://a:1/ https://b/", "a:1,b:9090"],
      ["a:1/x;b:2", "a:1,b:2"],
      ["a:1/ b", "a:1,b:9090"]
    ] as const) {
      const parsed = parseAddress(text)
      const [, guess = all] = Result.isFailure(parsed) ? (/; write (.*)$/.exec(parsed.failure) ?? []) : []
      assert.strictEqual(guess, all)
    }
  })

  it("is counted as itself with IPv4, and as its /64 with IPv6", () => {
    for (const [host, network] of [
      ["10.0.0.1", "10.0.0.1"],
      ["::1", "0:0:0:0::/64"],
      ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
      ["2001:0db8:0001:0002::ffff", "2001:db8:1:2::/64"],
      ["2001:db8::1", "2001:db8:0:0::/64"],
      ["2001:db8:1:3::", "2001:db8:1:3::/64"],
      ["::ffff:10.0.0.1", "10.0.0.1"],
      ["fe80::1%eth0", "fe80:0:0:0::/64"],
      ["fe80::2%eth1", "fe80:0:0:0::/64"]
    ] as const) {
      assert.strictEqual(networkOf(host), network, host)
    }
  })

  it.prop("is counted as something, whatever it is", [Schema.String], ([text]) => {
    for (const host of [text, `${text}::${text}`, `:${text}`]) assert.isString(networkOf(host))
  })

  it.prop(
    "never throws, and what it reads it writes",
    [Schema.String],
    ([text]) => {
      for (const candidate of [text, `${text}:9090`, `[${text}]:9090`]) {
        const parsed = parseAddress(candidate)
        if (Result.isFailure(parsed)) continue
        assert.deepStrictEqual(parseAddress(formatAddress(parsed.success)), parsed)
      }
    },
    runs(3_000)
  )
})
