import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { formatAddress, networkOf, parseAddress } from "../../src/core/Address.ts"

describe("Address", () => {
  it("reads names, IPv4 and IPv6, and writes them back", () => {
    for (const text of ["10.0.0.1:9090", "host.local:1", "my-host_2:65535", "[::1]:9090", "[fe80::1%eth0]:9090"]) {
      assert.strictEqual(formatAddress(Result.getOrThrow(parseAddress(text))), text)
    }
    assert.deepStrictEqual(parseAddress(" [fe80::1%eth0]:9090 "), Result.succeed({ host: "fe80::1%eth0", port: 9090 }))
  })

  it("refuses what is no address, and says what one looks like", () => {
    for (const text of [
      "",
      "host",
      "host:",
      ":9090",
      "::1:9090",
      "[::1]",
      "host:x",
      "ho st:1",
      "http://host:1",
      "a:1:2"
    ]) {
      const parsed = parseAddress(text)
      assert.isTrue(Result.isFailure(parsed) && parsed.failure.includes("host:port"), text)
    }
    for (const port of ["0", "65536", "99999"]) {
      assert.deepStrictEqual(parseAddress(`host:${port}`), Result.fail(`${port} is not a port (1 to 65535)`))
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
    { arbitrary: { runs: 3_000 } }
  )
})
