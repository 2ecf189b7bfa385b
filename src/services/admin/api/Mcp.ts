/**
 * The memory as an MCP server at `/mcp`, for agents on this machine: the server of `feral-sync mcp`, inside the node.
 *
 * It is made with the first request. Most nodes are never asked, and none has to wait for it when it starts.
 */
import { Effect, Layer, Scope } from "effect"
import { HttpRouter } from "effect/http"
import { Reach } from "../../../mcp/Reach.ts"
import * as Watching from "../../../mcp/Watching.ts"
import type { NodeStatus } from "../../node/Status.ts"
import type { StoreUnavailable } from "../../node/NodeFailure.ts"
import { Memory } from "../../memory/Memory.ts"

const path = "/mcp"

/** `status` is that of the node. */
export const layer = (status: Effect.Effect<NodeStatus, StoreUnavailable>) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const memory = yield* Memory
      const scope = yield* Effect.scope
      const reach = Reach.of({
        open: () => Effect.succeed({ isRunning: true, memory, status }),
        events: Watching.events(Effect.succeedSome(memory))
      })
      const server = yield* Effect.promise(() => import("../../../mcp/McpServer.ts")).pipe(
        Effect.flatMap(({ layerHttp }) =>
          HttpRouter.toHttpEffect(Layer.provide(layerHttp(path), Layer.succeed(Reach, reach)))
        ),
        Scope.provide(scope),
        // A client that leaves meanwhile must not end it halfway.
        Effect.uninterruptible,
        Effect.cached
      )
      return HttpRouter.add("*", path, Effect.flatten(server))
    })
  )
