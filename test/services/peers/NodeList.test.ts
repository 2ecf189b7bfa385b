/** A list of nodes that people keep. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { NodeId } from "../../../src/core/replica/NodeId.ts"
import * as Removed from "../../../src/services/peers/Removed.ts"

const ids = (count: number) => new Set(Array.from({ length: count }, (_, index) => NodeId.make(`node-${index}`)))

describe("the list of removed nodes", () => {
  it.live("is read back as it was written, and one that is too long is refused, with the next step", () =>
    Effect.gen(function* () {
      const home = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
      yield* Removed.write(home, ids(1_000))
      const { message } = yield* Effect.flip(Removed.write(home, ids(1_001)))
      assert.match(message, /has room for 1,000 nodes, and none is left; .*peers readmit/)
      assert.deepStrictEqual(yield* Removed.read(home), ids(1_000))
      // A list of before may be longer, and can be made shorter.
      yield* (yield* FileSystem.FileSystem).writeFileString(`${home}/removed`, [...ids(1_500)].join("\n"))
      assert.deepStrictEqual(yield* Removed.read(home), ids(1_000))
      yield* Removed.write(home, ids(999))
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))
  )
})
