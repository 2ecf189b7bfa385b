/**
 * The server, apart from how it is reached: the tools of a profile, offered over any of the protocol versions in use.
 *
 * The protocol is `effect/ai/McpServer`, which is marked unstable: nothing else in the program imports it.
 */
import { Context, Effect, Layer, Result, Semaphore, Stream } from "effect"
import * as McpProtocol from "effect/ai/McpProtocol"
import * as McpSchema from "effect/ai/McpSchema"
import * as McpServer from "effect/ai/McpServer"
import type { HttpRouter } from "effect/http"
import type { Stdio } from "effect/Stdio"
import { version } from "../services/node/Version.ts"
import type { Told } from "./CallFailure.ts"
import { instructions } from "./Instructions.ts"
import { type Profile, toolsOf } from "./Profile.ts"
import { prompts } from "./Prompts.ts"
import { type Event, Reach } from "./Reach.ts"
import { alwaysChanged, changedBy, parameterOf, resources } from "./Resources.ts"
import { isRepeatable, type Tool } from "./Tool.ts"

export interface Options {
  readonly profile?: Profile | undefined
  /** Offers no tool that writes. */
  readonly isReadOnly?: boolean | undefined
  /** Ends when it begins to matter what changes; at once when left out. */
  readonly isWatched?: Effect.Effect<void> | undefined
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

const served = ({ profile = "memory", isReadOnly = false, isWatched = Effect.void }: Options) =>
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
    registrations: Layer.effectDiscard(
      Effect.all([registerTools(toolsOf(profile, isReadOnly)), registerResources, registerPrompts, watch(isWatched)])
    )
  }) as const

const registerTools = Effect.fnUntraced(function* (tools: ReadonlyArray<Tool>) {
  const server = yield* McpServer.McpServer
  const reach = yield* Reach
  const slots = yield* Semaphore.make(concurrency)
  for (const tool of tools) {
    yield* server.addTool({
      tool: described(tool),
      annotations: Context.empty(),
      handle: (args: unknown): Effect.Effect<McpSchema.CallToolResult> =>
        Effect.map(slots.withPermit(tool.call(args ?? {}, reach)), (outcome) => resultOf(outcome, tool))
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
      destructiveHint: does === "sets" || does === "changes" || does === "removes",
      idempotentHint: isRepeatable(does),
      openWorldHint: false
    }
  })

const registerResources = Effect.gen(function* () {
  const server = yield* McpServer.McpServer
  const reach = yield* Reach
  for (const resource of resources) {
    const { args, name, parameter, title, description, tool, uri } = resource
    const about = { name, title, description, mimeType: "application/json" }
    const read = Effect.fnUntraced(function* (uri: string) {
      const given = yield* Effect.mapError(
        Effect.fromResult(parameterOf(uri, resource)),
        (message) => new McpSchema.InvalidParams({ message })
      )
      const outcome = yield* tool.call(args(given), reach)
      if (Result.isFailure(outcome)) return yield* new McpSchema.InvalidParams({ message: outcome.failure.message })
      return { contents: [{ uri, mimeType: about.mimeType, text: JSON.stringify(outcome.success) }] }
    })
    yield* parameter === undefined
      ? server.addResource({
          resource: new McpSchema.Resource({ ...about, uri }),
          annotations: Context.empty(),
          handle: Effect.mapError(read(uri), ({ message }) => new McpSchema.InternalError({ message }))
        })
      : server.addResourceTemplate({
          template: new McpSchema.ResourceTemplate({ ...about, uriTemplate: `${uri}{${parameter}}` }),
          annotations: Context.empty(),
          // A colon begins a parameter, and two of them are one.
          routerPath: `${uri.replace(":", "::")}:0`,
          completions: {},
          handle: read
        })
  }
})

const registerPrompts = Effect.gen(function* () {
  const server = yield* McpServer.McpServer
  const reach = yield* Reach
  for (const { arguments: args, description, name, text, title } of prompts) {
    yield* server.addPrompt({
      prompt: new McpSchema.Prompt({
        name,
        title,
        description,
        arguments: args.map((arg) => McpSchema.PromptArgument.make({ ...arg, required: true }))
      }),
      annotations: Context.empty(),
      completions: {},
      handle: Effect.fnUntraced(function* (given: Readonly<Record<string, string>>) {
        const missing = args.filter((arg) => (given[arg.name] ?? "").trim() === "")
        if (missing.length > 0) {
          const message = `${name} needs ${missing.map((arg) => arg.name).join(" and ")}`
          return yield* new McpSchema.InvalidParams({ message })
        }
        const content = textOf(yield* text(given, reach))
        return new McpSchema.GetPromptResult({ description, messages: [{ role: "user", content }] })
      })
    })
  }
})

/** Tells clients what has changed. Each of them gets what it has asked for. */
const watch = Effect.fnUntraced(function* (isWatched: Effect.Effect<void>) {
  const { notifications } = yield* McpServer.McpServer
  const { events } = yield* Reach
  const notify = Effect.fnUntraced(function* (event: Event) {
    const { uris, isListChanged } =
      event._tag === "Watched" ? { uris: alwaysChanged, isListChanged: false } : changedBy(event.operations)
    for (const uri of uris) yield* notifications["notifications/resources/updated"]({ uri })
    if (isListChanged) yield* notifications["notifications/resources/list_changed"]({})
  })
  yield* Effect.forkScoped(Effect.andThen(isWatched, Stream.runForEach(events, notify)))
})

/** An answer is structured, and the same as text for clients that only know texts. */
const resultOf = (outcome: Result.Result<object, Told>, { text }: Tool): McpSchema.CallToolResult =>
  Result.match(outcome, {
    onSuccess: (content) =>
      new McpSchema.CallToolResult({ content: [textOf(text(content))], structuredContent: content }),
    // Clients check structured content by the schema of an answer: a failure has none.
    onFailure: (failure) => new McpSchema.CallToolResult({ content: [textOf(JSON.stringify(failure))], isError: true })
  })

const textOf = (text: string) => McpSchema.TextContent.make({ text })
