/**
 * Transport over WebSocket and TLS: one TCP port, told apart by the first byte, and the upgrade in which two nodes
 * recognise each other.
 *
 * A connection is returned only when TCP, TLS and the upgrade are done, all within one time limit. On the side that was
 * dialled, that limit goes on until the dialler has proved itself.
 */
import { Effect, Exit, Latch, Layer, Redacted, Result, Scope } from "effect"
import { randomBytes } from "node:crypto"
import type { Socket } from "node:net"
import { WebSocket, WebSocketServer } from "ws"
import { nonceLength, showTicket } from "../../core/sync/Handshake.ts"
import { Config } from "../node/Config.ts"
import { PeerUnreachable, TlsHandshakeFailed, type TlsMaterialInvalid } from "../node/NodeFailure.ts"
import * as V1Settings from "../node/V1Settings.ts"
import { type Channel, Tls } from "./tls/Tls.ts"
import { diagnose } from "./tls/Diagnosis.ts"
import { type Connection, type ConnectionHandler, Transport, type WebSocketOptions } from "./Transport.ts"
import { type Address, formatAddress, networkOf } from "../../core/peers/Address.ts"
import * as Listener from "./Listener.ts"
import * as Recent from "./Recent.ts"
import * as Throttle from "./Throttle.ts"
import * as Upgrade from "./Upgrade.ts"
import * as WebSocketConnection from "./WebSocketConnection.ts"

/** The largest frame of an existing FERAL node that is read before it has proved itself, in bytes. */
const oldFrameBytes = 16 * 1024 * 1024

/** Addresses from which an existing FERAL node has proved itself: how many are remembered. */
const addressesKept = 256

/** Pieces in which one frame may come, as its sender cuts it up and as the network does. */
const pieces = { maxFragments: 1_024, maxBufferedChunks: 64 * 1024 } as const

/** Without TLS there is no channel to be bound to; the wire of existing FERAL nodes knows nothing of it anyway. */
const noBinding = Redacted.make(new Uint8Array())

/** How often one network is reported for one reason, in ms. The log has a limit for all of them (`peers/UnprovedLog.ts`). */
const reportEvery = 60_000

/** Real sockets. */
export const layerWith = (options: WebSocketOptions): Layer.Layer<Transport, TlsMaterialInvalid, Config> =>
  Layer.effect(
    Transport,
    Effect.suspend(() => make(options))
  ).pipe(Layer.provide(Tls.layerWith(options)))

export const layer: Layer.Layer<Transport, TlsMaterialInvalid, Config> = layerWith({})

const make = Effect.fnUntraced(function* ({ handshakeWithin = "10 seconds" }: WebSocketOptions) {
  const settings = yield* Config
  const tls = yield* Tls
  const limits = {
    ...pieces,
    maxPayload: settings.maxRecvBytes,
    perMessageDeflate: false,
    closeTimeout: WebSocketConnection.closeWithin,
    autoPong: false
  }
  // An existing FERAL node sends all that it has in one frame. One that we dial is one that we were told of, or that a
  // certificate vouches for; one that comes has to have shown the passphrase from its address before.
  const oldLimits = { ...limits, maxPayload: Math.max(settings.maxRecvBytes, oldFrameBytes) }
  const provenLimits = { ...limits, maxPayload: Math.max(settings.legacyMaxRecvBytes, oldLimits.maxPayload) }
  const proven = Recent.make<string>(addressesKept)
  const policy = V1Settings.policyOf(settings)
  const letsOldIn = (remote: Address) => policy.refusal("server", tls.mode, remote) === undefined

  const dial = Effect.fn("Transport.dial")(function* (address: Address, ticket?: Redacted.Redacted<string>) {
    // The sockets of a failed attempt are closed with it, not only with the scope of the caller.
    const scope = yield* Scope.fork(yield* Effect.scope)
    return yield* attempt(address, ticket).pipe(
      Effect.timeoutOrElse({ duration: handshakeWithin, orElse: () => unreachable(address, "no answer in time") }),
      Scope.provide(scope),
      Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
    )
  })

  const attempt = Effect.fnUntraced(function* (address: Address, ticket: Redacted.Redacted<string> | undefined) {
    // A scope id is for this machine alone: it has no place in a Host header.
    const url = `ws://${formatAddress({ ...address, host: address.host.replace(/%.*$/, "") })}${Upgrade.path}`
    if (!URL.canParse(url)) return yield* unreachable(address, "this is not an address")
    // Named so by the user: TLS is not tried, for each such try is an error in the log of such a node.
    if (policy.isDialledPlain(address)) return yield* dialPlain(address, url)
    const channel = yield* Effect.result(tls.dial(address, Upgrade.refusalResponse))
    if (Result.isFailure(channel)) return yield* channel.failure
    return yield* dialTls(address, url, channel.success, ticket)
  })

  /** An existing FERAL node without TLS. */
  const dialPlain = Effect.fnUntraced(function* (address: Address, url: string) {
    const lost = (cause: unknown) => Effect.fail(unreachable(address, diagnose(cause).detail))
    const { socket, stream } = yield* Effect.callback<Plain, PeerUnreachable>((resume) => {
      const opening = new WebSocket(url, provenLimits)
      opening.on("error", (cause) => resume(lost(cause)))
      opening.on("upgrade", ({ socket: stream }) =>
        opening.on("open", () => {
          opening.pause()
          resume(Effect.succeed({ socket: opening, stream }))
        })
      )
      return Effect.sync(() => opening.terminate())
    })
    return yield* WebSocketConnection.make(socket, stream, {
      remote: address,
      nonces: undefined,
      revision: 1,
      binding: noBinding,
      tls: "none"
    })
  })

  const dialTls = Effect.fnUntraced(function* (
    address: Address,
    url: string,
    channel: Channel,
    ticket: Redacted.Redacted<string> | undefined
  ) {
    const nonce = randomBytes(nonceLength).toString("base64url")
    const shown = ticket && showTicket(Redacted.value(ticket), { nonce, binding: Redacted.value(channel.binding) })
    const { socket, answer, revision } = yield* upgrade(address, url, channel, nonce, shown)
    return yield* WebSocketConnection.make(socket, channel.socket, {
      remote: address,
      nonces: answer === undefined ? undefined : { dialler: nonce, server: answer },
      revision,
      binding: channel.binding,
      tls: tls.mode
    })
  })

  /** Asks for the upgrade. The socket comes back paused, so that no frame is lost before it is read. */
  const upgrade = (address: Address, url: string, channel: Channel, nonce: string, ticket: string | undefined) =>
    Effect.callback<Upgraded, PeerUnreachable | TlsHandshakeFailed>((resume) => {
      // An alert can come before the request is on its way; the request then sees nothing but the end, or not even
      // that.
      const lost = (error: unknown) =>
        resume(Effect.flatMap(tls.explain(address, channel.fault() ?? error), Effect.fail))
      const cutOff = { code: "ECONNRESET" }
      if (channel.socket.destroyed) return lost(cutOff)
      channel.socket.once("close", () => lost(cutOff))
      const socket = new WebSocket(url, {
        ...(!letsOldIn(address) ? limits : tls.mode === "ca" ? provenLimits : oldLimits),
        createConnection: () => channel.socket,
        headers: {
          [Upgrade.headers.form]: "2",
          [Upgrade.headers.nonce]: nonce,
          [Upgrade.headers.revision]: `${Upgrade.revision}`,
          ...(ticket === undefined ? {} : { [Upgrade.headers.ticket]: ticket })
        },
        generateMask
      })
      let answer: string | undefined
      let revision: 1 | 2 = 1
      socket.on("error", lost)
      socket.on("unexpected-response", (request, { statusCode }) => {
        request.destroy()
        resume(unreachable(address, `it answered with HTTP status ${statusCode}`))
      })
      socket.on("upgrade", ({ headers }) => {
        answer = Upgrade.nonceOf(headers)
        revision = Upgrade.revisionOf(headers)
      })
      socket.on("open", () => {
        socket.pause()
        resume(Effect.succeed({ socket, answer, revision }))
      })
    })

  const listen = Effect.fn("Transport.listen")(function* (handler: ConnectionHandler) {
    const serverOf = (limits: typeof oldLimits) =>
      new WebSocketServer({ ...limits, noServer: true, clientTracking: false, handleProtocols: () => false })
    const [upgrades, strangeUpgrades, provenUpgrades] = [serverOf(limits), serverOf(oldLimits), serverOf(provenLimits)]
    const oldUpgrades = ({ host }: Address) => (proven.has(host) ? provenUpgrades : strangeUpgrades)
    const reports = Throttle.make(reportEvery)

    const report = (remote: Address, error: TlsHandshakeFailed) =>
      error.reason === "protocol" || error.reason === "plain peer"
        ? new Upgrade.Dropped({ reason: error.detail })
        : reports
            .pass(`${error.reason} ${networkOf(remote.host)}`, handler.refused(remote, error))
            .pipe(Effect.andThen(new Upgrade.Dropped({ reason: error.reason })))

    const admit = Effect.fnUntraced(function* (raw: Socket, remote: Address, enter: Listener.Enter) {
      const first = yield* Upgrade.firstByte(raw)
      if (first !== Upgrade.tlsHandshake) return yield* admitPlain(raw, remote, enter)
      const channel = yield* Effect.catch(tls.accept(raw, remote), (error) => report(remote, error))
      const request = yield* Effect.catchTag(Upgrade.request(channel.socket), "Distrusted", ({ reason }) =>
        Effect.flatMap(tls.own, (own) => {
          const detail = `it does not accept our certificate: ${own}`
          return report(remote, new TlsHandshakeFailed({ address: formatAddress(remote), reason, detail }))
        })
      )
      const dialler = Upgrade.nonceOf(request.message.headers)
      const revision = Upgrade.revisionOf(request.message.headers)
      const shown = Upgrade.ticketOf(request.message.headers)
      const binding = Redacted.value(channel.binding)
      const ticketId = dialler && shown && handler.recognise?.(shown, { nonce: dialler, binding })
      yield* enter(ticketId !== undefined && ticketId !== "")
      const nonces = dialler && { dialler, server: randomBytes(nonceLength).toString("base64url") }
      const socket = yield* accept(
        nonces || !letsOldIn(remote) ? upgrades : oldUpgrades(remote),
        request,
        nonces
          ? [
              `${Upgrade.headers.form}: 2`,
              `${Upgrade.headers.nonce}: ${nonces.server}`,
              ...(revision === 2 ? [`${Upgrade.headers.revision}: ${Upgrade.revision}`] : [])
            ]
          : []
      )
      const facts = {
        remote,
        nonces: nonces || undefined,
        revision,
        binding: channel.binding,
        tls: tls.mode,
        ticketId: ticketId || undefined
      }
      return yield* WebSocketConnection.make(socket, request.socket, facts)
    })

    /** An existing FERAL node without TLS, where the policy lets it in. */
    const admitPlain = Effect.fnUntraced(function* (raw: Socket, remote: Address, enter: Listener.Enter) {
      const refusal = policy.refusal("server", "none", remote)
      if (refusal !== undefined) {
        const asked = yield* Latch.make(false)
        yield* Effect.forkScoped(
          Effect.andThen(asked.await, reports.pass(`plain ${networkOf(remote.host)}`, handler.refused(remote, refusal)))
        )
        return yield* Upgrade.refusePlain(raw, () => asked.openUnsafe())
      }
      const request = yield* Effect.catchTag(Upgrade.request(raw), "Distrusted", () =>
        Effect.fail(new Upgrade.Dropped({ reason: "a refusal without TLS" }))
      )
      yield* enter(false)
      const socket = yield* accept(oldUpgrades(remote), request, [])
      const facts = { remote, nonces: undefined, revision: 1, binding: noBinding, tls: "none" } as const
      return yield* WebSocketConnection.make(socket, request.socket, facts)
    })

    const noteProven = ({ form, remote }: Connection) => {
      if (form === 1) proven.set(remote.host, 1)
    }

    /** Answers with 101 and these headers, or sends the dialler away. */
    const accept = (upgrades: WebSocketServer, request: Upgrade.Request, headers: ReadonlyArray<string>) =>
      Effect.suspend(() => {
        let accepted: WebSocket | undefined
        const show = (fields: Array<string>) => void fields.push(...headers)
        // All of this happens at once, so these listeners see this request alone.
        upgrades.once("headers", show)
        upgrades.handleUpgrade(request.message, request.socket, request.head, (socket) => {
          socket.on("error", () => {})
          socket.pause()
          accepted = socket
        })
        upgrades.off("headers", show)
        return accepted === undefined
          ? Effect.fail(new Upgrade.Dropped({ reason: "the WebSocket upgrade is not valid" }))
          : Effect.succeed(accepted)
      })

    return yield* Listener.open({
      host: settings.host,
      port: settings.port,
      within: handshakeWithin,
      admit,
      serve: (connection, proved) =>
        handler.serve(
          connection,
          Effect.andThen(
            Effect.sync(() => noteProven(connection)),
            proved
          )
        )
    })
  })

  return { tls: tls.mode, tlsExpiresAt: tls.expiresAt, secret: tls.secret, listen, dial }
})

/** A WebSocket without TLS, and what it runs over. */
interface Plain {
  readonly socket: WebSocket
  readonly stream: Socket
}

interface Upgraded {
  readonly socket: WebSocket
  /** The nonce of a server that speaks form 2. */
  readonly answer: string | undefined
  readonly revision: 1 | 2
}

/** A mask keeps proxies from misreading frames. Inside TLS none can read them, and a mask of zeros costs no time. */
const generateMask = (mask: Buffer) => void mask.fill(0)

const unreachable = (address: Address, detail: string) =>
  new PeerUnreachable({ address: formatAddress(address), detail })
