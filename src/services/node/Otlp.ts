/**
 * Traces and log to a collector, by the standard variables of OpenTelemetry. Loaded only where `OTEL_EXPORTER_OTLP_ENDPOINT` is set:
 * nothing may import this but at that moment.
 *
 * A collector that is away, and variables that cannot be read, keep no node from running.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Cause, ConfigProvider, Effect, Layer } from "effect"
import { Otlp, OtlpSerialization } from "effect/observability"
import { version } from "./Version.ts"

type Environment = Readonly<Record<string, string | undefined>>

/** What the standard says where nothing is set, but for metrics: those are at `/metrics`. */
const defaults = { OTEL_TRACES_EXPORTER: "otlp", OTEL_LOGS_EXPORTER: "otlp", OTEL_SERVICE_NAME: "feral-sync" }

export const layer = (environment: Environment): Layer.Layer<never> => {
  const isJson = environment["OTEL_EXPORTER_OTLP_PROTOCOL"] === "http/json"
  return Layer.effectDiscard(
    Effect.logInfo("traces and log go to a collector").pipe(
      Effect.annotateLogs({ endpoint: environment["OTEL_EXPORTER_OTLP_ENDPOINT"] ?? "" })
    )
  ).pipe(
    Layer.provideMerge(Otlp.layerFromConfig({ resource: { serviceVersion: version } })),
    Layer.provide(isJson ? OtlpSerialization.layerJson : OtlpSerialization.layerProtobuf),
    Layer.provide(NodeHttpClient.layerNodeHttp),
    Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord({ ...defaults, ...environment }))),
    Layer.catchCause((cause) =>
      Layer.effectDiscard(
        Effect.logWarning("the node runs without traces: correct the OTEL variables").pipe(
          Effect.annotateLogs({ cause: Cause.pretty(cause).split("\n")[0] })
        )
      )
    )
  )
}
