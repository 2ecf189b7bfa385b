/** What a collector of OpenTelemetry gets from real nodes besides traces: the metrics that `/metrics` shows, and their new values. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Nodes, until } from "../support/Nodes.ts"
import { metricsOf } from "../support/Request.ts"
import { collect, type Measured, type OtlpCollector } from "../support/OtlpCollector.ts"

let nodes: Nodes
let collector: OtlpCollector
beforeAll(async () => {
  nodes = new Nodes()
  collector = await collect()
})
afterAll(async () => {
  await nodes.dispose()
  collector.close()
})

/** Name, type and labels of all that the text has. What a histogram is made of is one of them. */
const described = (text: string): ReadonlyArray<string> => {
  const types = new Map([...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name = "", type = ""]) => [name, type]))
  const samples = [...text.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)].map(([, name = "", labels = ""]) => {
    const family = types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, "")
    return `${family} ${types.get(family)} ${types.get(family) === "histogram" ? "" : labels}`
  })
  return [...new Set(samples)].sort()
}

const arrived = (metrics: ReadonlyMap<string, Measured>): ReadonlyArray<string> =>
  [...metrics.values()]
    .flatMap(({ name, type, points }) =>
      points.map(({ labels }) => {
        const pairs = Object.entries(labels).map(([key, value]) => `${key}="${value}"`)
        return `${name} ${type === "sum" ? "counter" : type} ${pairs.join(",")}`
      })
    )
    .sort()

const value = (metrics: ReadonlyMap<string, Measured>, name: string, labels: Readonly<Record<string, string>>) =>
  metrics.get(name)?.points.find((point) => Object.entries(labels).every(([key, label]) => point.labels[key] === label))
    ?.value

describe("metrics over OTLP", { timeout: 90_000 }, () => {
  it("are those of /metrics with the same labels, as JSON and as Protocol Buffers, and are read before each is sent", async () => {
    const sending = (name: string, protocol: string) => ({
      OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.endpoint}/${name}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_METRIC_EXPORT_INTERVAL: "200"
    })
    const a = await nodes.make(sending("a", "http/json")).start()
    const b = await nodes.make({ ...sending("b", "http/protobuf"), FERAL_SYNC_PEERS: a.address }).start()
    for (const [name, node, peer, type] of [
      ["a", a, b, "application/json"],
      ["b", b, a, "application/x-protobuf"]
    ] as const) {
      const path = `/${name}/v1/metrics`
      await node.cli("note", "add", "one")
      const metrics = await until(
        `what ${name} measures`,
        () => Promise.resolve(collector.last(path)),
        (metrics) =>
          value(metrics, "feral_operations_written_total", { kind: "notes" }) === 1 &&
          value(metrics, "feral_peer_behind_operations", { peer: peer.id, direction: "it_lacks" }) === 0 &&
          (value(metrics, "feral_operations_sent_total", { peer: peer.id }) ?? 0) > 0,
        30_000
      )
      assert.isTrue(collector.taken.every((taken) => taken.path !== path || taken.type === type))
      assert.strictEqual(value(metrics, "feral_peers", { state: "live" }), 1)
      assert.strictEqual(metrics.get("feral_bytes_received_total")?.unit, "By")
      assert.strictEqual(metrics.get("feral_rows")?.unit, "{row}")
      assert.strictEqual(metrics.get("feral_rows")?.help, "Rows that this node holds, by kind.")
      const commits = metrics.get("feral_commit_seconds")
      assert.deepStrictEqual([commits?.type, commits?.unit], ["histogram", "s"])
      const { count = 0, sum = 0, buckets = [], bounds = [] } = commits?.points[0] ?? { labels: {} }
      assert.isAbove(count, 0)
      assert.isAbove(sum, 0)
      assert.strictEqual(
        buckets.reduce((all, part) => all + part, 0),
        count
      )
      assert.deepStrictEqual([bounds.length, bounds[0], bounds.at(-1)], [buckets.length - 1, 0.0005, 10])
      await until(
        "both have the same",
        async () => [arrived(collector.last(path)), described(await metricsOf(node.home))] as const,
        ([sent, text]) => JSON.stringify(sent) === JSON.stringify(text) && sent.length > 30
      )
    }
    await until(
      "the row of the other one is counted",
      () => Promise.resolve(value(collector.last("/a/v1/metrics"), "feral_rows", { kind: "notes" })),
      (rows) => rows === 2
    )
  })

  it("have the last values when a node ends before the interval is over", async () => {
    const node = await nodes.make({ OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.endpoint}/end` }).start()
    await node.cli("note", "add", "one")
    assert.strictEqual(await node.stop(), 0)
    const metrics = collector.last("/end/v1/metrics")
    assert.strictEqual(value(metrics, "feral_operations_written_total", { kind: "notes" }), 1)
  })

  it("are not sent when the variable says none, while the log is", async () => {
    const endpoint = `${collector.endpoint}/none`
    const node = await nodes
      .make({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_METRICS_EXPORTER: "none", OTEL_METRIC_EXPORT_INTERVAL: "50" })
      .start()
    await node.cli("note", "add", "one")
    assert.strictEqual(await node.stop(), 0)
    const paths = new Set(collector.taken.map(({ path }) => path).filter((path) => path.startsWith("/none/")))
    assert.isTrue(paths.has("/none/v1/logs"))
    assert.isFalse(paths.has("/none/v1/metrics"))
  })

  it("that cannot be sent keep no node from running, or from ending", async () => {
    const gone = await collect()
    gone.close()
    const node = await nodes
      .make({ OTEL_EXPORTER_OTLP_ENDPOINT: gone.endpoint, OTEL_METRIC_EXPORT_INTERVAL: "50" })
      .start()
    await node.cli("note", "add", "one")
    assert.strictEqual((await node.status()).counts.notes, 1)
    assert.strictEqual(await node.stop(), 0)
  })

  it("are sent alone when only their collector is named", async () => {
    const endpoint = `${collector.endpoint}/alone`
    const node = await nodes.make({ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: endpoint }).start()
    assert.strictEqual(await node.stop(), 0)
    assert.isTrue(collector.last("/alone").has("feral_build_info"))
    assert.deepStrictEqual(
      [...new Set(collector.taken.map(({ path }) => path))].filter((path) => /alone./.test(path)),
      []
    )
  })
})
