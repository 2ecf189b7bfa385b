/**
 * Connections between nodes: frames of text over an encrypted channel, with backpressure both ways.
 */
import { Context, type Duration, type Effect, type Queue, type Redacted, type Scope } from "effect"
import type { LegacyRefused, PeerClosed } from "../../core/sync/SyncFailure.ts"
import type { TicketChannel } from "../../core/sync/Handshake.ts"
import type { Address } from "../../core/peers/Address.ts"
import type { ListenFailed, PeerUnreachable, TlsHandshakeFailed } from "../node/NodeFailure.ts"

/** Incoming events. */
export type Incoming =
  /** One message. `bytes` is its size on the wire. */
  | { readonly _tag: "Frame"; readonly text: string; readonly bytes: number }
  /** A sign of life: a ping of the other side, or the answer to one of ours. */
  | { readonly _tag: "Alive"; readonly isAnswer?: boolean }

/** One connection. It is closed when its scope closes. */
export interface Connection {
  readonly remote: Address
  /** 2 when both sides showed it in the upgrade, else 1. */
  readonly form: 1 | 2
  /** How both sides begin form 2: with their clocks (1), or with their proofs (2). */
  readonly revision: 1 | 2
  /** The nonces of the upgrade (form 2), base64url. */
  readonly nonces: { readonly dialler: string; readonly server: string }
  /** 32 bytes that only the two ends of this channel can derive: the TLS exporter (RFC 9266). */
  readonly binding: Redacted.Redacted<Uint8Array>
  readonly tls: "ca" | "auto" | "none"
  /** Of a dialler that showed a valid ticket: its id. Such a dialler was met before. */
  readonly ticketId?: string | undefined
  /**
   * Incoming events, at most 16 frames ahead; when it is full, nothing is read from the network. It fails when the
   * connection is over; 1006 is the code when the other side was lost without a close.
   */
  readonly incoming: Queue.Dequeue<Incoming, PeerClosed>
  /**
   * Sends one message; done when it left for the network or the buffer below 1 MiB. Fails when the connection is over.
   */
  send(text: string): Effect.Effect<void, PeerClosed>
  /** Asks for a sign of life. */
  readonly ping: Effect.Effect<void, PeerClosed>
  /** Closes with a reason. Returns at once; a peer that does not answer is dropped after a second. */
  close(code: number, reason: string): Effect.Effect<void>
}

/** What a listener does with its clients. */
export interface ConnectionHandler {
  /**
   * Serves one connection, in its own scope and fiber; the connection is closed when it ends. It runs `proved` when the
   * other side has proved that it may be here: until then it has little room, and the time of the handshake.
   */
  serve(connection: Connection, proved: Effect.Effect<void>): Effect.Effect<void, never, Scope.Scope>
  /** The id of the ticket that a dialler shows, if it is one of ours and was shown on this channel. */
  recognise?(shown: string, channel: TicketChannel): string | undefined
  /** A client was rejected. */
  refused(remote: Address, error: TlsHandshakeFailed | LegacyRefused): Effect.Effect<void>
}

/** Here, so that the types of this service do not lead to those of Node, which a program may not have. */
export interface WebSocketOptions {
  /** How long TCP, TLS and the upgrade may take together, and at the end that was dialled the proof as well. */
  readonly handshakeWithin?: Duration.Input
  /** How often the files of the certificates are looked at; every 2 seconds by default. */
  readonly lookEvery?: Duration.Input
}

export class Transport extends Context.Service<
  Transport,
  {
    readonly tls: "ca" | "auto"
    /** When our membership of the CA ends, in ms; none without a CA. */
    readonly tlsExpiresAt: Effect.Effect<number | undefined>
    /** Bytes that only this host has, the same after a restart. A transport without them gives no tickets. */
    readonly secret?: Redacted.Redacted<Uint8Array>
    /** Listens until the scope closes. Port 0 takes any free port; the port taken is returned. */
    listen(handler: ConnectionHandler): Effect.Effect<{ readonly port: number }, ListenFailed, Scope.Scope>
    /** Dials one address, and shows a ticket of the node there. The connection lives in the scope of the caller. */
    dial(
      address: Address,
      ticket?: Redacted.Redacted<string>
    ): Effect.Effect<Connection, PeerUnreachable | TlsHandshakeFailed, Scope.Scope>
  }
>()("feral-sync/services/transport/Transport") {}
