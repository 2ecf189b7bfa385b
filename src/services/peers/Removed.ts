/**
 * Nodes that were removed: they are not met any more under their id, and not shown.
 *
 * A device that knows the passphrase can come back under another id: what locks a device out is another passphrase, or
 * a revoked certificate.
 */
import * as NodeList from "./NodeList.ts"

export const { read, write, layerFile, keep } = NodeList.make("removed", "removed")
