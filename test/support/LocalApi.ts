/** A node that is nothing but a memory and its local interface, and requests as any program may send them. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, FileSystem, Layer, Logger, Scope } from "effect"
import { request } from "node:http"
import { connect as dial, createServer, type Socket } from "node:net"
import { Api } from "../../src/services/admin/api/Api.ts"
import * as Client from "../../src/services/admin/api/Client.ts"
import { HlcClock } from "../../src/services/node/HlcClock.ts"
import { Config, type Settings } from "../../src/services/node/Config.ts"
import { Memory } from "../../src/services/memory/Memory.ts"
import * as Kind from "../../src/services/memory/Declaration.ts"
import { Kinds } from "../../src/services/memory/OwnKind.ts"
import { Store } from "../../src/services/store/Store.ts"
import * as MemoryLive from "../../src/services/memory/MemoryLive.ts"
import * as MemoryStore from "../../src/services/store/MemoryStore.ts"
import { surroundings } from "./Surroundings.ts"

/** A node that is nothing but a memory and its interface. It ends with the scope. */
export const start = (
  settings: Partial<Settings>,
  memory?: Layer.Layer<Memory, never, Store>,
  kinds: ReadonlyArray<Kind.Declarable> = []
) =>
  Layer.build(
    Api.layer.pipe(
      Layer.provideMerge(memory ?? MemoryLive.layer),
      Layer.provide(Layer.succeed(Kinds, kinds)),
      Layer.provideMerge(Kind.declaring(MemoryStore.layer(), kinds)),
      Layer.provide(HlcClock.layer),
      Layer.provide(surroundings),
      Layer.provide(Layer.succeed(Config, Config.make({ apiPort: 0, ...settings })))
    )
  )

export const within = <A, E>(test: (home: string) => Effect.Effect<A, E, FileSystem.FileSystem | Scope.Scope>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    yield* test(yield* fs.makeTempDirectoryScoped())
  }).pipe(Effect.scoped, Effect.provide([NodeFileSystem.layer, Logger.layer([])]))

export const connected = (home: string) => Effect.flatMap(Client.connect(home), Effect.fromOption)

export interface Asked {
  readonly status: number
  readonly body: string
  readonly headers: Record<string, unknown>
}

/** A request as any program may send it. */
export const ask = (
  where: { readonly socketPath: string } | { readonly port: number },
  path: string,
  options: {
    readonly method?: string
    readonly headers?: Record<string, string>
    readonly body?: string | undefined
  } = {}
) =>
  Effect.callback<Asked, Error>((resume) => {
    const asked = request({ ...where, host: "127.0.0.1", path, ...options }, (response) => {
      let body = ""
      response.setEncoding("utf8").on("data", (text: string) => (body += text))
      response.on("end", () =>
        resume(Effect.succeed({ status: response.statusCode ?? 0, body, headers: response.headers }))
      )
    })
    asked.on("error", (error) => resume(Effect.fail(error))).end(options.body)
  })

/** Sends some bytes and then neither sends nor reads any more. */
export const send = (to: { readonly port: number } | { readonly path: string }, text: string) =>
  Effect.acquireRelease(
    Effect.callback<Socket>((resume) => {
      const socket = dial({ host: "127.0.0.1", ...to })
      socket.on("error", () => {})
      socket.write(text, () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

export const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})
