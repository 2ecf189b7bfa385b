/**
 * While the passphrase is changed: which address is dialled with the one before.
 *
 * A server that does not accept the present one has proved nothing. It may be any machine that wants proofs to guess
 * from, and the passphrase before may be the weaker one. So it is shown only where this node was before or was told to
 * go, and with the next dial, which waits its turn like all dials.
 */
import { Cause, Exit, Option } from "effect"
import { type Address, formatAddress } from "../../core/peers/Address.ts"
import * as Oldest from "../../core/peers/Oldest.ts"
import type { Failure } from "./Endings.ts"

/** Addresses that are to be dialled so. The one that was noted longest ago goes first. */
const kept = 256

interface Options {
  readonly hasPrevious: boolean
  /** Whether a member was met at the address of a candidate, or the user named it. */
  isKnown(key: string, address: Address): boolean
}

export const make = ({ hasPrevious, isKnown }: Options) => {
  const due = new Map<string, true>()
  return {
    /** Whether an address is to be dialled with the passphrase before, this time. */
    isDue: (address: Address): boolean => due.delete(formatAddress(address)),
    /** Whether the next dial of an address is to be with it, after one with the present passphrase that ended so. */
    isNext: (key: string, address: Address, exit: Exit.Exit<unknown, Failure>): boolean => {
      const isMismatch =
        Exit.isFailure(exit) &&
        Option.exists(Cause.findErrorOption(exit.cause), ({ _tag }) => _tag === "PassphraseMismatch")
      if (!hasPrevious || !isMismatch || !isKnown(key, address)) return false
      Oldest.set(due, formatAddress(address), true, kept)
      return true
    }
  }
}
