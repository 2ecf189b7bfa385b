import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { isName } from "../../../src/core/discovery/DnsRecord.ts"
import { serviceType } from "../../../src/core/discovery/ServiceRecords.ts"
import { packetFrom } from "../../../src/services/discovery/Packets.ts"
import { element, integer, oneOf, runs } from "../../support/Generators.ts"

const junk = oneOf<unknown>(
  Arbitrary.map(
    element("nothing", "null", "nan", "bytes", "broken", "list", "object", "holes", "srv", "bad srv"),
    (kind): unknown =>
      ({
        null: null,
        nan: NaN,
        bytes: Buffer.from("node_id=é"),
        broken: Buffer.from([0x70, 0x3d, 0xff]),
        list: [Buffer.from("a=1"), Buffer.from([0xff]), "text", 1, null],
        object: { port: 1 },
        holes: Array.from({ length: 3 }),
        srv: { port: 9090, target: "feral-you.local" },
        "bad srv": { port: "9090", target: "" }
      })[kind as string]
  ),
  element(
    "10.0.0.1",
    "::1",
    "::ffff:1.2.3.4",
    "undefined.1.2.3",
    "feral-you.local",
    serviceType,
    "",
    ".",
    "a..b",
    true
  ),
  element("x".repeat(64), "10.0.0.1 ", "fe80::1%eth0"),
  integer(-1, 70_000),
  Arbitrary.schema(Schema.String)
)
const entry = oneOf<unknown>(
  junk,
  Arbitrary.all({
    name: oneOf<unknown>(element("feral-you.local", serviceType, "."), junk),
    type: oneOf<unknown>(element("PTR", "SRV", "TXT", "A", "AAAA", "ANY", "OPT", "NSEC", "UNKNOWN_65"), junk),
    class: oneOf<unknown>(element("IN", "ANY", "CH", "UNKNOWN_32769", "UNKNOWN_33023"), junk),
    ttl: oneOf<unknown>(integer(-1, 10_000), junk),
    flush: junk,
    data: junk
  })
)
const section = oneOf<unknown>(Arbitrary.array(entry, { maxLength: 6 }), junk)

describe("packetFrom", () => {
  it.prop(
    "makes sound packets of anything",
    [
      Arbitrary.all({
        type: oneOf<unknown>(element("query", "response"), junk),
        id: junk,
        opcode: oneOf<unknown>(element("QUERY"), junk),
        rcode: oneOf<unknown>(element("NOERROR"), junk),
        questions: section,
        answers: section,
        additionals: section
      })
    ],
    ([decoded]) => {
      const packet = packetFrom(decoded)
      if (packet === undefined) return
      assert.isTrue(decoded.opcode === undefined || decoded.opcode === "QUERY")
      for (const { name } of packet.questions) assert.isTrue(isName(name))
      for (const record of [...packet.answers, ...packet.additionals]) {
        assert.isTrue(isName(record.name) && record.ttl >= 0 && typeof record.flush === "boolean")
        if ("target" in record) assert.isTrue(isName(record.target))
        if ("address" in record) assert.match(record.address, record.type === "A" ? /^[\d.]+$/ : /^[\da-f:.]+(%.+)?$/)
        if ("port" in record) assert.isNumber(record.port)
        if ("strings" in record)
          assert.isTrue(record.strings.every((text) => text.isWellFormed() && !text.includes("\ufffd")))
      }
    },
    runs(5000)
  )

  it("reads a response, and leaves out what it does not know", () => {
    const common = { class: "IN", ttl: 120, flush: true }
    const [name, target] = [`feral-you.${serviceType}`, "feral-you.local"]
    assert.deepStrictEqual(
      packetFrom({
        type: "response",
        id: 0,
        opcode: "QUERY",
        rcode: "NOERROR",
        questions: [],
        answers: [
          { ...common, name: serviceType, type: "PTR", flush: false, data: name },
          { ...common, name, type: "SRV", data: { priority: 0, weight: 0, port: 9090, target } },
          { ...common, name, type: "TXT", data: [Buffer.from("node_id=you"), Buffer.from([0xff]), Buffer.from("p=2")] },
          { ...common, name: target, type: "NSEC", data: { nextDomain: target, rrtypes: ["A"] } },
          { ...common, name: target, type: "A", class: "CH", data: "10.0.0.2" }
        ],
        additionals: [
          { ...common, name: target, type: "A", data: "10.0.0.2" },
          { ...common, name: target, type: "AAAA", data: "FE80::2" },
          { type: "OPT", name: "." }
        ]
      }),
      {
        kind: "response",
        id: 0,
        isTruncated: false,
        questions: [],
        authorities: [],
        answers: [
          { name: serviceType, ttl: 120, flush: false, type: "PTR", target: name },
          { name, ttl: 120, flush: true, type: "SRV", port: 9090, target },
          { name, ttl: 120, flush: true, type: "TXT", strings: ["node_id=you", "p=2"] }
        ],
        additionals: [
          { name: target, ttl: 120, flush: true, type: "A", address: "10.0.0.2" },
          { name: target, ttl: 120, flush: true, type: "AAAA", address: "fe80::2" }
        ]
      }
    )
  })

  it("takes a question for the same whether it wants the answer for itself or not", () => {
    const question = (klass: string) => ({ name: serviceType, type: "PTR", class: klass })
    const questions = ["IN", "ANY", "UNKNOWN_32769", "UNKNOWN_33023", "CH", "UNKNOWN_32770"].map(question)
    assert.strictEqual(packetFrom({ type: "query", questions })?.questions.length, 4)
  })

  it("leaves out addresses, names and strings that are none", () => {
    const common = { class: "IN", ttl: 120, flush: false, name: "a.local" }
    const answers = [
      { ...common, type: "A", data: "undefined.0.0.1" },
      { ...common, type: "A", data: "::1" },
      { ...common, type: "AAAA", data: "10.0.0.1" },
      { ...common, type: "PTR", data: "a..b" },
      { ...common, type: "SRV", data: { port: 1, target: "" } },
      { ...common, name: ".", type: "A", data: "10.0.0.1" },
      undefined
    ]
    assert.deepStrictEqual(packetFrom({ type: "response", answers })?.answers, [])
  })

  it("takes no packet that is an error, or neither query nor response", () => {
    assert.isUndefined(packetFrom({ type: "response", rcode: "NXDOMAIN" }))
    assert.isUndefined(packetFrom({ type: "query", opcode: "STATUS" }))
    assert.isUndefined(packetFrom({ type: "other" }))
  })
})
