/**
 * The server, apart from how it is reached: the tools of a profile, offered over any of the protocol versions in use.
 *
 * The protocol is `effect/ai/McpServer`, which is marked unstable: nothing else in the program imports it.
 */
import { Context, Effect, Layer, Result, Semaphore } from "effect"
import * as McpProtocol from "effect/ai/McpProtocol"
import * as McpSchema from "effect/ai/McpSchema"
import * as McpServer from "effect/ai/McpServer"
import type { HttpRouter } from "effect/http"
import type { Stdio } from "effect/Stdio"
import { version } from "../services/node/Version.ts"
import type { Told } from "./CallFailure.ts"
import { instructions } from "./Instructions.ts"
import { type Profile, toolsOf } from "./Profile.ts"
import { Reach } from "./Reach.ts"
import type { Tool } from "./Tool.ts"

export interface Options {
  readonly profile?: Profile | undefined
  /** Offers no tool that writes. */
  readonly isReadOnly?: boolean | undefined
}

/** Calls that are answered at once, at most: the others wait. */
const concurrency = 16

/** Over standard input and output. */
export const layerStdio = (options: Options = {}): Layer.Layer<never, never, Reach | Stdio> =>
  Layer.orDie(McpServer.layerStdio(served(options)))

/** At a path of an HTTP server, which has to authenticate the requests. */
export const layerHttp = (
  path: HttpRouter.PathInput,
  options: Options = {}
): Layer.Layer<never, never, Reach | HttpRouter.HttpRouter> =>
  Layer.orDie(McpServer.layerHttp({ ...served(options), path, allowSessionTermination: true }))

const served = ({ profile = "memory", isReadOnly = false }: Options) =>
  ({
    name: "feral-sync",
    version,
    description: "Replicated memory for agents",
    instructions: instructions(isReadOnly),
    protocols: [
      McpProtocol.v2026_07_28,
      McpProtocol.v2025_11_25,
      McpProtocol.v2025_06_18,
      McpProtocol.v2025_03_26,
      McpProtocol.v2024_11_05
    ],
    registrations: Layer.effectDiscard(register(toolsOf(profile, isReadOnly)))
  }) as const

const register = Effect.fnUntraced(function* (tools: ReadonlyArray<Tool>) {
  const server = yield* McpServer.McpServer
  const reach = yield* Reach
  const slots = yield* Semaphore.make(concurrency)
  for (const tool of tools) {
    yield* server.addTool({
      tool: described(tool),
      annotations: Context.empty(),
      handle: (args: unknown): Effect.Effect<McpSchema.CallToolResult> =>
        Effect.map(slots.withPermit(tool.call(args ?? {}, reach)), resultOf)
    })
  }
})

const described = ({ name, title, description, inputSchema, outputSchema, does }: Tool): McpSchema.Tool =>
  new McpSchema.Tool({
    name,
    title,
    description,
    inputSchema,
    outputSchema,
    annotations: {
      title,
      readOnlyHint: does === "reads",
      destructiveHint: does === "sets" || does === "removes",
      idempotentHint: does !== "adds",
      openWorldHint: false
    }
  })

/** An answer is structured, and the same as text for clients that only know texts. */
const resultOf = (outcome: Result.Result<object, Told>): McpSchema.CallToolResult =>
  Result.match(outcome, {
    onSuccess: (content) => new McpSchema.CallToolResult({ content: [textOf(content)], structuredContent: content }),
    // Clients check structured content by the schema of an answer: a failure has none.
    onFailure: (failure) => new McpSchema.CallToolResult({ content: [textOf(failure)], isError: true })
  })

const textOf = (value: object) => McpSchema.TextContent.make({ text: JSON.stringify(value) })
