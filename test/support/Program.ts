/** The file that tests of processes run: the bundle, or the source where a test is run without it. */
import { fileURLToPath } from "node:url"

/** Where the bundle is. Nodes do not read it. */
export const variable = "FERAL_TESTED_PROGRAM"

export const main = process.env[variable] ?? fileURLToPath(new URL("../../src/main.ts", import.meta.url))
