/**
 * The path of a Unix socket, which the system limits to about a hundred bytes. The socket is always in the data
 * directory, so that a node and its commands find it by themselves, whatever else their environments say. A longer path
 * has a short form: through a descriptor of the directory (`/proc/self/fd`), or else through a symbolic link of this
 * process alone.
 *
 * The link is in a new directory for this user alone, with a name that cannot be guessed. So no other user can put a
 * socket there.
 */
import { Effect, FileSystem, type Scope } from "effect"
import { closeSync, openSync, statSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { StoreUnavailable } from "../../node/NodeFailure.ts"

/** What every system takes: macOS 103 bytes, Linux 107. */
const longest = 100

const isShort = (path: string) => Buffer.byteLength(path) <= longest

/** Ways to a short form of a path. The first that works is taken. */
export interface Ways {
  /** Where the system shows the descriptors of this process. */
  readonly descriptors: string
  /** Directories in which this user may be able to make a link. */
  readonly linksIn: ReadonlyArray<string>
}

const waysHere = (): Ways => ({
  descriptors: "/proc/self/fd",
  linksIn: [process.env["XDG_RUNTIME_DIR"], tmpdir(), "/tmp", "/var/tmp"].filter((path) => path !== undefined)
})

/** A path by which `socket` can be listened on or dialled, while the scope is open. */
export const reachable = Effect.fnUntraced(function* (
  socket: string,
  { descriptors, linksIn }: Ways = waysHere()
): Effect.fn.Return<string, StoreUnavailable, FileSystem.FileSystem | Scope.Scope> {
  if (isShort(socket)) return socket
  const home = dirname(socket)
  const name = basename(socket)
  const opened = yield* Effect.acquireRelease(
    Effect.try(() => openSync(home, "r")).pipe(Effect.orElseSucceed(() => undefined)),
    (descriptor) => Effect.sync(() => descriptor !== undefined && closeSync(descriptor))
  )
  const byDescriptor = join(descriptors, String(opened), name)
  if (opened !== undefined && isShort(byDescriptor) && isSame(join(descriptors, String(opened)), home)) {
    return byDescriptor
  }
  for (const directory of linksIn.filter((directory) => isShort(join(directory, "feral-XXXXXX", "home", name)))) {
    const link = yield* Effect.option(linkIn(directory, home))
    if (link._tag === "Some") return join(link.value, name)
  }
  const detail = `commands cannot reach a node in this directory: the path ${socket} is too long for a socket, and a short one cannot be created`
  return yield* new StoreUnavailable({ reason: "other", detail })
})

const linkIn = Effect.fnUntraced(function* (directory: string, home: string) {
  const fs = yield* FileSystem.FileSystem
  const made = yield* fs.makeTempDirectoryScoped({ directory, prefix: "feral-" })
  const link = join(made, "home")
  yield* fs.symlink(home, link)
  return link
})

const isSame = (path: string, other: string): boolean => {
  const [a, b] = [path, other].map((path) => statSync(path, { bigint: true, throwIfNoEntry: false }))
  return a !== undefined && a.dev === b?.dev && a.ino === b.ino
}

/** Whether a process listens there. */
export const answers = (path: string): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    const socket = connect({ path })
    socket.once("connect", () => {
      socket.destroy()
      resume(Effect.succeed(true))
    })
    socket.once("error", () => resume(Effect.succeed(false)))
    return Effect.sync(() => socket.destroy())
  }).pipe(Effect.timeoutOrElse({ duration: "2 seconds", orElse: () => Effect.succeed(false) }))
