/** The store in memory. */
import { Layer } from "effect"
import * as MemoryBackend from "./MemoryBackend.ts"
import { Store } from "./Store.ts"

/** A `disk` that is given outlives the layer; see `MemoryDisk.ts`. */
export const layer = (options?: MemoryBackend.Options) => Layer.effect(Store, MemoryBackend.make(options))
