/** The short form of the path of a socket: each way to it, and when there is none. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type FileSystem, type Scope } from "effect"
import { mkdir, readdir, realpath, stat } from "node:fs/promises"
import { createServer } from "node:net"
import { dirname, join } from "node:path"
import * as Socket from "../../../../src/services/admin/api/Socket.ts"
import { directory } from "../../../support/Directory.ts"

const within = (test: (root: string) => Effect.Effect<unknown, unknown, FileSystem.FileSystem | Scope.Scope>) =>
  Effect.flatMap(directory, test).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))

const makeHome = (root: string) =>
  Effect.promise(async () => {
    const home = join(root, "x".repeat(70), "y".repeat(70))
    await mkdir(home, { recursive: true })
    return home
  })

/** Something that listens there. */
const listening = (path: string) =>
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const server = createServer((socket) => socket.destroy())
      server.listen(path, () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => server.close())
  )

const none: Socket.Ways = { descriptors: "/nowhere", linksIn: [] }

describe("Socket", () => {
  it.live("a short path is taken as it is", () =>
    within((root) =>
      Effect.gen(function* () {
        const socket = join(root, "s")
        assert.strictEqual(yield* Socket.reachable(socket, none), socket)
      })
    )
  )

  for (const [name, ways] of [
    ["the ways of this system", () => undefined],
    ["a link in the first directory that can be used", (root: string) => ["/nowhere", "/proc", join(root, "t")]],
    ["a link, past directories whose path is too long", (root: string) => [join(root, "z".repeat(90)), join(root, "t")]]
  ] as const) {
    it.live(`a long path has a short form that leads to the same socket: ${name}`, () =>
      within((root) =>
        Effect.gen(function* () {
          const home = yield* makeHome(root)
          yield* Effect.promise(() => mkdir(join(root, "t")))
          const linksIn = ways(root)
          const given = linksIn === undefined ? undefined : { descriptors: "/nowhere", linksIn }
          const socket = join(home, "feral-sync.sock")
          const path = yield* Socket.reachable(socket, given)
          assert.isAtMost(Buffer.byteLength(path), 100)
          yield* listening(path)
          assert.strictEqual(yield* Effect.promise(() => realpath(path)), yield* Effect.promise(() => realpath(socket)))
          // Another process finds it by a form of its own.
          assert.isTrue(yield* Effect.scoped(Effect.flatMap(Socket.reachable(socket, given), Socket.answers)))
        })
      )
    )
  }

  it.live("a link is in a directory for this user alone, and goes with the scope", () =>
    within((root) =>
      Effect.gen(function* () {
        const home = yield* makeHome(root)
        const links = join(root, "t")
        yield* Effect.promise(() => mkdir(links))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const path = yield* Socket.reachable(join(home, "s"), { descriptors: "/nowhere", linksIn: [links] })
            const { mode, uid } = yield* Effect.promise(() => stat(dirname(dirname(path))))
            assert.deepStrictEqual([mode & 0o777, uid], [0o700, process.getuid?.() ?? uid])
          })
        )
        assert.deepStrictEqual(yield* Effect.promise(() => readdir(links)), [])
      })
    )
  )

  it.live("without any way it fails, and names the path", () =>
    within((root) =>
      Effect.gen(function* () {
        const socket = join(yield* makeHome(root), "s")
        const error = yield* Effect.flip(Socket.reachable(socket, none))
        assert.strictEqual(error._tag, "StoreUnavailable")
        assert.include(error.message, socket)
      })
    )
  )
})
