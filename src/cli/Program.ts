/**
 * The program: runs the command line, and ends with its exit code.
 *
 * A short command spends most of its time compiling the same modules again. So the compiled code is cached in the cache
 * directory of the user, where no other user can write. Imports begin only after the cache is set up.
 */
import { existsSync, mkdirSync } from "node:fs"
import { enableCompileCache } from "node:module"
import { join } from "node:path"
import { growWithLoad, keepSmall } from "../Heap.ts"
import { userHome } from "../services/node/UserHome.ts"

/** Whether the directory is there, or could be made. Its parent is not made: a user without a home has no cache. */
const isThere = (directory: string): boolean => {
  try {
    mkdirSync(directory, { mode: 0o700 })
    return true
  } catch {
    return existsSync(directory)
  }
}

// Without a listener, this signal opens the inspector: a port on which any user of this machine runs code in the node.
process.on("SIGUSR1", () => {})

// A short command is over before a small heap pays, and each collection is time that it takes.
const args = process.argv.slice(2)
const isLasting = ["start", "mcp", "export", "import", "changes", "--follow"].some((name) => args.includes(name))
if (isLasting) keepSmall()

const home = userHome()
const caches = process.env["XDG_CACHE_HOME"] || (home === undefined ? undefined : join(home, ".cache"))
const ours = caches === undefined ? undefined : join(caches, "feral-sync")
if (caches !== undefined && ours !== undefined && isThere(caches) && isThere(ours)) enableCompileCache(ours)

// A terminal that is closed and Ctrl-\ end a command as SIGTERM does: it lets go of what it holds. Until something
// listens to that, there is nothing to let go of.
for (const signal of ["SIGHUP", "SIGQUIT"] as const) {
  process.on(signal, () => {
    if (!process.emit("SIGTERM")) process.exit(130)
  })
}

const { start } = await import("./Process.ts")

await start(args, isLasting ? growWithLoad : () => {})
