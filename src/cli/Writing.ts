/**
 * What all writing commands do: they write, and say under which id.
 */
import { Effect } from "effect"
import type { Memory, Written } from "../services/Memory.ts"
import * as Access from "./Access.ts"
import * as Globals from "./Globals.ts"
import { writeJson, writeLine } from "./Output.ts"

/** Writes, and prints the id: as JSON, or in a sentence like `Added note <id>`. */
export const run = Effect.fn("Writing.run")(function* <E>(
  done: string,
  write: (memory: Memory["Service"]) => Effect.Effect<Written, E>
) {
  const { memory } = yield* Access.open("write")
  const { id, hlc } = yield* write(memory)
  yield* (yield* Globals.Json) ? writeJson({ id, hlc }) : writeLine(`${done} ${id}`)
}, Effect.scoped)
