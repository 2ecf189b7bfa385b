/**
 * Digest of a whole state: the sum of the fingerprints of its rows, in (Z/2^32)^2.
 *
 * The sum does not depend on order and is kept up to date by adding what is written and subtracting what it replaces.
 * Two states with equal digests are equal but for a chance of 2^-64. It finds accidents, not attacks: members of a
 * network that could forge a collision could as well write any rows.
 */
import * as Hlc from "./Hlc.ts"
import { withDoubles } from "./Json.ts"
import type { Operation } from "./Operation.ts"

/** Two lanes of 32 bits, each 0 to 2^32 - 1. */
export interface Digest {
  readonly high: number
  readonly low: number
}

/** The digest of the empty state. */
export const empty: Digest = { high: 0, low: 0 }

/** The digest of two disjoint states together. */
export const add = (a: Digest, b: Digest): Digest => ({ high: (a.high + b.high) >>> 0, low: (a.low + b.low) >>> 0 })

/** The digest of `a` without `b`, where `b` is part of `a`. */
export const subtract = (a: Digest, b: Digest): Digest => ({
  high: (a.high - b.high) >>> 0,
  low: (a.low - b.low) >>> 0
})

/** 16 hexadecimal digits. */
export const toText = (digest: Digest): string => hex(digest.high) + hex(digest.low)

/** The digest that `toText` wrote. */
export const fromText = (text: string): Digest => ({
  high: Number.parseInt(text.slice(0, 8), 16),
  low: Number.parseInt(text.slice(8), 16)
})

/** Whether two digests are the same. */
export const equals = (a: Digest, b: Digest): boolean => a.high === b.high && a.low === b.low

/**
 * The content of an operation, without its HLC, as one text. Ids hold no control characters, so a NUL separates. An
 * `update` means what an `insert` means, and a relay of an older generation turns one into the other. Numbers count as
 * the doubles that they are to an older version of this program, which keeps no more of them.
 */
export const content = (operation: Operation): string => fieldsOf(operation).join("\0")

const fieldsOf = ({ op_id, table, op_type, row_id, data, timestamp }: Operation): ReadonlyArray<string> => [
  table,
  row_id,
  op_type === "delete" ? "delete" : "insert",
  op_id,
  `${timestamp}`,
  withDoubles(data)
]

/** The fingerprint of one row: of its operation's HLC and content, with a NUL between. */
export const ofOperation = (operation: Operation): Digest => hash([Hlc.toText(operation.hlc), ...fieldsOf(operation)])

/** A 64-bit hash of text. */
export const fingerprint = (text: string): Digest => hash([text])

/**
 * The hash of texts with a NUL between, without joining them, which would cost more than hashing. Two multiplicative
 * lanes over the UTF-16 code units and a final NUL, mixed into each other at the end with the finaliser of MurmurHash3
 * (Appleby).
 */
const hash = (texts: ReadonlyArray<string>): Digest => {
  let high = 0x9e3779b9
  let low = 0x85ebca6b
  for (const text of texts) {
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index)
      high = Math.imul(high ^ unit, 0x01000193)
      low = Math.imul(low ^ unit, 0x5bd1e995)
      low ^= low >>> 15
    }
    high = Math.imul(high, 0x01000193)
    low = Math.imul(low, 0x5bd1e995)
    low ^= low >>> 15
  }
  high = mix(high ^ Math.imul(low, 0x27d4eb2f))
  low = mix(low ^ Math.imul(high, 0x165667b1))
  return { high: high >>> 0, low: low >>> 0 }
}

const mix = (lane: number): number => {
  lane = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b)
  lane = Math.imul(lane ^ (lane >>> 13), 0xc2b2ae35)
  return lane ^ (lane >>> 16)
}

const hex = (lane: number): string => lane.toString(16).padStart(8, "0")
