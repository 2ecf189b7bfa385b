/**
 * `purge`: removes rows of an unknown kind, or of one origin, from this node, and says what that means for the other
 * nodes.
 */
import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { sized } from "../services/node/Home.ts"
import { commandLine, quoted } from "../services/node/Invocation.ts"
import type { Purged } from "../services/admin/Purging.ts"
import * as Access from "./Access.ts"
import { WrongUsage } from "./Failure.ts"
import * as Fields from "./Fields.ts"
import * as Globals from "./Globals.ts"
import { counted, oneLine, writeJson, writeLine } from "./Output.ts"

export const command = Command.make(
  "purge",
  {
    kind: Fields.maybe(Fields.textFlag("kind", "KIND", "Remove all rows of a kind that this version does not know")),
    origin: Fields.maybe(
      Fields.textFlag("origin", "NODE-ID", "Remove all rows that a node wrote, notes and facts included")
    ),
    isDry: Flag.Boolean("dry-run").pipe(
      Flag.withDefault(false),
      Flag.withDescription("Count the rows and remove nothing")
    )
  },
  Effect.fnUntraced(function* ({ kind, origin, isDry }) {
    if ((kind === undefined) === (origin === undefined)) {
      return yield* new WrongUsage({ problem: `name what to remove: either --kind KIND or --origin NODE-ID` })
    }
    const access = yield* Access.open(isDry ? "read" : "change")
    const purged = yield* access.purging.purge({
      ...(kind === undefined ? {} : { kind }),
      ...(origin === undefined ? {} : { origin }),
      is_dry_run: isDry
    })
    if (yield* Globals.Json) return yield* writeJson({ ...purged, is_dry_run: isDry })
    const what = kind === undefined ? `of the node ${oneLine(origin ?? "")}` : `of the kind ${oneLine(kind)}`
    yield* writeLine(describe(purged, { what, kind, origin, isDry }).join("\n"))
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Remove rows from this node for good: the rows of a kind that this version does not know, or all rows of one origin. Use --dry-run first.\n\n" +
      "It affects only this node, and works with or without a running node. Peers keep their rows and do not send them again.\n\n" +
      "Run the same command on every node. Until then, digests differ, and status and verify explain why."
  ),
  Command.withShortDescription("Remove rows of an unknown kind, or of one origin"),
  Command.withExamples([
    { command: "feral-sync purge --kind junk --dry-run", description: "Count what would be removed" },
    { command: "feral-sync purge --kind junk" },
    { command: "feral-sync purge --origin cc67104d01bb055f --json | jq .rows" }
  ])
)

interface Asked {
  readonly what: string
  readonly kind: string | undefined
  readonly origin: string | undefined
  readonly isDry: boolean
}

/** Origins that are named at most. */
const named = 10

const describe = ({ rows, bytes, origins }: Purged, asked: Asked): ReadonlyArray<string> => {
  const { what, kind, origin, isDry } = asked
  if (rows === 0) return [`This node has no rows ${what}.`]
  const again = kind === undefined ? `--origin ${quoted(origin ?? "")}` : `--kind ${quoted(kind)}`
  const list = origins
    .slice(0, named)
    .map((one) => `  ${oneLine(one.origin)}: ${counted(one.rows, "row")}, ${sized(one.bytes)}`)
  const more = origins.length > named ? [`  and ${origins.length - named} more origins`] : []
  const head = `${isDry ? "Would remove" : "Removed"} ${counted(rows, "row")} ${what}, ${sized(bytes)}, from this node`
  if (isDry) return [`${head}:`, ...list, ...more, "", `To remove them: ${commandLine(`purge ${again}`)}`]
  return [
    `${head}:`,
    ...list,
    ...more,
    "",
    "Other nodes keep these rows. They do not send them to this node again, and this node does not accept them.",
    "A node that joins later does not get these rows from this node.",
    "Run the same command on every node. Until then digests differ, and this command shows why:",
    `  ${commandLine("verify")}`,
    "New rows are still accepted. To keep a node out, remove it and change the passphrase:",
    `  ${commandLine("peers remove NODE-ID")}`,
    `  ${commandLine("passphrase rotate")}`,
    "It is out when all nodes have the new one, and have dropped the old one:",
    `  ${commandLine("passphrase drop")}`
  ]
}
