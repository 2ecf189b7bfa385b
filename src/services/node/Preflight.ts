/**
 * Problems that keep a node from starting are found before anything is created. So a failed start leaves no data
 * directory, passphrase or identity behind that the next start would use.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, Layer, Option } from "effect"
import { Config } from "./Config.ts"
import type { ListenFailed, StoreUnavailable, TlsMaterialInvalid } from "./NodeFailure.ts"
import * as Home from "./Home.ts"
import * as Material from "../transport/tls/Material.ts"
import * as Listener from "../transport/Listener.ts"
import { Dropped } from "../transport/Upgrade.ts"

/** Looks at the certificates and the port; then the data directory is made. */
export const layer: Layer.Layer<never, ListenFailed | StoreUnavailable | TlsMaterialInvalid, Config> =
  Layer.effectDiscard(
    Effect.gen(function* () {
      const settings = yield* Config
      if (Option.isSome(settings.tls)) yield* Material.load(settings)
      if (settings.port !== 0 || settings.host !== undefined) yield* take(settings)
      yield* Home.prepare(settings.home)
    })
  ).pipe(Layer.provide(NodeFileSystem.layer))

/** Takes a port for a moment. */
export const take = ({ host, port }: { readonly host: string | undefined; readonly port: number }) =>
  Listener.open({
    host,
    port,
    within: "1 second",
    admit: () => Effect.fail(new Dropped({ reason: "only looking" })),
    serve: () => Effect.void
  }).pipe(Effect.scoped, Effect.asVoid)
