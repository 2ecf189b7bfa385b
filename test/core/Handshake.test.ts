import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Handshake from "../../src/core/Handshake.ts"
import { runs } from "../support/Generators.ts"

const key = Handshake.deriveKey("correct horse battery staple")
const transcript: Handshake.Transcript = {
  nonces: { dialler: "nonce-of-the-dialler", server: "nonce-of-the-server" },
  binding: new Uint8Array(32).fill(9),
  dialler: "a",
  server: ""
}

describe("Handshake", () => {
  it("derives the same key from the same passphrase, and another one from another", () => {
    assert.strictEqual(key.length, 32)
    assert.deepStrictEqual(Handshake.deriveKey("correct horse battery staple"), key)
    assert.notDeepEqual(Handshake.deriveKey("correct horse battery stapler"), key)
  })

  const spelled = Schema.Array(
    Schema.Literals(["e", "\u0301", "\u0308", "n", "\u0303", "\u00e9", "\uac01", "\u1100", "\u212b", "x"])
  )
  it.prop(
    "every spelling of a text in Unicode proves the same passphrase",
    [spelled],
    ([parts]) => {
      const text = `pass ${parts.join("")}`
      const [composed, decomposed] = [text.normalize("NFC"), text.normalize("NFD")]
      const proof = Handshake.prove(Handshake.deriveKey(decomposed), "dialler", transcript)
      assert.isTrue(Handshake.verify(Handshake.deriveKey(composed), "dialler", transcript, proof))
      assert.isTrue(Handshake.verify(Handshake.deriveKey(text), "dialler", transcript, proof))
    },
    runs(10)
  )

  it("letters that only look alike are another passphrase", () => {
    // Latin and Cyrillic a; full width and plain; a ligature and its letters.
    for (const [one, other] of [
      ["a", "\u0430"],
      ["\uff41", "a"],
      ["\ufb01", "fi"]
    ] as const) {
      assert.notDeepEqual(Handshake.deriveKey(one), Handshake.deriveKey(other))
    }
  })

  it("a proof holds for its own transcript", () => {
    for (const role of ["dialler", "server"] as const) {
      assert.isTrue(Handshake.verify(key, role, transcript, Handshake.prove(key, role, transcript)))
    }
  })

  it("a proof holds for nothing else: role, nonce, channel, node or key", () => {
    const proof = Handshake.prove(key, "dialler", transcript)
    assert.isFalse(Handshake.verify(key, "server", transcript, proof))
    assert.isFalse(Handshake.verify(new Uint8Array(32), "dialler", transcript, proof))
    const others: ReadonlyArray<Partial<Handshake.Transcript>> = [
      { nonces: { dialler: "replayed", server: transcript.nonces.server } },
      { nonces: { dialler: transcript.nonces.dialler, server: "replayed" } },
      { nonces: { dialler: transcript.nonces.server, server: transcript.nonces.dialler } },
      { binding: new Uint8Array(32).fill(8) },
      { dialler: "b" },
      { dialler: "", server: "a" }
    ]
    for (const other of others) {
      assert.isFalse(Handshake.verify(key, "dialler", { ...transcript, ...other }, proof), JSON.stringify(other))
    }
  })

  it("fields cannot be shifted into one another", () => {
    const shifted = (dialler: string, server: string) =>
      Handshake.prove(key, "server", { ...transcript, dialler, server })
    assert.notStrictEqual(shifted("ab", "c"), shifted("a", "bc"))
  })

  it.prop(
    "no text is a proof but the proof",
    [Schema.String],
    ([text]) => {
      const proof = Handshake.prove(key, "dialler", transcript)
      assert.isFalse(Handshake.verify(key, "dialler", transcript, text))
      assert.isFalse(Handshake.verify(key, "dialler", transcript, proof + text + "x"))
      assert.isFalse(Handshake.verify(key, "dialler", transcript, proof.slice(0, text.length % proof.length)))
    },
    { arbitrary: { runs: 2_000 } }
  )
})
