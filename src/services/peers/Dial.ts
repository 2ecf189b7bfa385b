/**
 * Dials a peer. One that speaks no TLS is an existing FERAL node: what matters then is what our policy says about
 * those.
 */
import { Effect, type Redacted } from "effect"
import { maxAddresses } from "../../core/discovery/Link.ts"
import { type Address, isLocalName } from "../../core/peers/Address.ts"
import type { Settings } from "../node/Config.ts"
import * as V1Settings from "../node/V1Settings.ts"
import type { Transport } from "../transport/Transport.ts"

type Transported = Transport["Service"]
type Policy = Pick<Settings, "legacy" | "requireClientCert" | "tls">

/** Finds the addresses of a name that ends in `.local`. */
export type Resolve = (host: string) => Effect.Effect<ReadonlyArray<string>>

/** A connection, which lives in the scope of the caller. */
export const dial = (
  transport: Transported,
  settings: Policy,
  address: Address,
  ticket?: Redacted.Redacted<string>,
  resolve?: Resolve
) => {
  if (resolve === undefined || !isLocalName(address.host)) return dialAt(transport, settings, address, ticket)
  return Effect.flatMap(resolve(address.host), (hosts) => {
    // Any machine can answer for such a name: what it says is never dialled without TLS.
    const { plain: _, ...named } = address
    // The resolver of the system may know it all the same.
    const [first = named, ...others] = hosts.slice(0, maxAddresses).map((host): Address => ({ ...named, host }))
    return others.reduce(
      (dialled, other) => Effect.catch(dialled, () => dialAt(transport, settings, other, ticket)),
      dialAt(transport, settings, first, ticket)
    )
  })
}

const dialAt = (transport: Transported, settings: Policy, address: Address, ticket?: Redacted.Redacted<string>) =>
  transport
    .dial(address, ticket)
    .pipe(
      Effect.catchTag("TlsHandshakeFailed", (failure) =>
        Effect.fail(
          (failure.reason === "plain peer" && V1Settings.policyOf(settings).refusal("dialler", "none", address)) ||
            failure
        )
      )
    )
