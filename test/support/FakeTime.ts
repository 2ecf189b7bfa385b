/** A clock that is wrong, for a process: Debian's `faketime`. */
import { execFileSync } from "node:child_process"
import type { Env } from "./Nodes.ts"

/** The variables that set the wall clock of a process off, such as `+10m` or `-1y`. Time goes on at its usual pace. */
export const fakeTime = (offset: string): Env => {
  const shown = execFileSync("faketime", ["-f", offset, "env"], { encoding: "utf8" })
  const preload = /^LD_PRELOAD=(.+)$/m.exec(shown)?.[1]
  if (preload === undefined) throw new Error("faketime shows no library to preload")
  return { LD_PRELOAD: preload, FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: "1" }
}
