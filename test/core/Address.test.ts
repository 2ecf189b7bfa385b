import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { formatAddress, parseAddress } from "../../src/core/Address.ts"

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
