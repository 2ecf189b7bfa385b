/** What is said of the installation holds: npm prints no warnings that mean nothing. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"

describe("npm ci", () => {
  // The Node that installs a clone may be older than the one in it, and npm warns (EBADENGINE) of every package that wants a later one.
  it("prints errors alone", () => {
    const lines = readFileSync(new URL("../../.npmrc", import.meta.url), "utf8").split("\n")
    assert.include(lines, "loglevel=error")
  })
})
