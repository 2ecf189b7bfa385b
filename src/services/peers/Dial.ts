/**
 * Dials a peer. One that speaks no TLS is an existing FERAL node: what matters then is what our policy says about those.
 */
import { Effect, type Redacted } from "effect"
import type { Address } from "../../core/peers/Address.ts"
import * as V1Policy from "../../core/sync/v1/V1Policy.ts"
import type { Settings } from "../node/Config.ts"
import type { Transport } from "../transport/Transport.ts"

/** A connection, which lives in the scope of the caller. */
export const dial = (
  transport: Transport["Service"],
  settings: Pick<Settings, "legacy" | "requireClientCert">,
  address: Address,
  ticket?: Redacted.Redacted<string>
) =>
  transport
    .dial(address, ticket)
    .pipe(
      Effect.catchTag("TlsHandshakeFailed", (failure) =>
        Effect.fail(
          (failure.reason === "plain peer" &&
            V1Policy.refusalOfDialled({ ...settings, mode: transport.tls }, "none", address)) ||
            failure
        )
      )
    )
