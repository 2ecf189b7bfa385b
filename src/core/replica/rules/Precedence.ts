/** The order of operations in which every rule orders those that are equal by what they say. It is total. */
import { Order } from "effect"
import * as Digest from "../Digest.ts"
import * as Hlc from "../Hlc.ts"
import { byCodePoint } from "../NodeId.ts"
import type { Operation } from "../Operation.ts"

/**
 * By HLC, and between different contents under one HLC, which only a broken or hostile origin makes, by the hash of the
 * content.
 */
export const PrecedenceOrder: Order.Order<Operation> = Order.make((a, b) => {
  const byHlc = Hlc.HlcOrder(a.hlc, b.hlc)
  if (byHlc !== 0) return byHlc
  const left = Digest.content(a)
  const right = Digest.content(b)
  if (left === right) return 0
  const byHash = byCodePoint(Digest.toText(Digest.fingerprint(left)), Digest.toText(Digest.fingerprint(right)))
  return byHash !== 0 ? byHash : byCodePoint(left, right)
})

/** The greatest HLC of some operations, of which there is at least one. */
export const latestOf = (operations: ReadonlyArray<Operation>): Hlc.Hlc | undefined =>
  operations.reduce<Hlc.Hlc | undefined>(
    (latest, { hlc }) => (latest === undefined || Hlc.HlcOrder(hlc, latest) > 0 ? hlc : latest),
    undefined
  )
