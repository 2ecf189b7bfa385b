/**
 * Whether an existing FERAL node is talked to. Its wire shows the passphrase itself to the other end, so it matters who
 * that can be.
 */
import { LegacyRefused, nextSteps } from "../Failure.ts"

/** `tls`: only where a certificate of our CA vouches for the other end. */
export type Policy = "off" | "tls" | "on"

/** Why a node is not talked to; nothing when it is. */
export const refusal = (policy: Policy, tls: "ca" | "auto" | "none", remote: string): LegacyRefused | undefined => {
  if (policy === "on" || (policy === "tls" && tls === "ca")) return undefined
  const who = `${remote} speaks the wire of existing FERAL nodes`
  return new LegacyRefused({
    detail:
      policy === "off"
        ? `${who}, which FERAL_SYNC_LEGACY=off keeps out: ${nextSteps.LegacyKeptOut}`
        : tls === "none"
          ? `${who} without TLS: the passphrase and the memory would have travelled in clear; ${nextSteps.LegacyExposed}`
          : `${who}: the passphrase would have been shown to a node that no certificate vouches for; ${nextSteps.LegacyExposed}`
  })
}
