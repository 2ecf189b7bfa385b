import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { program } from "./feed.ts"

it.live("the index has what was written while it was away", () =>
  Effect.map(program, (contents) => assert.deepStrictEqual(contents, ["milk", "tea"]))
)
