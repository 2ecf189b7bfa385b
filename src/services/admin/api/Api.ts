/**
 * The local HTTP interface of a running node, for the CLI, for programs and for a browser. See `api/Contract.ts` for
 * what it offers and `api/Server.ts` for where.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Context, Effect, Layer, Ref } from "effect"
import * as SignIn from "./SignIn.ts"
import type * as Guard from "./Guard.ts"
import * as Handlers from "./Handlers.ts"
import * as Server from "./Server.ts"
import * as Token from "./Token.ts"
import { Config } from "../../node/Config.ts"
import type { StoreUnavailable } from "../../node/NodeFailure.ts"
import * as Home from "../../node/Home.ts"
import type { Memory } from "../../memory/Memory.ts"
import type { Peers } from "../../peers/Peers.ts"
import type { Store } from "../../store/Store.ts"
import type { Transport } from "../../transport/Transport.ts"

export class Api extends Context.Service<
  Api,
  {
    /** The port on 127.0.0.1; `null` when it is off or cannot be had. */
    readonly port: number | null
    /** Whether commands can reach the node through the socket in its data directory. */
    readonly hasSocket: boolean
  }
>()("feral-sync/services/admin/api/Api") {
  /** Serves on the socket in the data directory, and on the port, until the scope closes. */
  static readonly layer: Layer.Layer<Api, StoreUnavailable, Needed> = Layer.effect(
    Api,
    Effect.suspend(() => make(true))
  ).pipe(Layer.provide(NodeFileSystem.layer))

  /** Serves on the port alone: for a node without a data directory. */
  static readonly layerPort: Layer.Layer<Api, StoreUnavailable, Needed> = Layer.effect(
    Api,
    Effect.suspend(() => make(false))
  ).pipe(Layer.provide(NodeFileSystem.layer))
}

type Needed = Config | Memory | Store | Peers | Transport

const make = Effect.fnUntraced(function* (isOnSocket: boolean) {
  const settings = yield* Config
  if (isOnSocket) yield* Home.ensure(settings.home)
  const token = isOnSocket ? yield* Token.make(settings.home) : Token.none
  let isAlone = false
  const made = SignIn.make(token)
  const browser: SignIn.SignIn = {
    ...made,
    host: () => (isAlone ? made.host() : undefined),
    isHost: (name) => isAlone && made.isHost(name)
  }
  // `status` shows the port, which is known only when it is taken.
  const taken = yield* Ref.make<number | null>(null)
  const app = yield* Handlers.make({ apiPort: Ref.get(taken), browser })
  const credentials: Guard.Credentials = {
    isToken: token.matches,
    isHost: browser.isHost,
    isCookie: (header) => browser.isKnown(header, SignIn.cookieName(Ref.getUnsafe(taken) ?? 0), Date.now())
  }
  const loopback =
    settings.apiPort === 0 ? { port: null, isAlone: false } : yield* Server.loopback(settings.apiPort, app, credentials)
  const { port } = loopback
  isAlone = loopback.isAlone
  yield* Ref.set(taken, port)
  const hasSocket = isOnSocket && (yield* Server.local(Home.paths(settings.home).socket, app))
  return Api.of({ port, hasSocket })
})
