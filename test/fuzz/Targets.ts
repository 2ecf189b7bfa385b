/** Everything that reads bytes of others. */
import { certificates } from "./Certificates.ts"
import { frames } from "./Frames.ts"
import type { Target } from "./Fuzz.ts"
import { headers } from "./Headers.ts"
import { imports } from "./Imports.ts"
import { mdns } from "./Mdns.ts"

export const targets: ReadonlyArray<Target> = [frames, headers, mdns, certificates, imports]
