/** All attacks, by name. */
import type { Attack } from "./Attack.ts"
import { disk } from "./Disk.ts"
import { greetings } from "./Greetings.ts"
import { keptApart } from "./KeptApart.ts"
import { mdnsFlood } from "./MdnsFlood.ts"
import { origins } from "./Origins.ts"
import { scanner } from "./Scanner.ts"

export const attacks: ReadonlyArray<Attack> = [
  disk,
  greetings,
  keptApart,
  mdnsFlood,
  origins,
  // Each on a line of its own.
  scanner
]
