/**
 * The path of a Unix socket, which the system limits to about a hundred bytes: a longer one is reached through a short
 * symbolic link to its directory.
 */
import { Effect, FileSystem } from "effect"
import { connect } from "node:net"
import { basename, dirname, join } from "node:path"

/** What every system takes: macOS 103 bytes, Linux 107. */
const longest = 100

/** A path by which `socket` can be listened on or dialled, while the scope is open. */
export const reachable = Effect.fnUntraced(function* (socket: string) {
  if (Buffer.byteLength(socket) <= longest) return socket
  const fs = yield* FileSystem.FileSystem
  const directory = yield* fs.makeTempDirectoryScoped({ prefix: "feral-" })
  const link = join(directory, "home")
  yield* fs.symlink(dirname(socket), link)
  return join(link, basename(socket))
})

/** Whether someone listens there. */
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
