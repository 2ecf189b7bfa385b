/**
 * TLS for connections between nodes: which certificates are trusted, and how a channel is set up at each end.
 *
 * Mode `ca`: TLS 1.2 or later; the chain of the other side must lead to the configured CA and to no other. Names are
 * not compared with addresses: membership of the CA is the test. Mode `auto`: TLS 1.3 with a self-signed certificate
 * that neither side verifies; the peer is authenticated by the passphrase, and that proof is bound to the channel by
 * its exporter value.
 *
 * The files of mode `ca` are read again when they change: new channels take the new ones, and those that are open go
 * on.
 *
 * A channel that is returned has passed the checks of its mode at this end. The other end may still refuse us: in TLS
 * 1.3 a dialler learns only after its handshake what the server thinks of its certificate.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Context, type Duration, Effect, Layer, Redacted, Ref, type Scope } from "effect"
import { createHmac, type X509Certificate } from "node:crypto"
import type { Socket } from "node:net"
import { exporter } from "../../../core/sync/Handshake.ts"
import { Config } from "../../node/Config.ts"
import { PeerUnreachable, TlsHandshakeFailed, TlsMaterialInvalid, type TlsReason } from "../../node/NodeFailure.ts"
import { codeOf, type Diagnosis, diagnose } from "./Diagnosis.ts"
import * as Endpoint from "./Endpoint.ts"
import * as Expiry from "./Expiry.ts"
import * as Material from "./Material.ts"
import * as Renewal from "./Renewal.ts"
import * as Revocation from "./Revocation.ts"
import * as Verdict from "./Verdict.ts"
import { type Address, formatAddress } from "../../../core/peers/Address.ts"

/** One encrypted channel. */
export interface Channel {
  readonly socket: Endpoint.TLSSocket
  /** The certificate that the other end showed, read at once: a socket forgets it. */
  readonly shown: X509Certificate | undefined
  /** The first error of the socket, such as an alert that came after the handshake. */
  readonly fault: () => unknown
  /** The exporter value: equal at both ends, and different for each channel. */
  readonly binding: Redacted.Redacted<Uint8Array>
}

export interface Options {
  /** How often the files are looked at; every 2 seconds by default. */
  readonly lookEvery?: Duration.Input
}

export class Tls extends Context.Service<
  Tls,
  {
    readonly mode: "ca" | "auto"
    /** Subject and issuer of our certificate. */
    readonly own: Effect.Effect<string>
    /**
     * 32 bytes that follow from our private key, and from which nothing of it follows. They change with it at the next
     * start.
     */
    readonly secret: Redacted.Redacted<Uint8Array>
    /** When the first certificate ends that our membership of the CA rests on, in ms; none in mode `auto`. */
    readonly expiresAt: Effect.Effect<number | undefined>
    /**
     * Takes the server's part on a connection that came in; the caller owns `socket`. A client that hangs up or sends
     * bytes that are not TLS is a failure of reason `protocol`.
     */
    accept(socket: Socket, remote: Address): Effect.Effect<Channel, TlsHandshakeFailed>
    /**
     * Dials, and takes the client's part. The channel lives in the scope. A server that is not trusted is told so with
     * the text that `refusalText` gives before the channel is closed, or it would see nothing but a lost connection.
     */
    dial(
      address: Address,
      refusalText: (reason: TlsReason) => string
    ): Effect.Effect<Channel, PeerUnreachable | TlsHandshakeFailed, Scope.Scope>
    /** The failure of a dialled channel that was lost before an answer came. */
    explain(address: Address, error: unknown): Effect.Effect<PeerUnreachable | TlsHandshakeFailed>
  }
>()("feral-sync/services/transport/tls/Tls") {
  static readonly layerWith = (options: Options): Layer.Layer<Tls, TlsMaterialInvalid, Config> =>
    Layer.effect(
      Tls,
      Effect.suspend(() => make(options))
    ).pipe(Layer.provide(NodeFileSystem.layer))

  static readonly layer: Layer.Layer<Tls, TlsMaterialInvalid, Config> = Tls.layerWith({})
}

const make = Effect.fnUntraced(function* (options: Options) {
  const settings = yield* Config
  // Every channel takes the material that is current when it begins.
  const open = new Map<Channel, Address>()
  const current = yield* Renewal.keep({
    files: settings.tls,
    load: Material.load(settings),
    ...options,
    onChange: (material) =>
      Effect.forEach([...open], ([channel, address]) => expel(channel, address, material), { discard: true })
  })
  const { mode, key } = yield* Ref.get(current)
  const secret = Redacted.make(
    new Uint8Array(createHmac("sha256", Redacted.value(key)).update("feral-sync/2 tickets").digest()),
    { label: "ticket secret" }
  )

  /** Lets a channel go on, and keeps it in sight for as long as it is open. */
  const admit = (socket: Endpoint.TLSSocket, address: Address): Channel => {
    const channel = channelOf(socket)
    open.set(channel, address)
    socket.once("close", () => open.delete(channel))
    return channel
  }

  const accept = Effect.fn("Tls.accept")(function* (socket: Socket, remote: Address) {
    const material = yield* Ref.get(current)
    const certain = mode === "ca" && settings.requireClientCert
    return yield* Effect.callback<Channel, TlsHandshakeFailed>((resume) => {
      if (socket.destroyed) {
        const found = diagnose({ code: "ECONNRESET" })
        return resume(Effect.fail(refusal({ address: remote, found, role: "client", material, cause: undefined })))
      }
      const server = Endpoint.server(material, certain)
      server.once("secureConnection", (socket) => {
        const channel = admit(socket, remote)
        const revoked = revocation(channel, remote, "client", Ref.getUnsafe(current))
        resume(revoked === undefined ? Effect.succeed(channel) : Effect.fail(revoked))
      })
      server.once("tlsClientError", (error, channel) => {
        // A chain that does not lead to the CA shows here alone; the error is then nothing but the end of the socket.
        const verdict = channel.authorizationError
        const cause = verdict ? { code: String(verdict) } : error
        resume(Effect.fail(refusal({ address: remote, found: diagnose(cause), role: "client", material, cause })))
      })
      Endpoint.take(server, socket)
    })
  })

  const dial = Effect.fn("Tls.dial")(function* (address: Address, refusalText: (reason: TlsReason) => string) {
    const material = yield* Ref.get(current)
    const socket = yield* Effect.acquireRelease(
      Effect.try({
        try: () => Endpoint.client(material, { host: address.host, port: address.port }),
        catch: (error) => failure(address, error, material)
      }),
      (socket) => Effect.sync(() => socket.destroy())
    )
    const channel = yield* Effect.callback<Channel, PeerUnreachable | TlsHandshakeFailed>((resume) => {
      socket.once("secureConnect", () => resume(Effect.succeed(admit(socket, address))))
      socket.on("error", (error) => resume(Effect.fail(failure(address, error, material))))
      socket.once("close", () => resume(Effect.fail(failure(address, { code: "ECONNRESET" }, material))))
    })
    const error = yield* mode === "auto"
      ? Effect.undefined
      : socket.authorized
        ? Effect.succeed(revocation(channel, address, "server", yield* Ref.get(current)))
        : distrust(channel, address, material)
    if (error !== undefined) {
      yield* Effect.callback<void>((resume) => {
        socket.once("close", () => resume(Effect.void))
        socket.resume().end(refusalText(error.reason))
      }).pipe(Effect.timeoutOption("1 second"))
      return yield* error
    }
    return channel
  })

  const explain = Effect.fnUntraced(function* (address: Address, error: unknown) {
    const material = yield* Ref.get(current)
    // A server of our CA that hangs up before it says a word: that is all a dialler sees of a refused certificate when
    // the server sends no alert, as Node's does not.
    if (mode === "auto" || !/^(ECONNRESET|EPIPE)$/.test(codeOf(error))) return failure(address, error, material)
    const detail =
      "it closed the connection right after the handshake. Most likely its CA did not issue our certificate, " +
      `or has revoked it, or its clock is wrong: ${material.own}`
    return new TlsHandshakeFailed({ address: formatAddress(address), reason: "untrusted", detail, cause: error })
  })

  return Tls.of({
    mode,
    secret,
    own: Effect.map(Ref.get(current), ({ own }) => own),
    expiresAt: Effect.map(Ref.get(current), ({ lifetimes }) => Expiry.firstEnd(lifetimes)),
    accept,
    dial,
    explain
  })
})

const channelOf = (socket: Endpoint.TLSSocket): Channel => {
  // Nothing else is done about errors: each is followed by the close that the reader of the socket sees.
  let fault: unknown
  socket.on("error", (error) => (fault ??= error))
  const value = socket.exportKeyingMaterial(exporter.length, exporter.label, Buffer.alloc(0))
  const shown = socket.getPeerX509Certificate()
  return { socket, shown, binding: Redacted.make(new Uint8Array(value)), fault: () => fault }
}

/** What OpenSSL has against a server. */
const distrust = Effect.fnUntraced(function* (
  { socket, shown }: Channel,
  address: Address,
  material: Material.Material
) {
  const code = String(socket.authorizationError)
  const found = diagnose({ code })
  const server = { address, role: "server", material, cause: { code } } as const
  if (shown === undefined) return refusal({ ...server, found })
  const { problem, isUnexplained = false } = yield* Verdict.explain([{ file: "", certificate: shown }], {
    as: "server",
    code,
    cause: new Error(code)
  })
  // OpenSSL says the same of a certificate that is not for this use, and of one above it that is not that of a CA.
  if (isUnexplained && found._tag === "Tls" && found.reason === "wrong purpose") {
    const above = `the certificate (${Material.describe(shown)}) was signed with a certificate that is not a CA, or not for this use`
    const theirs = { certificate: shown, problem: above }
    return refusal({ ...server, found: { ...found, reason: "invalid certificate" }, theirs })
  }
  return refusal({ ...server, found, theirs: { certificate: shown, problem } })
})

/** The refusal of a channel whose other end shows a revoked certificate; nothing when it does not. */
const revocation = (
  { shown }: Channel,
  address: Address,
  role: "client" | "server",
  material: Material.Material
): TlsHandshakeFailed | undefined => {
  const certificate = Revocation.find(material.revocations, shown)
  if (certificate === undefined) return undefined
  const cause = { code: "CERT_REVOKED" }
  const theirs = { certificate, problem: Revocation.problemOf(certificate) }
  return refusal({ address, found: diagnose(cause), role, material, cause, theirs })
}

/** Ends a channel whose certificate was revoked since it was opened. */
const expel = ({ socket, shown }: Channel, address: Address, { revocations }: Material.Material) => {
  const certificate = Revocation.find(revocations, shown)
  if (certificate === undefined) return Effect.void
  return Effect.logWarning("the certificate of a connected peer was revoked: closing its connection").pipe(
    Effect.annotateLogs({ address: formatAddress(address), certificate: Material.describe(certificate) }),
    Effect.andThen(Effect.sync(() => socket.destroy()))
  )
}

/** The failure of a dial. */
const failure = (address: Address, error: unknown, material: Material.Material) => {
  const found = diagnose(error)
  return found._tag === "Tls"
    ? refusal({ address, found, role: "server", material, cause: error })
    : new PeerUnreachable({ address: formatAddress(address), detail: found.detail, cause: error })
}

/** A handshake that failed. */
interface Refused {
  readonly address: Address
  readonly found: Diagnosis
  /** The other end. */
  readonly role: "client" | "server"
  readonly material: Material.Material
  readonly cause: unknown
  /** The certificate that the other end presented, and its problem where that is known. */
  readonly theirs?: { readonly certificate: X509Certificate; readonly problem: string | undefined }
}

/** The failed handshake with `role`, with the certificates that it was about. */
const refusal = ({ address, found, role, material, cause, theirs }: Refused) => {
  const reason = found._tag === "Tls" ? found.reason : "protocol"
  const isByPeer = found._tag === "Tls" && found.by === "peer"
  const shown = theirs === undefined ? "" : `: ${Material.describe(theirs.certificate)}`
  const fits = (...reasons: ReadonlyArray<TlsReason>) => reasons.includes(reason)
  let detail = found.detail
  if (isByPeer && fits("untrusted", "expired", "wrong purpose", "invalid certificate", "revoked")) {
    detail = `it does not accept our certificate: ${material.own} (${found.detail})`
  } else if (fits("untrusted")) {
    detail = `the certificate of the ${role} was not issued by our CA (${material.authorities})${shown}`
  } else if (fits("expired", "not yet valid")) {
    detail = `the certificate of the ${role} is ${reason} by the clock of this machine${shown}`
    if (theirs !== undefined) {
      detail += `, valid from ${theirs.certificate.validFrom} to ${theirs.certificate.validTo}`
    }
  } else if (fits("wrong purpose", "invalid certificate", "revoked")) {
    detail = theirs?.problem ?? `OpenSSL refuses the certificate of the ${role} (${codeOf(cause) || found.detail})`
  } else if (fits("client certificate required")) {
    detail = role === "client" ? "it presented no certificate" : "the server requires a certificate from its CA"
  } else if (fits("plain peer")) {
    detail = `the answer is not TLS (${found.detail})`
  }
  return new TlsHandshakeFailed({ address: formatAddress(address), reason, detail, cause })
}
