import { assert, describe, it } from "@effect/vitest"
import { isName, isSameRecord, nameKey, type ResourceRecord } from "../../../src/core/discovery/DnsRecord.ts"

describe("names", () => {
  it("have labels of 1 to 63 bytes, and 255 bytes on the wire", () => {
    const label = "x".repeat(63)
    for (const name of ["local", "a.b", label, "\u00e9".repeat(31), `${label}.${label}.${label}.${"x".repeat(61)}`]) {
      assert.isTrue(isName(name), name)
    }
    for (const name of ["", ".", "a.", ".a", "a..b", `${label}x`, "\u00e9".repeat(32), "\ud800"]) {
      assert.isFalse(isName(name), JSON.stringify(name))
    }
    assert.isFalse(isName(`${label}.${label}.${label}.${"x".repeat(62)}`))
  })

  it("are compared without regard to the case of ASCII letters, and of no others", () => {
    assert.strictEqual(nameKey("Feral-A.LOCAL"), "feral-a.local")
    assert.notStrictEqual(nameKey("\u00c9"), nameKey("\u00e9"))
    // The Kelvin sign is no K.
    assert.notStrictEqual(nameKey("\u212a"), nameKey("k"))
  })
})

describe("isSameRecord", () => {
  const common = { name: "a.local", ttl: 1, flush: true }
  const records: ReadonlyArray<ResourceRecord> = [
    { ...common, type: "PTR", target: "b.local" },
    { ...common, type: "PTR", target: "c.local" },
    { ...common, type: "SRV", target: "b.local", port: 1 },
    { ...common, type: "SRV", target: "b.local", port: 2 },
    { ...common, type: "TXT", strings: ["a", "b"] },
    { ...common, type: "TXT", strings: ["ab"] },
    { ...common, type: "A", address: "10.0.0.1" },
    { ...common, type: "A", address: "10.0.0.2" },
    { ...common, type: "AAAA", address: "::1" },
    { ...common, name: "b.local", type: "AAAA", address: "::1" }
  ]

  it("tells what a record says, not for how long", () => {
    for (const [index, one] of records.entries()) {
      for (const [other, two] of records.entries()) {
        assert.strictEqual(isSameRecord(one, { ...two, ttl: 120, flush: false }), index === other)
      }
    }
    assert.isTrue(
      isSameRecord(
        { ...common, type: "PTR", target: "B.local" },
        { ...common, name: "A.local", type: "PTR", target: "b.LOCAL" }
      )
    )
  })
})
