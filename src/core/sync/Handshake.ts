/**
 * Mutual proof of the passphrase, without showing it, bound to one channel.
 *
 * The key is derived from the passphrase once for each process. Each side proves that it holds the key with an HMAC
 * over its role, the nonces of both sides, the exporter value of the TLS channel, and the node ids that it knows. A
 * proof is valid for one direction of one connection: it can be neither replayed nor reflected. A man in the middle
 * that terminates TLS on both sides cannot relay it either, because the two channels have different exporter values.
 *
 * Sources: scrypt (RFC 7914), HMAC (RFC 2104), TLS exporters (RFC 8446 section 7.5) as channel binding (RFC 9266).
 */
import { hmac } from "@noble/hashes/hmac.js"
import { scrypt } from "@noble/hashes/scrypt.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { HashMap } from "effect"
import { encode as base64Url } from "effect/encoding/Base64Url"
import type { VectorClock } from "../replica/VectorClock.ts"

/** The label of the TLS exporter that binds a proof to its channel, and the length of its value in bytes. */
export const exporter = { label: "EXPORTER-feral-sync", length: 32 } as const

/** Length of a nonce, in bytes. */
export const nonceLength = 32

const salt = "feral-sync/2 passphrase"
const cost = { N: 2 ** 15, r: 8, p: 1, dkLen: 32, maxmem: 64 * 1024 * 1024 } as const

/**
 * The 32-byte key of a passphrase. Takes about 0.2 s and 32 MiB: derive it once. Unicode can spell one text in several
 * ways, and keyboards and files differ in it: all spellings have the key of the composed form (NFC).
 */
export const deriveKey = (passphrase: string): Uint8Array => scrypt(passphrase.normalize("NFC"), salt, cost)

/** Which end of a connection: the one that dialled, or the one that was dialled. */
export type Role = "dialler" | "server"

/** Everything that a proof speaks about. */
export interface Transcript {
  /** The nonces of the upgrade, base64url. */
  readonly nonces: { readonly dialler: string; readonly server: string }
  /** The exporter value of the channel. */
  readonly binding: Uint8Array
  /** The node ids, as far as the prover knows them: the dialler cannot know the server's and leaves it empty. */
  readonly dialler: string
  readonly server: string
}

/** The proof that the side `role` knows the key: 32 bytes, base64url. */
export const prove = (key: Uint8Array, role: Role, { nonces, binding, dialler, server }: Transcript): string =>
  base64Url(mac(key, ["feral-sync/2 proof", role, nonces.dialler, nonces.server, binding, dialler, server]))

/** HMAC-SHA256 over fields, each preceded by its length. */
const mac = (key: Uint8Array, fields: ReadonlyArray<string | Uint8Array>): Uint8Array => {
  const code = hmac.create(sha256, key)
  for (const field of fields) {
    const bytes = typeof field === "string" ? encoder.encode(field) : field
    const length = new Uint8Array(4)
    new DataView(length.buffer).setUint32(0, bytes.length)
    code.update(length).update(bytes)
  }
  return code.digest()
}

const encoder = new TextEncoder()

/** Whether `proof` is the one that the side `role` must give. Takes the same time for every wrong proof. */
export const verify = (key: Uint8Array, role: Role, transcript: Transcript, proof: string): boolean => {
  return isSame(prove(key, role, transcript), proof)
}

const isSame = (expected: string, given: string): boolean =>
  isSameBytes(encoder.encode(expected), encoder.encode(given))

/** Takes the same time wherever two values of one length differ. */
const isSameBytes = (one: Uint8Array, other: Uint8Array): boolean => {
  if (one.length !== other.length) return false
  let difference = 0
  for (let index = 0; index < one.length; index++) difference |= (one[index] ?? 0) ^ (other[index] ?? 0)
  return difference === 0
}

/**
 * Tickets: how a member that was met before is recognised before it has proved itself.
 *
 * A node gives each member a ticket over the connection on which both have proved themselves. A ticket is an id, and a
 * secret that is derived from it with a key that no other node has. At the next connection the member shows the id and
 * an HMAC over the nonce and the channel, so what is shown is good for one connection. Nothing about a ticket can be
 * computed from the passphrase alone: an attacker that guesses tickets learns nothing about the passphrase.
 */
export interface TicketChannel {
  /** The nonce of the dialler, base64url. */
  readonly nonce: string
  readonly binding: Uint8Array
}

/**
 * The key that a node makes tickets with: from the key of the passphrase, so that another passphrase ends all tickets,
 * and from a secret that only this node has.
 */
export const ticketKey = (key: Uint8Array, secret: Uint8Array): Uint8Array =>
  mac(key, ["feral-sync/2 ticket key", secret])

/** The ticket of a member, as text: always the same one. */
export const ticketOf = (ticketKey: Uint8Array, member: string): string => {
  const id = base64Url(mac(ticketKey, ["feral-sync/2 ticket id", member]).subarray(0, 16))
  return `${id}.${ticketSecret(ticketKey, id)}`
}

const ticketSecret = (ticketKey: Uint8Array, id: string): string =>
  base64Url(mac(ticketKey, ["feral-sync/2 ticket", id]))

/** A ticket, or its proof. */
const ticketParts = (text: string): readonly [id: string, rest: string] | undefined => {
  const [, id, rest] = /^([\w-]{22})\.([\w-]{43})$/.exec(text) ?? []
  return id === undefined || rest === undefined ? undefined : [id, rest]
}

/** Whether a text has the form of a ticket. */
export const isTicket = (text: string): boolean => ticketParts(text) !== undefined

/** The proof of a ticket on one channel. Empty when it is not a ticket. */
export const showTicket = (ticket: string, { nonce, binding }: TicketChannel): string => {
  const [id, secret] = ticketParts(ticket) ?? []
  if (id === undefined || secret === undefined) return ""
  const shown = mac(encoder.encode(secret), ["feral-sync/2 ticket shown", nonce, binding])
  return `${id}.${base64Url(shown)}`
}

/**
 * The id of the ticket that was shown on a channel; none unless the holder of one of our tickets showed it on this very
 * channel.
 */
export const recogniseTicket = (ticketKey: Uint8Array, shown: string, channel: TicketChannel): string | undefined => {
  const [id] = ticketParts(shown) ?? []
  if (id === undefined) return undefined
  return isSame(showTicket(`${id}.${ticketSecret(ticketKey, id)}`, channel), shown) ? id : undefined
}

/** The hash of a vector clock: equal for equal clocks, 16 bytes, base64url. */
export const hashOfClock = (clock: VectorClock): string => {
  const lines = Array.from(HashMap.entries(clock), ([node, { wall, counter }]) => `${node}\0${wall}:${counter}\n`)
  return base64Url(sha256(encoder.encode(lines.sort().join(""))).subarray(0, 16))
}

/** Whether two passphrases are the same. Takes the same time wherever they differ. */
export const isSamePassphrase = (a: string, b: string): boolean => {
  const digest = (text: string) => hmac(sha256, encoder.encode(salt), encoder.encode(text))
  return isSameBytes(digest(a), digest(b))
}
