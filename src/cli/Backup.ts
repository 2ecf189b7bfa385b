/**
 * `backup`: copies the database as it is at one moment, also while a node runs and writes.
 *
 * The copy is looked through before it gets its name. It takes the place of `sync.db` as it is.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Context, Effect, FileSystem, Layer } from "effect"
import { Argument, Command } from "effect/cli"
import { statSync } from "node:fs"
import { countNames } from "../core/replica/Kind.ts"
import { commandLine } from "../services/node/Invocation.ts"
import * as Config from "../services/node/Config.ts"
import { FileUnusable } from "../services/node/NodeFailure.ts"
import * as Home from "../services/node/Home.ts"
import { Store } from "../services/store/Store.ts"
import * as Access from "./Access.ts"
import { WrongUsage } from "./Failure.ts"
import * as Globals from "./Globals.ts"
import * as NewFile from "./NewFile.ts"
import { counted, quoted, writeJson, writeLine } from "./Output.ts"
import * as Progress from "./Progress.ts"

export const command = Command.make(
  "backup",
  { file: Argument.String("file").pipe(Argument.withDescription("The file to create (not standard output)")) },
  Effect.fnUntraced(function* ({ file }) {
    if (file === "-") {
      return yield* new WrongUsage({
        problem: "backup cannot write to standard output",
        nextStep: "give the name of a new file (./- for a file named -)"
      })
    }
    const isJson = yield* Globals.Json
    const home = yield* Config.loadHome(yield* Globals.Home)
    yield* Access.exists(home)
    const progress = yield* Progress.make(isJson)
    const total = statSync(Home.paths(home).database, { throwIfNoEntry: false })?.size
    const backup = yield* NewFile.make(file, (temporary) =>
      Effect.raceFirst(copy(home, file, temporary), watched(temporary, total, progress))
    )
    yield* isJson
      ? writeJson({ file, ...backup })
      : writeLine(
          `Backed up ${counted(backup.rows, "row")} (${Home.sized(backup.bytes)}) of node ${backup.node_id} to ${quoted(file)}`
        )
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Back up the database to a new file, with or without a running node.\n\nTo restore it, stop the node, run feral-sync restore FILE, and start the node. Later changes come back from the peers. An existing file is never replaced."
  ),
  Command.withShortDescription("Back up the database to a file, with or without a running node"),
  Command.withExamples([{ command: "feral-sync backup feral-$(date +%F).db" }])
)

const copy = Effect.fnUntraced(function* (home: string, file: string, temporary: string) {
  const [SqliteStore, { HlcClock }, SqliteIntegrity] = yield* Effect.promise(() =>
    Promise.all([
      import("../services/store/SqliteStore.ts"),
      import("../services/node/HlcClock.ts"),
      import("../services/store/SqliteIntegrity.ts")
    ])
  )
  const layer = SqliteStore.layer({ home, readOnly: true }).pipe(Layer.provide([HlcClock.layer, NodeFileSystem.layer]))
  const store = Context.get(yield* Layer.build(layer), Store)
  yield* Effect.mapError(store.backup(temporary), (error) =>
    error.reason === "disk full" ? new FileUnusable({ file, ...NewFile.diskFull, cause: error }) : error
  )
  const problems = yield* SqliteIntegrity.copy(temporary)
  if (problems.length > 0) {
    return yield* new FileUnusable({
      file,
      problem: `the database is damaged, and so is the copy (${problems.join("; ")})`,
      nextStep: `run ${commandLine("verify")}`
    })
  }
  const counts = yield* store.counts
  const { size } = yield* (yield* FileSystem.FileSystem).stat(temporary)
  return {
    node_id: store.nodeId,
    bytes: Number(size),
    rows: countNames.reduce((rows, name) => rows + counts[name], 0)
  }
})

/** Tells how far it is, and never ends. */
const watched = (temporary: string, total: number | undefined, progress: Progress.Report) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const { size } = yield* fs.stat(temporary)
    yield* progress({ text: `${Home.sized(Number(size))} copied`, done: Number(size), total, amount: Home.sized })
    yield* Effect.sleep("200 millis")
  }).pipe(Effect.forever)
