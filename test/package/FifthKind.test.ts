import { assert, describe, it } from "@effect/vitest"
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fifthKind, output } from "../support/FifthKind.ts"

describe("a fifth kind", () => {
  it("has types for all that is derived from its entry", async () => {
    const tree = fifthKind()
    try {
      const config = { extends: "./tsconfig.json", include: ["src", "application.ts", "test/support/Surroundings.ts"] }
      writeFileSync(join(tree, "tsconfig.fifth.json"), JSON.stringify(config))
      assert.strictEqual(await output(tree, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.fifth.json"]), "")
    } finally {
      rmSync(tree, { recursive: true })
    }
  })
})
