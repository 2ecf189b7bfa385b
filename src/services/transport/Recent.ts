/**
 * A map of at most so many entries: the one that was set longest ago goes first.
 */
export const make = <Key>(most: number) => {
  const entries = new Map<Key, number>()
  return {
    get: (key: Key) => entries.get(key),
    has: (key: Key) => entries.has(key),
    delete: (key: Key) => void entries.delete(key),
    set: (key: Key, value: number) => {
      entries.delete(key)
      entries.set(key, value)
      for (const oldest of entries.keys()) {
        if (entries.size <= most) break
        entries.delete(oldest)
      }
    }
  }
}
