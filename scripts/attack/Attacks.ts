/** All attacks, by name. */
import type { Attack } from "./Attack.ts"
import { greetings } from "./Greetings.ts"

export const attacks: ReadonlyArray<Attack> = [greetings]
