/**
 * Some mutants of `npm run mutants` that are found at once: what finds them works. It computes, and may get only the time that other
 * tests leave.
 */
import { assert, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { promisify } from "node:util"

it("oracles find what breaks the program, and say which of them did", { timeout: 900_000 }, async () => {
  const script = new URL("../../scripts/mutants.ts", import.meta.url).pathname
  const { stdout } = await promisify(execFile)(process.execPath, [script, "--sample", "--seeds", "60"])
  assert.match(stdout, /^✓ the clock before the rows: seed \d+, by claims/m)
  assert.match(stdout, /^✓ the row that is written after a search is not indexed: seed \d+, by user/m)
  assert.match(stdout, /^✓ the digest keeps what was replaced: seed \d+, by digest/m)
  assert.match(stdout, /^✓ never claim what we wrote: seed \d+, by claims/m)
})
