/**
 * The program in few files, as it is in the package, made once for all tests that run processes. All that it needs is in them. The
 * package test runs what is packed, and the demo runs the sources.
 */
import { chmodSync, cpSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bundle } from "../../scripts/bundle/Bundle.ts"
import { variable } from "./Program.ts"

const root = new URL("../../", import.meta.url).pathname

export const setup = async (): Promise<() => void> => {
  const directory = mkdtempSync(join(tmpdir(), "feral-sync-program-"))
  // Some tests run it as another user.
  chmodSync(directory, 0o755)
  cpSync(join(root, "package.json"), join(directory, "package.json"))
  const dist = join(directory, "dist")
  cpSync(join(root, "src/dashboard"), join(dist, "dashboard"), { recursive: true })
  const thread = "services/store/SqliteIntegrityThread"
  // Another user may not see our `node_modules`.
  await bundle(dist, { main: "main.ts", [thread]: `${thread}.ts` }, "all")
  process.env[variable] = join(dist, "main.js")
  // What is compiled of it goes with it.
  process.env["XDG_CACHE_HOME"] = directory
  return () => rmSync(directory, { recursive: true, force: true })
}
