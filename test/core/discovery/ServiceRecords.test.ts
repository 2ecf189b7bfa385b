import { assert, describe, it } from "@effect/vitest"
import { isName, nameKey } from "../../../src/core/discovery/DnsRecord.ts"
import {
  announcedSets,
  isInstance,
  nodeOf,
  recordsOf,
  selfOf,
  serviceType,
  textOf
} from "../../../src/core/discovery/ServiceRecords.ts"
import { NodeId, utf8Length } from "../../../src/core/replica/NodeId.ts"
import { linkOf } from "../../support/DnsSdWorld.ts"
import { nodeId, runs } from "../../support/Generators.ts"

const link = linkOf(1, 0, ["fd00::1"])

describe("Service", () => {
  it.prop(
    "any node id can be announced, and is read back from what was announced",
    [nodeId],
    ([id]) => {
      const self = selfOf(id, 9090)
      assert.isTrue(isName(self.instance) && isName(self.host) && isInstance(self.instance))
      for (const set of announcedSets) {
        for (const record of recordsOf(self, link, set)) {
          assert.isTrue(isName(record.name) && record.ttl > 0)
          if (record.type !== "TXT") continue
          assert.isTrue(record.strings.every((text) => utf8Length(text) <= 255))
          const text = textOf(record.strings)
          assert.strictEqual(text.protocol, 2)
          assert.strictEqual(nodeOf(self.instance, text.id), id)
        }
      }
    },
    runs(3000)
  )

  it.prop(
    "different ids have different names, but for the case of ASCII letters",
    [nodeId, nodeId],
    ([a, b]) => {
      const isSame = nameKey(selfOf(a, 1).instance) === nameKey(selfOf(b, 1).instance)
      assert.strictEqual(isSame, nameKey(a) === nameKey(b))
    },
    runs(3000)
  )

  it("an id that fits stands in the name as it is; another one is shortened and marked", () => {
    const labelOf = (id: string) => selfOf(NodeId.make(id), 1).instance.slice(0, -serviceType.length - 1)
    assert.strictEqual(labelOf("node 1:é"), "feral-node 1:é")
    assert.strictEqual(labelOf("x".repeat(57)), `feral-${"x".repeat(57)}`)
    assert.match(labelOf("x".repeat(58)), /^feral-x{48}-[0-9a-f]{8}$/)
    assert.match(labelOf("host.example"), /^feral-host-example-[0-9a-f]{8}$/)
    assert.notStrictEqual(labelOf("host.example"), labelOf("host\\example"))
    assert.notStrictEqual(labelOf("x".repeat(100)), labelOf("x".repeat(101)))
  })
})
