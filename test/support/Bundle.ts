/**
 * The program as one bundle, made once for all tests that run processes: a command starts in half the time that it takes from
 * the sources. The package test and the demo run it as people do.
 */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { rolldown } from "rolldown"
import { variable } from "./Program.ts"

const root = new URL("../../", import.meta.url).pathname

export const setup = async (): Promise<() => void> => {
  const directory = mkdtempSync(join(tmpdir(), "feral-sync-program-"))
  // As deep as in the package: `package.json` is looked up from where the modules are.
  const modules = join(directory, "dist", "services", "node")
  mkdirSync(modules, { recursive: true })
  // Some tests run it as another user.
  chmodSync(directory, 0o755)
  cpSync(join(root, "package.json"), join(directory, "package.json"))
  // `Assets.ts` looks for it three directories above its own.
  cpSync(join(root, "src/dashboard"), join(directory, "dashboard"), { recursive: true })
  const bundle = await rolldown({
    input: {
      main: join(root, "src/main.ts"),
      SqliteIntegrityThread: join(root, "src/services/store/SqliteIntegrityThread.ts")
    },
    platform: "node",
    logLevel: "silent"
  })
  await bundle.write({ dir: modules, format: "esm", entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" })
  await bundle.close()
  process.env[variable] = join(modules, "main.js")
  // What is compiled of it goes with it.
  process.env["XDG_CACHE_HOME"] = directory
  return () => rmSync(directory, { recursive: true, force: true })
}
