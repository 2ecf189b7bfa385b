/**
 * A list of nodes that people keep: a file of the data directory, one id a line. Commands write it, and a running node
 * looks at it every two seconds.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Context, Effect, FileSystem, Layer, Option, Ref, Schema, type Scope } from "effect"
import { NodeId } from "../../core/replica/NodeId.ts"
import { Config } from "../node/Config.ts"
import { commandLine } from "../node/Invocation.ts"
import { StoreUnavailable } from "../node/NodeFailure.ts"
import * as Home from "../node/Home.ts"
import * as Changes from "../transport/tls/Changes.ts"

/** Ids in a list at most: a file of people, not of programs. */
export const most = 1_000

export const noRoom = (called: string): string =>
  `the list of ${called} nodes has room for ${most.toLocaleString("en")} nodes, and none is left`

/** The next step when a list is full. */
export const makeRoom = (name: "removed" | "paused"): string =>
  name === "removed"
    ? `${commandLine("peers readmit NODE-ID")} for those that are gone, or change the passphrase`
    : `${commandLine("peers resume NODE-ID")} for those that are gone`

const lookEvery = "2 seconds"

/** Where a list is; nowhere by default. */
export interface ListFile {
  readonly read: Effect.Effect<ReadonlySet<NodeId>, StoreUnavailable>
  write(nodes: ReadonlySet<NodeId>): Effect.Effect<void, StoreUnavailable>
  /** The state of the file (`tls/Changes.ts`). */
  readonly look: Effect.Effect<string>
  /** Runs `take` each time that the file no longer looks as it did at `first`. */
  follow(first: string, take: Effect.Effect<boolean>): Effect.Effect<void>
}

/** Who is on a list, current for as long as the scope is open. */
export interface Kept {
  readonly current: Ref.Ref<ReadonlySet<NodeId>>
  /** Changes the list, in the file too. Done when the change is in effect. */
  set(nodes: ReadonlySet<NodeId>): Effect.Effect<void, StoreUnavailable>
}

export interface NodeList {
  /** The list in a data directory; empty if there is no file. */
  read(home: string): Effect.Effect<ReadonlySet<NodeId>, StoreUnavailable, FileSystem.FileSystem>
  /** Writes the list. */
  write(home: string, nodes: ReadonlySet<NodeId>): Effect.Effect<void, StoreUnavailable, FileSystem.FileSystem>
  /** In its file of the data directory. */
  readonly layerFile: Layer.Layer<never, never, Config>
  /** `onChange` runs when the list has changed. */
  keep(onChange: (nodes: ReadonlySet<NodeId>) => Effect.Effect<void>): Effect.Effect<Kept, never, Scope.Scope>
}

/** The list in the file of this name. `called` is how the log calls those on it. */
export const make = (name: "removed" | "paused", called: string): NodeList => {
  const File = Context.Reference<Option.Option<ListFile>>(`feral-sync/services/peers/NodeList/${name}`, {
    defaultValue: () => Option.none()
  })

  const read = Effect.fnUntraced(function* (home: string) {
    const fs = yield* FileSystem.FileSystem
    const path = Home.paths(home)[name]
    yield* Home.refuseForeign(path)
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

  /** One that is longer would be cut when it is read. */
  const write = Effect.fnUntraced(function* (home: string, nodes: ReadonlySet<NodeId>) {
    if (nodes.size > most) {
      return yield* new StoreUnavailable({ reason: "other", detail: noRoom(called), advice: makeRoom(name) })
    }
    yield* Home.writeSecret(Home.paths(home)[name], Array.from(nodes, (id) => `${id}\n`).join(""))
  })

  const layerFile = Layer.effect(
    File,
    Effect.gen(function* () {
      const { home } = yield* Config
      const context = yield* Effect.context<FileSystem.FileSystem>()
      const paths = [Home.paths(home)[name]]
      return Option.some<ListFile>({
        read: Effect.provide(read(home), context),
        write: (nodes) => Effect.provide(write(home, nodes), context),
        look: Effect.provide(Changes.look(paths), context),
        follow: (first, take) => Effect.provide(Changes.follow({ paths, first, every: lookEvery }, take), context)
      })
    })
  ).pipe(Layer.provide(NodeFileSystem.layer))

  const keep: NodeList["keep"] = Effect.fnUntraced(function* (onChange) {
    const current = yield* Ref.make<ReadonlySet<NodeId>>(new Set())
    const file = Option.getOrUndefined(yield* File)
    const apply = (nodes: ReadonlySet<NodeId>) => Effect.andThen(Ref.set(current, nodes), onChange(nodes))
    if (file === undefined) return { current, set: apply }
    const take = file.read.pipe(
      Effect.tap((nodes) => Ref.set(current, nodes)),
      Effect.as(true),
      Effect.catch(({ message }) =>
        Effect.as(
          Effect.logError(`the list of ${called} nodes cannot be read: still using the previous version`).pipe(
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
    return { current, set: (nodes) => Effect.andThen(file.write(nodes), apply(nodes)) }
  })

  return { read, write, layerFile, keep }
}
