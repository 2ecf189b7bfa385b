/**
 * Traces, metrics and log to a collector, by the standard variables of OpenTelemetry. Loaded only where one of them
 * names a collector: nothing may import this but at that moment.
 *
 * A collector that is away, and variables that cannot be read, keep no node from running.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Cause, Config, ConfigProvider, Context, Effect, Layer, Metric } from "effect"
import { HttpClient } from "effect/http"
import { OtlpExporter, OtlpLogger, OtlpMetrics, OtlpSerialization, OtlpTracer } from "effect/observability"
import { Collector, type Family, type Read } from "./Measured.ts"
import { version } from "./Version.ts"

type Environment = Readonly<Record<string, string | undefined>>

/** What the standard says where nothing is set. */
const defaults = {
  OTEL_TRACES_EXPORTER: "otlp",
  OTEL_METRICS_EXPORTER: "otlp",
  OTEL_METRIC_EXPORT_INTERVAL: "60000",
  OTEL_LOGS_EXPORTER: "otlp",
  OTEL_SERVICE_NAME: "feral-sync"
}

const resource = { resource: { serviceVersion: version } }

/** Where each signal goes. One that no variable names an endpoint for is not sent. */
export const destinations = (variables: Environment): Readonly<Record<string, string>> =>
  Object.fromEntries(
    ["TRACES", "METRICS", "LOGS"].flatMap((signal) => {
      const endpoint = variables[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`] || variables["OTEL_EXPORTER_OTLP_ENDPOINT"]
      const isSent = endpoint && variables[`OTEL_${signal}_EXPORTER`] !== "none"
      return isSent ? [[signal.toLowerCase(), endpoint] as const] : []
    })
  )

export const layer = (environment: Environment): Layer.Layer<never> => {
  const isJson = environment["OTEL_EXPORTER_OTLP_PROTOCOL"] === "http/json"
  const variables = { ...defaults, ...environment }
  return Layer.effectDiscard(
    Effect.logInfo("sending telemetry to a collector").pipe(Effect.annotateLogs(destinations(variables)))
  ).pipe(
    Layer.provideMerge(
      Layer.mergeAll(OtlpLogger.layerFromConfig(resource), OtlpTracer.layerFromConfig(resource), metrics(variables))
    ),
    Layer.provide(isJson ? OtlpSerialization.layerJson : OtlpSerialization.layerProtobuf),
    Layer.provide(NodeHttpClient.layerNodeHttp),
    Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(variables))),
    Layer.catchCause((cause) =>
      Layer.effectDiscard(
        Effect.logWarning("the node runs without a collector: correct the OTEL variables").pipe(
          Effect.annotateLogs({ cause: Cause.pretty(cause).split("\n")[0] })
        )
      )
    )
  )
}

/**
 * The longest time between two exports that the exporter makes by itself (ms): what it would send has not been read
 * again.
 */
const never = String(2 ** 31 - 1)

/**
 * Each node that runs with this sends its own metrics. They are read before they are sent, and once more at the end.
 */
const metrics = (variables: Environment) =>
  Layer.effect(
    Collector,
    Effect.gen(function* () {
      const every = yield* Config.Int("OTEL_METRIC_EXPORT_INTERVAL")
      const exporter = OtlpMetrics.layerFromConfig(resource).pipe(
        Layer.provide(
          ConfigProvider.layer(ConfigProvider.fromEnvRecord({ ...variables, OTEL_METRIC_EXPORT_INTERVAL: never }))
        ),
        Layer.fresh
      )
      const services = yield* Effect.context<HttpClient.HttpClient | OtlpSerialization.OtlpSerialization>()
      return Effect.fnUntraced(function* (read: Read) {
        const registry: Metric.MetricRegistry = new Map()
        const refresh = Effect.map(read, (families) => fill(registry, families))
        const exporting = yield* Layer.build(exporter).pipe(
          Effect.provideService(Metric.MetricRegistry, registry),
          Effect.provideContext(services)
        )
        yield* Effect.addFinalizer(() => Effect.ignore(refresh))
        yield* Effect.sleep(every).pipe(
          Effect.andThen(refresh),
          Effect.andThen(Context.get(exporting, OtlpExporter.Flusher).flush),
          Effect.ignore,
          Effect.forever,
          Effect.forkScoped
        )
      })
    })
  )

/** Puts what was read in the place of what was there. */
const fill = (registry: Metric.MetricRegistry, families: ReadonlyArray<Family>): void => {
  registry.clear()
  const put = <State>(
    type: Metric.Metric.Type,
    { name, help, unit }: Family,
    labels: Readonly<Record<string, string>>,
    state: State
  ) =>
    registry.set(`${name} ${JSON.stringify(labels)}`, {
      id: name,
      type,
      description: help,
      // The exporter takes the unit from the attributes. It is inherited, for what an attribute has of its own is a
      // label.
      attributes: Object.assign(Object.create({ unit }), labels),
      hooks: { get: () => state, update: () => {}, modify: () => {} }
    })
  for (const family of families) {
    if (family.type === "histogram") {
      const { bounds, counts, count, sum, min, max } = family.histogram
      let total = 0
      const buckets = bounds.map((bound, index): [number, number] => [bound, (total += counts[index] ?? 0)])
      put<Metric.HistogramState>("Histogram", family, {}, { buckets, count, sum, min, max })
    } else {
      for (const { labels = {}, value } of family.samples) {
        if (family.type === "gauge") put<Metric.GaugeState<number>>("Gauge", family, labels, { value })
        else put<Metric.CounterState<number>>("Counter", family, labels, { count: value, incremental: true })
      }
    }
  }
}
