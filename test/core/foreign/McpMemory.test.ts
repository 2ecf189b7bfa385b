/** The file of the reference memory server, whole and damaged. */
import { assert, describe, it } from "@effect/vitest"
import * as McpMemory from "../../../src/core/foreign/McpMemory.ts"

const entity = '{"type":"entity","name":"Ada","entityType":"person","observations":["likes tea","born 1815"]}'
const relation = '{"type":"relation","from":"Ada","to":"Babbage","relationType":"knows"}'

const facts = (text: string) =>
  [...McpMemory.found(text)].map((one) => {
    if (one._tag !== "Operation") return one._tag === "Refused" ? `${one.where}: ${one.reason}` : one._tag
    const { data, timestamp } = JSON.parse(one.line) as { data: Record<string, string>; timestamp: number }
    assert.strictEqual(timestamp, 0)
    return `${data["subject"]} ${data["predicate"]} ${data["object"]}`
  })

const ada = ["Ada is a person", "Ada observation likes tea", "Ada observation born 1815"]

describe("McpMemory", () => {
  it.each([
    ["lines", `${entity}\n${relation}\n`, [...ada, "Ada knows Babbage"]],
    ["one line", entity, ada],
    ["a byte order mark, and carriage returns", `\uFEFF${entity}\r\n\r\n${relation}`, [...ada, "Ada knows Babbage"]],
    ["a list", `[${entity},${relation}]`, [...ada, "Ada knows Babbage"]],
    ["a graph", `{"entities":[${entity}],"relations":[${relation}]}`, [...ada, "Ada knows Babbage"]],
    ["values on one line", `${relation}${entity}\n${relation}`, ["Ada knows Babbage", ...ada, "Ada knows Babbage"]],
    [
      "a line that was cut",
      `${relation}\n${entity.slice(0, 40)}\n${relation}`,
      ["Ada knows Babbage", "line 2: it is not JSON, or was cut", "Ada knows Babbage"]
    ],
    [
      "the rest of an earlier line",
      `${relation}ons":["x"]}\n${relation}`,
      [
        "Ada knows Babbage",
        `line 1: what follows after ${relation.length} characters is not JSON, or was cut`,
        "Ada knows Babbage"
      ]
    ],
    ["NUL bytes", `${relation}\0\0\0\n${relation}`, ["Ada knows Babbage", "Ada knows Babbage"]],
    [
      "what is neither",
      `7\n{"type":"_aim"}\n{"type":"relation","from":"a"}`,
      [
        "line 1: neither an entity nor a relation",
        "line 2: neither an entity nor a relation",
        "line 3: a relation needs from, relationType and to"
      ]
    ]
  ])("%s", (_, text, expected) => {
    assert.deepStrictEqual(facts(text), expected)
  })

  it("gives a statement one id, wherever it stands", () => {
    const ids = [...McpMemory.found(`${relation}\n${relation}`)].map((one) =>
      one._tag === "Operation" ? one.line : ""
    )
    assert.strictEqual(ids[0], ids[1])
  })
})
