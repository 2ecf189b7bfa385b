/**
 * `passphrase`: changes the passphrase of a network while its nodes go on syncing.
 *
 * The file holds the new one, and on a second line the one before, for as long as some node has only that.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, FileSystem, Option, Redacted } from "effect"
import { Command } from "effect/cli"
import * as Config from "../services/node/Config.ts"
import * as Home from "../services/node/Home.ts"
import { commandLine, quoted } from "../services/node/Invocation.ts"
import * as Access from "./Access.ts"
import { WrongUsage } from "./Failure.ts"
import * as Fields from "./Fields.ts"
import * as Globals from "./Globals.ts"
import { writeJson, writeLine } from "./Output.ts"
import { readPassphrase } from "./Start.ts"

const service = Effect.promise(() => import("../services/node/Passphrase.ts"))

/** The data directory, and the file in it that holds the passphrase. */
const place = Effect.fnUntraced(function* () {
  const home = yield* Config.loadHome(yield* Globals.Home)
  yield* Access.exists(home)
  if (yield* Config.hasPassphrase) {
    return yield* new WrongUsage({
      problem:
        "FERAL_SYNC_PASSPHRASE is set, so the passphrase is not in a file. Put the new one into FERAL_SYNC_PASSPHRASE, " +
        "the old one into FERAL_SYNC_PASSPHRASE_PREVIOUS, and restart the node"
    })
  }
  yield* Home.prepare(home)
  return { file: Home.paths(home).passphrase }
})

const rotate = Command.make(
  "rotate",
  {
    to: Fields.maybe(
      Fields.textFlag("to", "FILE", "Take the new passphrase from a file, or from stdin with - (default: create one)")
    )
  },
  Effect.fnUntraced(function* ({ to }) {
    const { file } = yield* place()
    const { fromFile, random } = yield* service
    const fs = yield* FileSystem.FileSystem
    const held = (yield* Effect.mapError(fs.exists(file), Home.unusable(file)))
      ? Option.some(yield* fromFile(file))
      : Option.none()
    const next = to === undefined ? Redacted.make(random()) : (yield* readPassphrase(to)).passphrase
    const current = Option.map(held, ({ passphrase }) => Redacted.value(passphrase))
    const earlier = Option.flatMap(held, ({ previous }) => Option.map(previous, Redacted.value))
    const isSame = Option.contains(current, Redacted.value(next))
    // A node that has only the one from two changes ago would be locked out.
    if (!isSame && Option.isSome(earlier)) {
      return yield* new WrongUsage({
        problem: "a change of the passphrase is already in progress",
        nextStep: `finish it with "${commandLine("passphrase drop")}" first`
      })
    }
    const before = isSame ? earlier : current
    yield* Home.writeSecret(file, [Redacted.value(next), ...Option.toArray(before), ""].join("\n"))
    if (yield* Globals.Json) return yield* writeJson({ file, accepts_previous: Option.isSome(before) })
    yield* writeLine(
      [
        `${isSame ? "The new passphrase was already" : "The new passphrase is"} in ${file}${Option.isSome(before) ? ", next to the old one" : ""}.`,
        "",
        "1. Restart this node. It then accepts both passphrases.",
        "2. Copy the new passphrase to every other node, and restart it:",
        `     ssh OTHER-NODE feral-sync passphrase rotate --to - < ${quoted(file)}`,
        `3. ${commandLine("status")} shows which peers still use the old one.`,
        "4. When no peer uses it any more, run on every node:",
        `     ${commandLine("passphrase drop")}`,
        "   and restart it. The old passphrase is then no longer accepted."
      ].join("\n")
    )
  }, Effect.provide(NodeFileSystem.layer))
).pipe(
  Command.withDescription(
    "Change the passphrase of the network step by step. The old one is accepted until it is dropped."
  ),
  Command.withShortDescription("Start using a new passphrase, and still accept the old one"),
  Command.withExamples([
    { command: "feral-sync passphrase rotate" },
    { command: "feral-sync passphrase rotate --to - < passphrase" }
  ])
)

const drop = Command.make(
  "drop",
  {},
  Effect.fnUntraced(function* () {
    const { file } = yield* place()
    const { fromFile } = yield* service
    const { passphrase, previous } = yield* fromFile(file)
    if (Option.isSome(previous)) yield* Home.writeSecret(file, `${Redacted.value(passphrase)}\n`)
    yield* (yield* Globals.Json)
      ? writeJson({ file, was_dropped: Option.isSome(previous) })
      : writeLine(
          Option.isSome(previous)
            ? `Removed the old passphrase from ${file}. Restart the node to stop accepting it.`
            : `${file} contains only the current passphrase.`
        )
  }, Effect.provide(NodeFileSystem.layer))
).pipe(
  Command.withDescription("Remove the old passphrase when all nodes have the new one."),
  Command.withExamples([{ command: "feral-sync passphrase drop" }])
)

export const command = Command.make("passphrase").pipe(
  Command.withDescription("Change the passphrase of the network without stopping all nodes at once."),
  Command.withShortDescription("Change the passphrase without stopping all nodes"),
  Command.withSubcommands([rotate, drop])
)
