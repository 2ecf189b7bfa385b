/** Files that change under a running node: who is met with which certificate, and what becomes of open connections. */
import { assert, layer } from "@effect/vitest"
import { Effect, Logger, Option, Queue, References, Schedule, type Scope } from "effect"
import { X509Certificate } from "node:crypto"
import { copyFile, mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { connect } from "node:tls"
import type { Settings, TlsFiles } from "../../../../src/services/node/Config.ts"
import * as Directory from "../../../support/Directory.ts"
import { alsoTrusting, quick, Shelf } from "../../../support/TlsNodes.ts"
import { nextText, type Node, reception, webSocket } from "../../../support/Transports.ts"

const parts = ["cert", "key", "ca"] as const

const filesIn = (directory: string): TlsFiles => ({
  cert: join(directory, "cert.pem"),
  key: join(directory, "key.pem"),
  ca: join(directory, "ca.pem")
})

/** Puts files in the place of others, each in one step. */
const put = (from: TlsFiles, to: TlsFiles, which: ReadonlyArray<(typeof parts)[number]> = parts) =>
  Effect.promise(async () => {
    for (const part of which) {
      await copyFile(from[part], `${to[part]}.new`)
      await rename(`${to[part]}.new`, to[part])
    }
  })

/** A node with files of its own, which it looks at often. */
const node = Effect.fnUntraced(function* (from: TlsFiles) {
  const directory = yield* Directory.directory
  const files = filesIn(directory)
  yield* put(from, files)
  const changes: Partial<Settings> = { tls: Option.some(files), requireClientCert: true }
  return { directory, files, transport: yield* webSocket(changes, { ...quick, lookEvery: "20 millis" }) }
})

/** The subject of the certificate that a server shows. */
const shownAt = (at: { host: string; port: number }) =>
  Effect.callback<string>((resume) => {
    const socket = connect({ ...at, rejectUnauthorized: false }, () => {
      resume(Effect.succeed(socket.getPeerX509Certificate()?.subject ?? ""))
      socket.destroy()
    })
    socket.on("error", () => {})
  })

const eventually = <A, E, R>(ask: Effect.Effect<A, E, R>, isGood: (answer: A) => boolean) =>
  ask.pipe(Effect.repeat({ until: isGood, schedule: Schedule.spaced("20 millis") }), Effect.timeout("10 seconds"))

/** Runs with what is logged. */
const live = (
  name: string,
  test: (shelf: Shelf["Service"], logged: ReadonlyArray<string>) => Effect.Effect<unknown, unknown, Scope.Scope>
): readonly [string, () => Effect.Effect<void, unknown, Shelf>] => [
  name,
  () =>
    Effect.gen(function* () {
      const logged: Array<string> = []
      const logger = Logger.make(({ fiber, message }) => {
        logged.push(`${String(message)} ${JSON.stringify(fiber.getRef(References.CurrentLogAnnotations))}`)
      })
      const shelf = yield* Shelf
      yield* Effect.scoped(test(shelf, logged)).pipe(
        Effect.timeout("20 seconds"),
        Effect.provide(Logger.layer([logger]))
      )
    })
]

const meet = Effect.fnUntraced(function* (server: Node, dialler: Node) {
  const { at, arrivals } = yield* reception(server)
  const outgoing = yield* dialler.dial(at)
  const incoming = yield* Queue.take(arrivals)
  const talk = Effect.gen(function* () {
    yield* outgoing.send("there")
    assert.strictEqual(yield* nextText(incoming), "there")
    yield* incoming.send("back")
    assert.strictEqual(yield* nextText(outgoing), "back")
  })
  yield* talk
  return { at, talk }
})

layer(Shelf.layer, { excludeTestServices: true, timeout: "60 seconds" })("renewal", (it) => {
  it.effect(
    ...live(
      "new certificates are for new connections; the open ones go on; a broken set changes nothing",
      (shelf, logged) =>
        Effect.gen(function* () {
          const server = yield* node(shelf.a)
          const dialler = yield* node(shelf.a)
          const { at, talk } = yield* meet(server.transport, dialler.transport)
          assert.strictEqual(yield* shownAt(at), "CN=peer-a")
          const expiry = yield* server.transport.tlsExpiresAt
          const end = Date.parse(new X509Certificate(yield* Effect.promise(() => readFile(shelf.a.cert))).validTo)
          assert.strictEqual(expiry, end)

          // Half of a set that trusts both CAs: the key is not there yet, then half written.
          const both = yield* alsoTrusting(shelf.b, shelf.a)
          yield* put(both, server.files, ["cert", "ca"])
          yield* eventually(
            Effect.sync(() => logged.length),
            (count) => count === 1
          )
          assert.match(logged.join(), /the new certificates cannot be used.*key\.pem: the key does not belong to/)
          yield* Effect.promise(() => writeFile(server.files.key, "-----BEGIN PRIVATE KEY-----\nMII", { mode: 0o600 }))
          yield* eventually(
            Effect.sync(() => logged.length),
            (count) => count === 2
          )
          assert.match(logged[1] ?? "", /key\.pem: the private key in this file cannot be read/)
          yield* Effect.promise(() => rm(server.files.key))
          yield* eventually(
            Effect.sync(() => logged.length),
            (count) => count === 3
          )
          assert.match(logged[2] ?? "", /key\.pem: the file does not exist/)
          assert.strictEqual(yield* shownAt(at), "CN=peer-a")
          yield* talk
          yield* meet(server.transport, dialler.transport)
          assert.strictEqual(logged.length, 3)

          // The rest of it: from now on the server shows a certificate of the other CA.
          yield* put(both, server.files, ["key"])
          yield* eventually(shownAt(at), (shown) => shown === "CN=peer-b")
          assert.match(logged[3] ?? "", /certificates reloaded.*CN=peer-b, issued by CN=CA-b/)
          yield* talk
          const error = yield* Effect.flip(dialler.transport.dial(at))
          assert.deepInclude(error, { _tag: "TlsHandshakeFailed", reason: "untrusted" })

          // The other node follows, and then the old CA goes.
          yield* put(yield* alsoTrusting(shelf.a, shelf.b), dialler.files, ["ca"])
          yield* eventually(Effect.option(dialler.transport.dial(at)), Option.isSome)
          yield* put(shelf.b, server.files)
          yield* eventually(Effect.flip(Effect.asVoid(dialler.transport.dial(at))).pipe(Effect.option), Option.isSome)
          yield* put(shelf.b, dialler.files)
          yield* eventually(Effect.option(dialler.transport.dial(at)), Option.isSome)
          yield* talk
        })
    )
  )

  it.effect(
    ...live("a directory that is swapped behind a link, and a link that is turned, are seen", (shelf) =>
      Effect.gen(function* () {
        const directory = yield* Directory.directory
        for (const name of ["a", "b"] as const) {
          yield* Effect.promise(() => mkdir(join(directory, name)))
          yield* put(shelf[name], filesIn(join(directory, name)))
        }
        const turn = (name: string, target: string) =>
          Effect.promise(async () => {
            await symlink(target, join(directory, "turning"))
            await rename(join(directory, "turning"), join(directory, name))
          })
        // As Kubernetes has it: links to files behind one link to their directory.
        yield* turn("data", "a")
        const mounted = filesIn(join(directory, "mounted"))
        yield* Effect.promise(() => mkdir(join(directory, "mounted")))
        for (const part of parts) yield* turn(`mounted/${part}.pem`, `../data/${part}.pem`)
        const options = { ...quick, lookEvery: "20 millis" } as const
        const { at } = yield* reception(yield* webSocket({ tls: Option.some(mounted) }, options))
        assert.strictEqual(yield* shownAt(at), "CN=peer-a")
        yield* turn("data", "b")
        yield* eventually(shownAt(at), (shown) => shown === "CN=peer-b")
        // As certbot has it: each link by itself.
        for (const part of parts) yield* turn(`mounted/${part}.pem`, `../a/${part}.pem`)
        yield* eventually(shownAt(at), (shown) => shown === "CN=peer-a")
      })
    )
  )
})
