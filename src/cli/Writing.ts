/**
 * What all writing commands do: they write, and say under which id.
 */
import { Effect } from "effect"
import type { Memory, Written } from "../services/memory/Memory.ts"
import * as Access from "./Access.ts"
import * as Globals from "./Globals.ts"
import { writeJson, writeLine } from "./Output.ts"

/**
 * Writes, and prints the id: as JSON, or in a sentence like `Added note <id>`. What changes a row that is there makes no data
 * directory: there is none in a new one.
 */
export const run = Effect.fn("Writing.run")(function* <E>(
  done: string,
  write: (memory: Memory["Service"]) => Effect.Effect<Written, E>,
  purpose: "change" | "write" = "write"
) {
  const { memory } = yield* Access.open(purpose)
  const { id, hlc } = yield* write(memory)
  yield* (yield* Globals.Json) ? writeJson({ id, hlc }) : writeLine(`${done} ${id}`)
}, Effect.scoped)
