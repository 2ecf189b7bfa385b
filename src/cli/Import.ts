/**
 * `import`: takes in an export, or the memory of another program. Each source is read as operations, and all of them
 * are taken in one way (`Taking.ts`).
 */
import { Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as RowFiles from "../services/admin/foreign/RowFiles.ts"
import * as Config from "../services/node/Config.ts"
import { WrongUsage } from "./Failure.ts"
import * as Fields from "./Fields.ts"
import * as Globals from "./Globals.ts"
import * as ImportFile from "./ImportFile.ts"

const flag = (name: string, description: string) =>
  Globals.Switch(name).pipe(Flag.withDefault(false), Flag.withDescription(description))

export const command = Command.make(
  "import",
  {
    file: Argument.String("file").pipe(
      Argument.withDescription("An exported file or directory; - reads standard input"),
      Argument.optional
    ),
    fromFeral: Fields.maybe(
      Fields.textFlag(
        "from-feral",
        "PATH",
        "Import the memory of an existing FERAL node: its data directory, or a bundle"
      )
    ),
    fromMcpMemory: Fields.maybe(
      Fields.textFlag("from-mcp-memory", "FILE", "Import the file of the MCP reference memory server")
    ),
    includePrivate: flag("include-private", "With --from-feral: also rows that are private to that machine"),
    includeNoteFacts: flag("include-note-facts", "With --from-feral: also the facts that repeat notes"),
    isDry: flag("dry-run", "Read and check everything, and import nothing")
  },
  Effect.fnUntraced(function* ({ file, fromFeral, fromMcpMemory, includePrivate, includeNoteFacts, isDry }) {
    const sources = [Option.getOrUndefined(file), fromFeral, fromMcpMemory].filter((source) => source !== undefined)
    if (sources.length !== 1) {
      return yield* new WrongUsage({ problem: "name one source: FILE, --from-feral PATH, or --from-mcp-memory FILE" })
    }
    if (fromFeral === undefined && (includePrivate || includeNoteFacts)) {
      return yield* new WrongUsage({ problem: "--include-private and --include-note-facts need --from-feral PATH" })
    }
    if (Option.isSome(file) && !RowFiles.isOne(file.value)) return yield* ImportFile.run(file.value, isDry)
    // What other programs keep is rarely imported: it is loaded only then.
    const [FeralDirectory, McpMemory, ImportForeign] = yield* Effect.promise(() =>
      Promise.all([
        import("../services/admin/foreign/FeralDirectory.ts"),
        import("../core/foreign/McpMemory.ts"),
        import("./ImportForeign.ts")
      ])
    )
    if (fromFeral !== undefined) {
      const source = yield* FeralDirectory.open(fromFeral, { includePrivate, includeNoteFacts })
      return yield* ImportForeign.run(fromFeral, source, isDry)
    }
    if (Option.isSome(file)) {
      const { maxRecvBytes } = yield* Config.load()
      const source = { found: RowFiles.found(file.value, maxRecvBytes), afterwards: () => undefined }
      return yield* ImportForeign.run(file.value, source, isDry)
    }
    const path = fromMcpMemory ?? ""
    const text = yield* FeralDirectory.readText(path)
    return yield* ImportForeign.run(path, { found: McpMemory.found(text), afterwards: () => undefined }, isDry)
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Import the rows of an export, or the memory of another program. They are merged like rows from a peer: the newest version of each row wins.\n\n" +
      "Importing the same again changes nothing, so an import that was interrupted is simply run again."
  ),
  Command.withShortDescription("Import an export, or the memory of another program"),
  Command.withExamples([
    { command: "feral-sync import memory.jsonl" },
    { command: "gunzip -c memory.jsonl.gz | feral-sync import -" },
    { command: "feral-sync import tables", description: "Import the tables of a CSV export" },
    { command: "feral-sync import --from-feral ~/.feral --dry-run", description: "See what would be imported" },
    { command: "feral-sync import --from-mcp-memory memory.json" }
  ])
)
