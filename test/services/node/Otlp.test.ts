/** Traces of an exchange, as a collector gets them from both nodes. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Queue, Schema } from "effect"
import { TestClock } from "effect/testing"
import { createServer } from "node:http"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Otlp from "../../../src/services/node/Otlp.ts"
import { at, pass, start, world } from "../../support/Members.ts"

const Attribute = Schema.Struct({
  key: Schema.String,
  value: Schema.Struct({ stringValue: Schema.optionalKey(Schema.String) })
})
const Span = Schema.Struct({
  traceId: Schema.String,
  spanId: Schema.String,
  parentSpanId: Schema.optionalKey(Schema.String),
  name: Schema.String,
  attributes: Schema.Array(Attribute)
})
const Traces = Schema.Struct({
  resourceSpans: Schema.Array(
    Schema.Struct({
      resource: Schema.Struct({ attributes: Schema.Array(Attribute) }),
      scopeSpans: Schema.Array(Schema.Struct({ spans: Schema.Array(Span) }))
    })
  )
})
const decode = Schema.decodeUnknownSync(Schema.fromJsonString(Traces))

const valueOf = (attributes: ReadonlyArray<typeof Attribute.Type>, key: string) =>
  attributes.find((attribute) => attribute.key === key)?.value.stringValue

/** Takes what nodes send to a collector, until the scope closes. */
const collector = Effect.gen(function* () {
  const taken = yield* Queue.unbounded<{ readonly path: string | undefined; readonly body: string }>()
  const server = yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const server = createServer((request, response) => {
        let body = ""
        request.setEncoding("utf8").on("data", (part: string) => (body += part))
        request.on("end", () => {
          Queue.offerUnsafe(taken, { path: request.url, body })
          response.end("{}")
        })
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return { taken, environment: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` } }
})

describe("Otlp", () => {
  it.effect("one trace has the frames of one node and the commits of the other", () =>
    world(
      Effect.gen(function* () {
        const { taken, environment } = yield* collector
        const layer = Otlp.layer({
          ...environment,
          OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
          OTEL_LOGS_EXPORTER: "none"
        })
        const traced = <A, E, R>(node: Effect.Effect<A, E, R>) =>
          Effect.flatMap(Layer.build(Layer.fresh(layer)), (telemetry) => Effect.provideContext(node, telemetry))
        const a = yield* traced(start("a", []))
        const b = yield* traced(start("b", [at("a")]))
        // A node without traces takes part as well.
        const c = yield* start("c", [at("a")])
        yield* pass("5 seconds")
        yield* a.write("one")
        for (let n = 0; n < 5; n++) yield* pass("1 seconds")
        for (const node of [b, c]) assert.deepStrictEqual(yield* node.rows, ["one"])

        const spans: Array<typeof Span.Type> = []
        const named = (name: string, node: string) =>
          spans.find((span) => span.name === name && valueOf(span.attributes, "node") === node)
        for (;;) {
          const commit = named("sync.commit", "b")
          const send = spans.find(({ spanId }) => spanId === commit?.parentSpanId)
          const round = spans.find(({ spanId }) => spanId === send?.parentSpanId)
          if (commit !== undefined && send !== undefined && round !== undefined) {
            assert.deepStrictEqual([send.name, valueOf(send.attributes, "node")], ["sync.send", "a"])
            assert.deepStrictEqual([round.name, round.parentSpanId], ["sync.round", undefined])
            assert.strictEqual(new Set([commit, send, round].map(({ traceId }) => traceId)).size, 1)
            break
          }
          yield* TestClock.adjust("5 seconds")
          const { path, body } = yield* Queue.take(taken)
          assert.strictEqual(path, "/v1/traces")
          for (const { resource, scopeSpans } of decode(body).resourceSpans) {
            assert.strictEqual(valueOf(resource.attributes, "service.name"), "feral-sync")
            for (const scope of scopeSpans) spans.push(...scope.spans)
          }
        }
      })
    )
  )

  it.effect("variables that cannot be read keep no node from running, and are told", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const log = Logger.layer([Logger.make(({ message }) => lines.push(message))])
      yield* Effect.scoped(Layer.build(Layer.provide(Otlp.layer({ OTEL_EXPORTER_OTLP_ENDPOINT: "no address" }), log)))
      assert.deepInclude(lines, ["the node runs without a collector: correct the OTEL variables"])
    })
  )

  it("nothing loads it before it is wanted", () => {
    const sources = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"))
    const loading = sources.filter((path) => /^import .*\/Otlp\.ts"/m.test(readFileSync(join("src", path), "utf8")))
    assert.deepStrictEqual(loading, [])
  })
})

describe("what the log says of a collector", () => {
  const all = "http://all"
  for (const [name, variables, expected] of [
    ["one for all", { OTEL_EXPORTER_OTLP_ENDPOINT: all }, { traces: all, metrics: all, logs: all }],
    ["one for metrics alone", { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "http://m" }, { metrics: "http://m" }],
    [
      "one for all, another for traces, and no metrics",
      {
        OTEL_EXPORTER_OTLP_ENDPOINT: all,
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://t",
        OTEL_METRICS_EXPORTER: "none"
      },
      { traces: "http://t", logs: all }
    ],
    ["an empty one", { OTEL_EXPORTER_OTLP_ENDPOINT: "" }, {}]
  ] as const) {
    it(`names where each signal goes: ${name}`, () => {
      assert.deepStrictEqual(Otlp.destinations(variables), expected)
    })
  }
})
