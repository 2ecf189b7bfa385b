/**
 * Whether an existing FERAL node is talked to. Its wire shows the passphrase of the dialler to the other end, so it
 * matters who that can be, and which side dials.
 */
import { type Address, formatAddress, isLocalName } from "../../peers/Address.ts"
import type { Role } from "../Handshake.ts"
import { LegacyRefused, nextSteps } from "../SyncFailure.ts"

/** The settings for existing FERAL nodes and for certificates. */
export interface Rules {
  /** `tls`: only where a certificate of our CA vouches for the other end. */
  readonly legacy: "off" | "tls" | "on"
  /** How this node uses TLS. */
  readonly mode: "ca" | "auto"
  readonly requireClientCert: boolean
}

type Tls = "ca" | "auto" | "none"

/** The decision of a node, made once from its settings. */
export interface V1Policy {
  /** Whether an address is dialled without TLS. */
  isDialledPlain(address: Address): boolean
  /** Why the node at the other end is not talked to; nothing when it is. `role` is ours. */
  refusal(role: Role, tls: Tls, remote: Address): LegacyRefused | undefined
}

export const make = (rules: Rules): V1Policy => ({
  isDialledPlain: (address) => isDialledPlain(rules, address),
  refusal: (role, tls, remote) =>
    role === "dialler" ? refusalOfDialled(rules, tls, remote) : refusalOfComer(rules, tls, formatAddress(remote))
})

/**
 * Why a node that came is not talked to; nothing when it is. It shows its own passphrase, and ours is not sent. Without
 * TLS the memory is sent in cleartext to a node that proves the passphrase: `on` allows that, but not where client
 * certificates are required.
 */
const refusalOfComer = ({ legacy, requireClientCert }: Rules, tls: Tls, remote: string) => {
  const isVouchedFor = tls === "ca" && legacy === "tls"
  if (isVouchedFor || (legacy === "on" && (tls !== "none" || !requireClientCert))) return undefined
  if (legacy === "on") {
    return refused(
      remote,
      "without TLS, and FERAL_SYNC_REQUIRE_CLIENT_CERT=true requires a certificate",
      nextSteps.LegacyExposed
    )
  }
  return refusal(legacy, tls, remote)
}

/**
 * Why a node that we dial is not talked to; nothing when it is. Our passphrase goes to it: to a node that a certificate
 * of our CA vouches for, or in cleartext to an address that is configured so. A discovered address never gets it.
 */
const refusalOfDialled = (rules: Rules, tls: Tls, address: Address): LegacyRefused | undefined => {
  const { legacy, mode } = rules
  const remote = formatAddress(address)
  if (legacy !== "off" && tls === "ca") return undefined
  if (isDialledPlain(rules, address)) return undefined
  if (legacy !== "on") return refusal(legacy, tls, remote)
  return mode === "ca"
    ? refused(
        remote,
        "and presents no certificate: with a CA, this node does not connect without TLS",
        nextSteps.LegacyExposed
      )
    : refused(
        remote,
        "and no certificate from a CA proves its identity, so the passphrase is not sent to it",
        nextSteps.LegacyUnnamed
      )
}

/** Never by a name of multicast DNS: any machine of the network can answer for it. */
const isDialledPlain = ({ legacy, mode }: Rules, { host, plain }: Address): boolean =>
  plain === true && legacy === "on" && mode === "auto" && !isLocalName(host)

/** Why no existing FERAL node is talked to once deletions were collected here. */
export const refusalAfterCollection = (remote: string): LegacyRefused =>
  refused(remote, "and could bring back rows whose deletion was collected here", nextSteps.CollectedForLegacy)

const refusal = (legacy: "off" | "tls", tls: Tls, remote: string) =>
  legacy === "off"
    ? refused(remote, "and FERAL_SYNC_LEGACY=off refuses those", nextSteps.LegacyKeptOut)
    : tls === "none"
      ? refused(remote, "without TLS: passphrase and memory would be sent in cleartext", nextSteps.LegacyExposed)
      : refused(
          remote,
          "and no certificate from a CA proves its identity: it would get the passphrase",
          nextSteps.LegacyExposed
        )

const refused = (remote: string, why: string, nextStep: string) =>
  new LegacyRefused({ problem: `${remote} uses the protocol of existing FERAL nodes ${why}`, nextStep })
