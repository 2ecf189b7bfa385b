/**
 * Identifiers for rows and operations: UUIDs of version 7 (RFC 9562).
 *
 * Each is greater, as text, than every earlier one of this process, even within a millisecond and when the clock steps
 * back. A database inserts ordered keys several times faster than random ones.
 */
import { Clock, Context, Effect, Layer, Random } from "effect"
import { randomBytes } from "node:crypto"

export class Uuid extends Context.Service<
  Uuid,
  {
    /** The next identifier. */
    readonly next: Effect.Effect<string>
  }
>()("feral-sync/services/node/Uuid") {
  /** With random bits from the system. */
  static readonly layer = Layer.sync(Uuid, () => make(Effect.sync(() => randomBytes(4).readUInt32BE())))

  /** With random bits from Effect's `Random`, which a test or a simulation can seed. */
  static readonly layerRandom = Layer.sync(Uuid, () => make(Random.nextIntBetween(0, 2 ** 32)))
}

/** The 12 bits after the time: a counter, which starts in the lower half so that it has room to count. */
const counterStart = 2 ** 11
const counterEnd = 2 ** 12

const make = (random32: Effect.Effect<number>): Uuid["Service"] => {
  let time = 0
  let counter = 0
  const next = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const [a, b, c] = [yield* random32, yield* random32, yield* random32]
    if (now > time) {
      time = now
      counter = a % counterStart
    } else if (++counter === counterEnd) {
      // Faster than the counter can tell apart: borrow from the next millisecond.
      time++
      counter = a % counterStart
    }
    const tail = hex(((b & 0x3fffffff) | 0x80000000) >>> 0, 8) + hex(c, 8)
    const head = hex(time, 12)
    return `${head.slice(0, 8)}-${head.slice(8)}-7${hex(counter, 3)}-${tail.slice(0, 4)}-${tail.slice(4)}`
  })
  return { next }
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0")
