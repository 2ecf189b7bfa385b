/**
 * A map of at most so many entries: the one that was set longest ago goes first.
 */
import * as Oldest from "../../core/peers/Oldest.ts"

export const make = <Key>(most: number) => {
  const entries = new Map<Key, number>()
  return {
    get: (key: Key) => entries.get(key),
    has: (key: Key) => entries.has(key),
    delete: (key: Key) => void entries.delete(key),
    set: (key: Key, value: number) => Oldest.set(entries, key, value, most)
  }
}
