/** Nodes with certificates, on real sockets, and what to expect when they meet. */
import { assert } from "@effect/vitest"
import { Context, Effect, Layer, Option, Queue, Redacted, References, type Scope } from "effect"
import { writeFile } from "node:fs/promises"
import { basename } from "node:path"
import { Config, type Settings, type TlsFiles } from "../../src/services/node/Config.ts"
import { Tls } from "../../src/services/transport/tls/Tls.ts"
import * as Certificates from "./Certificates.ts"
import * as Directory from "./Directory.ts"
import { settings } from "./Settings.ts"
import { nextText, reception, webSocket } from "./Transports.ts"

/** Certificates of two CAs, made once. */
export class Shelf extends Context.Service<
  Shelf,
  {
    readonly directory: string
    readonly a: TlsFiles
    readonly b: TlsFiles
    readonly past: TlsFiles
    readonly future: TlsFiles
  }
>()("test/support/Shelf") {
  static readonly layer = Layer.effect(
    Shelf,
    Effect.gen(function* () {
      const directory = yield* Directory.directory
      const issue = (name: string, validity?: Certificates.Validity) => Certificates.issue(directory, name, validity)
      const [a, b, past, future] = yield* Effect.all([
        issue("a"),
        issue("b"),
        issue("past", "past"),
        issue("future", "future")
      ])
      return { directory, a, b, past, future }
    })
  )
}

export const ca = (files: TlsFiles, requireClientCert = false): Partial<Settings> => ({
  tls: Option.some(files),
  requireClientCert
})

/** Files of one CA that trust another one as well, as while a CA is being replaced. */
export const alsoTrusting = Effect.fnUntraced(function* (files: TlsFiles, other: TlsFiles) {
  const bundle = `${files.ca}+${basename(other.ca)}`
  const both = [(yield* Certificates.contents(files)).ca, (yield* Certificates.contents(other)).ca]
  yield* Effect.promise(() => writeFile(bundle, both.join("")))
  return { ...files, ca: bundle }
})

export const quick = { handshakeWithin: "5 seconds" } as const

export const load = (home: string, changes: Partial<Settings> = {}) =>
  Layer.build(Tls.layer.pipe(Layer.provide(Layer.succeed(Config, Config.of(settings(home, changes)))))).pipe(
    Effect.map((services) => Context.get(services, Tls))
  )

/** Dials a node that is set up one way from a node that is set up another way, and tells what both ends say. */
export const refusedBy = Effect.fnUntraced(function* (server: Partial<Settings>, dialler: Partial<Settings>) {
  const { at, refusals } = yield* reception(yield* webSocket(server, quick))
  const error = yield* Effect.flip((yield* webSocket(dialler, quick)).dial(at))
  return { error, refusals }
})

export const joined = Effect.fnUntraced(function* (server: Partial<Settings>, dialler: Partial<Settings>) {
  const { at, arrivals } = yield* reception(yield* webSocket(server, quick))
  const outgoing = yield* (yield* webSocket(dialler, quick)).dial(at)
  const incoming = yield* Queue.take(arrivals)
  yield* outgoing.send("hello")
  assert.strictEqual(yield* nextText(incoming), "hello")
  assert.deepStrictEqual(Redacted.value(outgoing.binding), Redacted.value(incoming.binding))
  return { outgoing, incoming }
})

export const live = (
  name: string,
  test: (shelf: Shelf["Service"]) => Effect.Effect<unknown, unknown, Scope.Scope>
): readonly [string, () => Effect.Effect<void, unknown, Shelf>] => [
  name,
  () =>
    Shelf.use((shelf) => Effect.scoped(test(shelf))).pipe(
      Effect.timeout("15 seconds"),
      Effect.provideService(References.MinimumLogLevel, "None"),
      Effect.asVoid
    )
]
