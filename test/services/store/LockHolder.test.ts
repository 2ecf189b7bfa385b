import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import * as LockHolder from "../../../src/services/store/LockHolder.ts"

const locks = `1: FLOCK  ADVISORY  WRITE 18683 fe:00:42 0 EOF
2: POSIX  ADVISORY  READ 16127 fe:00:42 1073741826 1073742335
3: -> POSIX  ADVISORY  WRITE 16128 fe:00:42 1073741824 1073742335
4: POSIX  ADVISORY  WRITE 16129 fe:00:42 128 128
5: POSIX  ADVISORY  WRITE 0 fe:00:43 1073741824 1073742335
6: POSIX  ADVISORY  WRITE 16130 fe:00:44 1073741824 1073742335
`

describe("LockHolder", () => {
  it.each([
    [42, undefined, "a process that reads, waits or locks other bytes holds nothing"],
    [43, undefined, "a process of another container has no number here"],
    [44, 16130, "the process that holds the bytes that SQLite locks"],
    [4, undefined, "another file"]
  ])("file %i: %s, %s", (...[inode, pid]) => {
    assert.strictEqual(LockHolder.writerOf(locks, inode), pid)
    assert.isUndefined(LockHolder.writerOf("", inode))
  })

  it("names a process as far as it is known", () => {
    assert.strictEqual(LockHolder.describe(Option.none()), "another process")
    assert.strictEqual(LockHolder.describe(Option.some({ pid: 7, command: "" })), "process 7")
    assert.strictEqual(LockHolder.describe(Option.some({ pid: 7, command: "node a.ts" })), "process 7 (node a.ts)")
  })
})
