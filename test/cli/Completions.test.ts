/** Completions for shells, where each looks for them. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { freshHome, run } from "../support/Nodes.ts"

describe("completions install", () => {
  it("writes a script for the shell of the user, with the commands in it", async () => {
    const { home, remove } = freshHome()
    const place = dirname(home)
    const env = { HOME: place, XDG_DATA_HOME: undefined, XDG_CONFIG_HOME: undefined, SHELL: "/usr/bin/fish" }
    try {
      const fish = await run(["completions", "install", "--json"], env)
      const file = join(place, ".config/fish/completions/feral-sync.fish")
      assert.deepStrictEqual([fish.code, fish.stderr, JSON.parse(fish.stdout)], [0, "", { shell: "fish", file }])
      assert.include(readFileSync(file, "utf8"), "verify")
      const none = await run(["completions", "install", "--json"], { ...env, SHELL: "/bin/other" })
      assert.strictEqual(none.code, 2)
    } finally {
      remove()
    }
  })
})
