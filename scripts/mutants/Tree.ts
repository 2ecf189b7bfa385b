/** Copies of the program in which something is broken. */
import { cpSync, mkdtempSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** The program as it stands. */
export const root = new URL("../../", import.meta.url).pathname

/** A new copy of what the tests need, which shares the dependencies. The caller removes it. */
export const copied = (): string => {
  const tree = mkdtempSync(join(tmpdir(), "feral-sync-mutant-"))
  for (const part of ["src", "test", "scripts", "package.json", "tsconfig.json", "vitest.config.ts"])
    cpSync(join(root, part), join(tree, part), { recursive: true })
  symlinkSync(join(root, "node_modules"), join(tree, "node_modules"))
  return tree
}
