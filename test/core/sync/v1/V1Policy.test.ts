import { assert, describe, it } from "@effect/vitest"
import type { Address } from "../../../../src/core/peers/Address.ts"
import * as V1Policy from "../../../../src/core/sync/v1/V1Policy.ts"

const discovered: Address = { host: "10.0.0.5", port: 9090 }
const named: Address = { ...discovered, plain: true }
const policies = ["off", "tls", "on"] as const
const channels = ["ca", "auto", "none"] as const

describe("the policy for existing FERAL nodes", () => {
  const all = policies.flatMap((legacy) =>
    (["ca", "auto"] as const).flatMap((mode) =>
      [false, true].flatMap((requireClientCert) =>
        channels.map((tls) => ({ rules: { legacy, mode, requireClientCert }, tls }))
      )
    )
  )

  it("shows our passphrase to a node of our CA, or to an address that was named as plain where there is no CA", () => {
    for (const { rules, tls } of all) {
      for (const address of [discovered, named]) {
        const isVouchedFor = tls === "ca" && rules.legacy !== "off"
        const isNamed = address === named && rules.legacy === "on" && rules.mode === "auto"
        const isDialled = V1Policy.make(rules).refusal("dialler", tls, address) === undefined
        assert.strictEqual(isDialled, isVouchedFor || isNamed, JSON.stringify({ rules, tls, address }))
      }
    }
  })

  it("never dials in clear what was discovered, nor anything where a CA is set", () => {
    for (const { rules } of all) {
      assert.isFalse(V1Policy.make(rules).isDialledPlain(discovered))
      if (rules.mode === "ca") assert.isFalse(V1Policy.make(rules).isDialledPlain(named))
    }
  })

  it("takes who comes without TLS with `on` alone, and not where clients have to show certificates", () => {
    for (const { rules, tls } of all) {
      const isIn = V1Policy.make(rules).refusal("server", tls, discovered) === undefined
      const expected =
        tls === "ca" ? rules.legacy !== "off" : rules.legacy === "on" && (tls === "auto" || !rules.requireClientCert)
      assert.strictEqual(isIn, expected, JSON.stringify({ rules, tls }))
    }
  })

  it("says what to write", () => {
    const rules = { legacy: "on", mode: "auto", requireClientCert: false } as const
    assert.include(
      V1Policy.make(rules).refusal("dialler", "none", discovered)?.message,
      "plain://HOST:PORT in FERAL_SYNC_PEERS"
    )
  })
})
