/** The store in an SQLite file. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Layer } from "effect"
import * as SqliteBackend from "./SqliteBackend.ts"
import { Store } from "./Store.ts"

/** Writes the file in a data directory anew, without the space of deleted rows. No process may have it open. */
export { compact } from "./SqliteCompact.ts"

/**
 * The file `sync.db` in the data directory `home`, opened for this process alone. `readOnly` opens what is there,
 * beside a writer if need be, and shows it as it was at that moment. `lockWait` is how long to wait for another writer
 * to close (ms).
 */
export const layer = (options: SqliteBackend.Options) =>
  Layer.effect(Store, SqliteBackend.make(options)).pipe(Layer.provide(NodeFileSystem.layer))
