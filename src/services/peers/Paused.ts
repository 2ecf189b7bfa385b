/**
 * Nodes with which syncing is paused: they are shown, and neither dialled nor let in until they are resumed.
 */
import * as NodeList from "./NodeList.ts"

export const { read, write, layerFile, keep } = NodeList.make("paused", "paused")
