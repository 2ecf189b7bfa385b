import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Handshake from "../../../src/core/sync/Handshake.ts"
import { runs } from "../../support/Generators.ts"

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

  // Long ones: to derive a key takes a tenth of a second, whatever it is made of.
  const spelled = Schema.Array(
    Schema.Literals(["e", "\u0301", "\u0308", "n", "\u0303", "\u00e9", "\uac01", "\u1100", "\u212b", "x"])
  ).check(Schema.isMinLength(40))
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
    { arbitrary: { runs: 2, size: 60 } }
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
    runs(2_000)
  )
})

describe("tickets", () => {
  const own = Handshake.ticketKey(key, new Uint8Array(32).fill(1))
  const channel: Handshake.TicketChannel = { nonce: "nonce-of-the-dialler", binding: new Uint8Array(32).fill(9) }
  const ticket = Handshake.ticketOf(own, "member")
  const id = ticket.slice(0, 22)

  it("a member gets the same ticket each time, and another one than others", () => {
    assert.isTrue(Handshake.isTicket(ticket))
    assert.strictEqual(Handshake.ticketOf(own, "member"), ticket)
    assert.notStrictEqual(Handshake.ticketOf(own, "another").slice(0, 22), id)
  })

  it("what its holder shows is recognised on that channel, and does not hold the secret", () => {
    const shown = Handshake.showTicket(ticket, channel)
    assert.strictEqual(Handshake.recogniseTicket(own, shown, channel), id)
    assert.notInclude(shown, ticket.slice(23))
  })

  it("nothing else is recognised: another channel, nonce, passphrase, node, ticket, or the ticket itself", () => {
    const shown = Handshake.showTicket(ticket, channel)
    const cases: ReadonlyArray<readonly [string, Uint8Array, string, Handshake.TicketChannel]> = [
      ["replayed on another channel", own, shown, { ...channel, binding: new Uint8Array(32).fill(8) }],
      ["replayed with another nonce", own, shown, { ...channel, nonce: "another" }],
      ["of another passphrase", Handshake.ticketKey(new Uint8Array(32), new Uint8Array(32).fill(1)), shown, channel],
      ["of another node", Handshake.ticketKey(key, new Uint8Array(32).fill(2)), shown, channel],
      [
        "with the id of another member",
        own,
        Handshake.ticketOf(own, "another").slice(0, 22) + shown.slice(22),
        channel
      ],
      ["the ticket itself", own, ticket, channel],
      // Whoever knows the passphrase and nothing of the node makes a key of his own.
      ["made from the passphrase alone", own, Handshake.showTicket(Handshake.ticketOf(key, "member"), channel), channel]
    ]
    for (const [name, ticketKey, text, on] of cases) {
      assert.isUndefined(Handshake.recogniseTicket(ticketKey, text, on), name)
    }
  })

  it.prop(
    "no text is recognised, and none throws",
    [Schema.String],
    ([text]) => {
      const shown = Handshake.showTicket(ticket, channel)
      for (const other of [text, `${id}.${text}`, shown + text + "x", shown.slice(0, text.length % shown.length)]) {
        assert.isUndefined(Handshake.recogniseTicket(own, other, channel))
        assert.strictEqual(Handshake.showTicket(other, channel) === "", !Handshake.isTicket(other))
      }
    },
    runs(1_000)
  )
})
