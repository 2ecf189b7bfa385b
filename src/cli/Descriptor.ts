/** All commands and flags, for what is written of them. The program provides them. */
import { Context, Effect } from "effect"
import type { Completions } from "effect/cli"

export const Descriptor = Context.Reference<Effect.Effect<Completions.CommandDescriptor>>("feral-sync/cli/Descriptor", {
  defaultValue: () => Effect.die(new Error("the commands are not known"))
})
