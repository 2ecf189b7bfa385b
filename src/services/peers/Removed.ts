/**
 * Nodes that were removed: they are not met any more under their id, and not shown.
 *
 * The list is a file, one id a line, that `peers remove` writes. A running node looks at it every two seconds. A device
 * that knows the passphrase can come back under another id: what locks a device out is another passphrase, or a revoked
 * certificate.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Context, Effect, FileSystem, Layer, Option, Ref, Schema } from "effect"
import { NodeId } from "../../core/replica/NodeId.ts"
import { Config } from "../node/Config.ts"
import type { StoreUnavailable } from "../node/NodeFailure.ts"
import * as Home from "../node/Home.ts"
import * as Changes from "../transport/tls/Changes.ts"

/** Ids in a list at most: a file of people, not of programs. */
const most = 1_000

const lookEvery = "2 seconds"

/** Where the list is; nowhere by default. */
export interface RemovedFile {
  readonly read: Effect.Effect<ReadonlySet<NodeId>, StoreUnavailable>
  /** The state of the file (`tls/Changes.ts`). */
  readonly look: Effect.Effect<string>
  /** Runs `take` each time that the file no longer looks as it did at `first`. */
  follow(first: string, take: Effect.Effect<boolean>): Effect.Effect<void>
}

export const RemovedFile: Context.Reference<Option.Option<RemovedFile>> = Context.Reference(
  "feral-sync/services/peers/Removed/RemovedFile",
  { defaultValue: (): Option.Option<RemovedFile> => Option.none() }
)

/** The list in a data directory; empty if there is no file. */
export const read = Effect.fn("Removed.read")(function* (home: string) {
  const fs = yield* FileSystem.FileSystem
  const { removed: path } = Home.paths(home)
  const text = yield* fs.readFileString(path).pipe(
    Effect.catchIf(
      ({ reason }) => reason._tag === "NotFound",
      () => Effect.succeed("")
    ),
    Effect.mapError(Home.unusable(path))
  )
  const ids = text.split("\n").filter((line) => line.trim() !== "")
  return new Set(ids.slice(0, most).filter(Schema.is(NodeId)))
})

/** Writes the list. */
export const write = (home: string, removed: ReadonlySet<NodeId>) =>
  Home.writeSecret(Home.paths(home).removed, Array.from(removed, (id) => `${id}\n`).join(""))

/** In the file `removed` of the data directory. */
export const layerFile: Layer.Layer<never, never, Config> = Layer.effect(
  RemovedFile,
  Effect.gen(function* () {
    const { home } = yield* Config
    const context = yield* Effect.context<FileSystem.FileSystem>()
    const paths = [Home.paths(home).removed]
    return Option.some<RemovedFile>({
      read: Effect.provide(read(home), context),
      look: Effect.provide(Changes.look(paths), context),
      follow: (first, take) => Effect.provide(Changes.follow({ paths, first, every: lookEvery }, take), context)
    })
  })
).pipe(Layer.provide(NodeFileSystem.layer))

/** Who was removed, current for as long as the scope is open. `onChange` runs when it has changed. */
export const keep = Effect.fnUntraced(function* (onChange: (removed: ReadonlySet<NodeId>) => Effect.Effect<void>) {
  const current = yield* Ref.make<ReadonlySet<NodeId>>(new Set())
  const file = Option.getOrUndefined(yield* RemovedFile)
  if (file === undefined) return current
  const take = file.read.pipe(
    Effect.tap((removed) => Ref.set(current, removed)),
    Effect.as(true),
    Effect.catch(({ message }) =>
      Effect.as(
        Effect.logError("the list of removed nodes cannot be read: using the last version of it").pipe(
          Effect.annotateLogs({ cause: message })
        ),
        false
      )
    )
  )
  const first = yield* file.look
  yield* take
  yield* file
    .follow(
      first,
      Effect.tap(take, () => Effect.flatMap(Ref.get(current), onChange))
    )
    .pipe(Effect.forkScoped)
  return current
})
