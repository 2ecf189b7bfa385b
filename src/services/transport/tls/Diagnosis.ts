/**
 * What the errors of sockets and of OpenSSL mean, in words and reasons of our own.
 *
 * Total: every value whatsoever has a diagnosis, and none shows a stack or a source position.
 */
import { Predicate } from "effect"
import type { TlsReason } from "../../node/NodeFailure.ts"

/** What went wrong. */
export type Diagnosis =
  /** TLS itself; `by` tells who refused: this end, or the other one with an alert. */
  | { readonly _tag: "Tls"; readonly reason: TlsReason; readonly by: "us" | "peer"; readonly detail: string }
  /** The way to the peer. */
  | { readonly _tag: "Network"; readonly detail: string }

/** The `code` of an error, or an empty text. */
export const codeOf = (error: unknown): string =>
  Predicate.hasProperty(error, "code") && typeof error.code === "string" ? error.code : ""

export const diagnose = (error: unknown): Diagnosis => {
  const code = codeOf(error)
  const alert = alerts.find(({ pattern }) => pattern.test(code))
  if (alert !== undefined) return { _tag: "Tls", reason: alert.reason, by: "peer", detail: words(error) }
  const reason = reasonOf(code)
  if (reason !== undefined) return { _tag: "Tls", reason, by: "us", detail: words(error) }
  return { _tag: "Network", detail: network[code] ?? words(error) }
}

const alerts: ReadonlyArray<{ readonly pattern: RegExp; readonly reason: TlsReason }> = [
  { pattern: /ALERT_CERTIFICATE_REQUIRED$/, reason: "client certificate required" },
  { pattern: /ALERT_CERTIFICATE_EXPIRED$/, reason: "expired" },
  { pattern: /ALERT_CERTIFICATE_REVOKED$/, reason: "revoked" },
  // What OpenSSL answers to a certificate that is not for this use.
  { pattern: /ALERT_UNSUPPORTED_CERTIFICATE$/, reason: "wrong purpose" },
  // Among others, what OpenSSL answers to one that is not yet valid, or has a weak signature.
  { pattern: /ALERT_BAD_CERTIFICATE$/, reason: "invalid certificate" },
  { pattern: /ALERT_(UNKNOWN_CA|CERTIFICATE_UNKNOWN|ACCESS_DENIED)$/, reason: "untrusted" },
  { pattern: /^ERR_SSL_.*ALERT_/, reason: "protocol" }
]

const reasonOf = (code: string): TlsReason | undefined => {
  if (code === "CERT_HAS_EXPIRED") return "expired"
  if (code === "CERT_NOT_YET_VALID") return "not yet valid"
  if (code === "INVALID_PURPOSE") return "wrong purpose"
  if (code === "CERT_REVOKED") return "revoked"
  // Node has no names for many verdicts, such as a weak signature, and calls all of them UNSPECIFIED.
  if (/^(INVALID_(CA|NON_CA)|PATH_LENGTH_EXCEEDED|UNSPECIFIED)$|^(ERR_SSL_)?(EE|CA)_(KEY|MD)_TOO_/.test(code)) {
    return "invalid certificate"
  }
  if (code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE") return "client certificate required"
  // What OpenSSL says of bytes that are no TLS record: an answer in HTTP, or in anything else.
  if (/^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|HTTPS_PROXY_REQUEST)$/.test(code)) {
    return "plain peer"
  }
  if (/^(ERR_SSL_|ERR_TLS_|EPROTO$)/.test(code)) return "protocol"
  if (/CERT|_SIGNATURE/.test(code)) return "untrusted"
  return undefined
}

const network: Record<string, string> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EPIPE: "connection reset",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network unreachable",
  ENETDOWN: "network down",
  ETIMEDOUT: "no answer",
  ENOTFOUND: "host name not found",
  EAI_AGAIN: "host name lookup failed",
  EADDRNOTAVAIL: "the address cannot be used from here",
  EINVAL: "the address cannot be used from here",
  EACCES: "connection not permitted by this machine",
  EPERM: "connection not permitted by this machine",
  EMFILE: "too many open files in this process",
  ERR_SOCKET_BAD_PORT: "the port is not between 0 and 65535"
}

/** OpenSSL's own words without the source position that surrounds them, or the first line of the message. */
const words = (error: unknown): string => {
  if (Predicate.hasProperty(error, "reason") && typeof error.reason === "string") return error.reason
  if (error instanceof Error) return error.message.split("\n", 1)[0] ?? "no reason given"
  return "no reason given"
}
