/**
 * What the library of the command line may ask the system for. Our commands use files alone: no flag asks the user a
 * question, and none starts a program. What would do that is not loaded.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, Layer, Path, Stdio, Stream, Terminal } from "effect"
import { ChildProcessSpawner } from "effect/process"

const unused = Effect.die(new Error("no command uses this"))

export const layer = Layer.mergeAll(
  NodeFileSystem.layer,
  Path.layer,
  Stdio.layerTest({ stdin: Stream.empty }),
  Layer.succeed(
    Terminal.Terminal,
    Terminal.make({
      columns: unused,
      rows: unused,
      size: unused,
      readInput: unused,
      readLine: unused,
      display: () => unused
    })
  ),
  Layer.succeed(
    ChildProcessSpawner.ChildProcessSpawner,
    ChildProcessSpawner.make(() => unused)
  )
)
