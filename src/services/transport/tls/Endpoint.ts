/**
 * The two ends of an encrypted channel, with the options that every connection uses, and a rehearsal of both.
 *
 * The rehearsal is one handshake of the material with itself, in memory. Its verdict is that of OpenSSL, with the same
 * options as for a real connection: what passes it works with every peer of the same CA, and what fails it could never
 * have worked. It demands a certificate of the client, since a peer may demand one.
 */
import { Effect, Option, Redacted } from "effect"
import type { Socket } from "node:net"
import { type Duplex, duplexPair } from "node:stream"
import { connect, createServer, type SecureContextOptions, type Server, type TLSSocket } from "node:tls"
import { codeOf } from "./Diagnosis.ts"

export type { TLSSocket } from "node:tls"

/** The certificate that an end presents and those that it trusts, as PEM. */
export interface Credentials {
  readonly mode: "ca" | "auto"
  /** Our certificate, followed by those that lead to the CA. */
  readonly cert: string
  readonly key: Redacted.Redacted<string>
  /** The only authorities that are trusted. */
  readonly ca: Option.Option<string>
}

/** The address that a client connects to, or its stream. */
export type Target = { readonly host: string; readonly port: number } | { readonly socket: Duplex }

/** The server's end: a server for one connection, whose events can be of no other. It costs less than the handshake. */
export const server = (credentials: Credentials, demandsCertificate: boolean): Server =>
  createServer({
    ...secure(credentials),
    requestCert: demandsCertificate,
    rejectUnauthorized: demandsCertificate
  })

/** The client's end. The caller reads the verdict on the server, so that an untrusted server can be told. */
export const client = (credentials: Credentials, target: Target): TLSSocket =>
  connect({
    ...secure(credentials),
    // Only a certificate of a CA says anything. Without one, a server that demands one gives a clear answer.
    ...(credentials.mode === "auto" ? { cert: undefined, key: undefined } : {}),
    ...target,
    checkServerIdentity: () => undefined,
    rejectUnauthorized: false
  })

/** Why a rehearsal failed: the verdict on the certificate as that of a server, or of a client, or on both. */
export interface Refusal {
  readonly as: "server" | "client" | "both"
  /** OpenSSL's name of the verdict, or the code of the error. */
  readonly code: string
  readonly cause: unknown
}

const rehearsalWithin = "10 seconds"

/** Has the material meet itself. Fails with what OpenSSL says against it. */
export const rehearse = (credentials: Credentials): Effect.Effect<void, Refusal> =>
  Effect.callback<void, Refusal>((resume) => {
    const refuse = (as: Refusal["as"], cause: unknown) => resume(Effect.fail({ as, code: codeOf(cause), cause }))
    const [near, far] = duplexPair()
    // What each end says of the other: nothing yet, no objection, or the error.
    const verdicts: { ofServer?: { readonly cause?: unknown }; ofClient?: { readonly cause?: unknown } } = {}
    let dialler: TLSSocket | undefined
    const conclude = () => {
      const { ofServer, ofClient } = verdicts
      if (ofServer === undefined || ofClient === undefined) return
      if (ofServer.cause === undefined && ofClient.cause === undefined) return resume(Effect.void)
      if (ofServer.cause === undefined) return refuse("client", ofClient.cause)
      if (ofClient.cause === undefined) return refuse("server", ofServer.cause)
      // An end that cannot go on tells the other by an alert, or by hanging up: the cause is with the one that knows
      // it.
      const isEcho = /ALERT|^ECONNRESET$|^EPIPE$|^$/.test(codeOf(ofServer.cause))
      refuse("both", isEcho ? ofClient.cause : ofServer.cause)
    }
    try {
      const listener = server(credentials, credentials.mode === "ca")
      listener.once("secureConnection", (channel) => {
        channel.on("error", () => {})
        verdicts.ofClient ??= {}
        conclude()
      })
      listener.once("tlsClientError", (error, channel) => {
        const verdict = channel.authorizationError
        verdicts.ofClient ??= { cause: verdict ? { code: String(verdict) } : error }
        conclude()
      })
      listener.emit("connection", near)
      const socket = client(credentials, { socket: far })
      dialler = socket
      socket.once("secureConnect", () => {
        const isFine = credentials.mode === "auto" || socket.authorized
        verdicts.ofServer ??= isFine ? {} : { cause: { code: String(socket.authorizationError) } }
        conclude()
      })
      socket.on("error", (cause) => {
        verdicts.ofServer ??= { cause }
        conclude()
      })
      socket.once("close", () => {
        verdicts.ofServer ??= { cause: { code: "ECONNRESET" } }
        conclude()
      })
    } catch (cause) {
      // OpenSSL does not even take the material.
      refuse("both", cause)
    }
    return Effect.sync(() => dialler?.destroy())
  }).pipe(
    Effect.timeoutOrElse({
      duration: rehearsalWithin,
      orElse: () => Effect.fail<Refusal>({ as: "both", code: "", cause: new Error("no verdict in time") })
    })
  )

/** Hands a connection to a server. */
export const take = (listener: Server, socket: Socket): boolean => listener.emit("connection", socket)

/**
 * What a peer may sign with: all that TLS 1.3 has, on the curves that it knows. Where OpenSSL is left to its own list,
 * which has the Brainpool curves too, a server that shows a certificate on one of these crashes the process of its
 * client.
 */
const signatures = [
  "ecdsa_secp256r1_sha256",
  "ecdsa_secp384r1_sha384",
  "ecdsa_secp521r1_sha512",
  "ed25519",
  "ed448",
  ...["sha256", "sha384", "sha512"].flatMap((hash) => [`rsa_pss_pss_${hash}`, `rsa_pss_rsae_${hash}`]),
  ...["sha256", "sha384", "sha512"].map((hash) => `rsa_pkcs1_${hash}`)
].join(":")

/**
 * In TLS 1.2, two channels through a man in the middle can be given one exporter value when the key exchange is RSA and
 * the extended master secret was not negotiated, which Node cannot tell us. Mode `ca` verifies the server, and takes
 * ephemeral elliptic-curve exchanges alone; mode `auto`, where everything hangs on the exporter, takes TLS 1.3 alone.
 */
const secure = (credentials: Credentials): SecureContextOptions => ({
  cert: credentials.cert,
  key: Redacted.value(credentials.key),
  minVersion: credentials.mode === "auto" ? "TLSv1.3" : "TLSv1.2",
  ciphers: [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305"
  ].join(":"),
  sigalgs: signatures,
  // With these, the authorities of the system are not asked.
  ...Option.match(credentials.ca, { onNone: () => ({}), onSome: (ca) => ({ ca }) })
})
