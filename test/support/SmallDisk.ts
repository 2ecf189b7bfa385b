/**
 * A file system of its own that can be filled. Linux, and root.
 */
import { assert } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export class SmallDisk {
  readonly root: string

  /** `size` as `mount` takes it, like `48m`. */
  constructor(size: string) {
    this.root = mkdtempSync(join(tmpdir(), "feral-mount-"))
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", this.root])
  }

  remove(): void {
    execFileSync("umount", ["--lazy", this.root])
    rmSync(this.root, { recursive: true, force: true })
  }
}

/** Takes all the room that there is. */
export const fill = (file: string): void => {
  writeFileSync(file, "")
  for (let size = 1024 * 1024; size >= 512; size /= 2) {
    try {
      for (;;) appendFileSync(file, Buffer.alloc(size, 1))
    } catch (error) {
      assert.propertyVal(error, "code", "ENOSPC")
    }
  }
}
