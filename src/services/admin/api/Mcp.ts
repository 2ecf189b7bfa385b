/** The memory as an MCP server at `/mcp`, for agents on this machine: the server of `feral-sync mcp`, inside the node. */
import { Effect, Layer, Stream } from "effect"
import * as McpServer from "../../../mcp/McpServer.ts"
import { Reach } from "../../../mcp/Reach.ts"
import type { NodeStatus } from "../../node/Status.ts"
import type { StoreUnavailable } from "../../node/NodeFailure.ts"
import { Memory } from "../../memory/Memory.ts"

/** `status` is that of the node. */
export const layer = (status: Effect.Effect<NodeStatus, StoreUnavailable>) =>
  McpServer.layerHttp("/mcp").pipe(
    Layer.provide(
      Layer.effect(
        Reach,
        Effect.map(Memory, (memory) =>
          Reach.of({
            open: () => Effect.succeed({ isRunning: true, memory, status }),
            events: Stream.map(memory.changes, ({ operations }) => ({ _tag: "Changed" as const, operations }))
          })
        )
      )
    )
  )
