/**
 * Maps and sets of at most so many entries. They keep the order of insertion: the first key is the one that was set
 * longest ago.
 */
interface Ordered<Key> {
  readonly size: number
  keys(): Iterable<Key>
  delete(key: Key): boolean
}

/** Drops the oldest entries of what holds more than it should. */
export const drop = <Key>(entries: Ordered<Key>, kept: number): void => {
  for (const oldest of entries.keys()) {
    if (entries.size <= kept) break
    entries.delete(oldest)
  }
}

/** Sets an entry, which is then the latest. */
export const set = <Key, Value>(map: Map<Key, Value>, key: Key, value: Value, kept: number): void => {
  map.delete(key)
  map.set(key, value)
  drop(map, kept)
}
