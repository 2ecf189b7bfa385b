/** Each metric changes when what it measures happens, between two real nodes. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { needs } from "../support/Needs.ts"
import { Nodes, until } from "../support/Nodes.ts"
import { metricsOf } from "../support/Request.ts"

let nodes: Nodes
beforeAll(() => {
  nodes = new Nodes()
})
afterAll(() => nodes.dispose())

/** What a node with a peer that is gone shows. */
let shown: string

/** The value of a sample by its name and its labels. */
const value = (metrics: string, sample: string): number | undefined => {
  const line = metrics.split("\n").find((line) => line.startsWith(`${sample} `))
  return line === undefined ? undefined : Number(line.slice(sample.length + 1))
}

describe("metrics", { timeout: 90_000 }, () => {
  it("change when what they measure happens, and are in the format of Prometheus", async () => {
    const a = await nodes.make().start()
    const b = await nodes
      .make({ FERAL_SYNC_PEERS: a.address, FERAL_SYNC_MDNS_TIMEOUT: "0", FERAL_SYNC_MDNS: "off" })
      .start()
    const peer = `{peer="${b.id}"}`
    await until(
      "the two are live",
      () => a.status(),
      ({ peers }) => peers.some(({ state, node_id }) => state === "live" && node_id === b.id),
      60_000
    )
    const first = await metricsOf(a.home)
    await a.cli("note", "add", "one")
    await b.cli("fact", "add", "sky", "is", "blue")
    const after = await until(
      "both writes are exchanged",
      () => metricsOf(a.home),
      (metrics) =>
        value(metrics, `feral_operations_received_total${peer}`) === 1 &&
        value(metrics, `feral_operations_sent_total${peer}`) === 1 &&
        value(metrics, 'feral_peer_behind_operations{peer="' + b.id + '",direction="it_lacks"}') === 0,
      30_000
    )
    const grows = (sample: string) =>
      assert.isAbove(value(after, sample) ?? -1, value(first, sample) ?? -1, `${sample}\n${after}`)
    for (const sample of [
      'feral_rows{kind="notes"}',
      'feral_rows{kind="knowledge"}',
      'feral_operations_written_total{kind="notes"}',
      `feral_bytes_received_total${peer}`,
      `feral_bytes_sent_total${peer}`,
      "feral_commit_seconds_count",
      "feral_commit_seconds_sum",
      'feral_commit_seconds_bucket{le="+Inf"}',
      "process_cpu_seconds_total"
    ])
      grows(sample)
    assert.strictEqual(value(after, 'feral_operations_written_total{kind="knowledge"}'), 0)
    assert.strictEqual(value(after, 'feral_peers{state="live"}'), 1)
    assert.strictEqual(value(after, `feral_peer_lag_seconds${peer}`), 0)
    assert.isBelow(Math.abs(value(after, `feral_clock_offset_seconds${peer}`) ?? Infinity), 5)
    assert.isAbove(value(after, 'feral_store_bytes{file="sync.db"}') ?? 0, 1_000)
    assert.isAbove(value(after, "process_resident_memory_bytes") ?? 0, 10_000_000)
    assert.match(after, /^feral_build_info\{version="[^"]+",node="[^"]+"\} 1$/m)

    // A session that ends is counted, and one that never began.
    const stranger = await nodes
      .make({ FERAL_SYNC_PEERS: a.address, FERAL_SYNC_MDNS: "off", FERAL_SYNC_PASSPHRASE: "another one" })
      .start()
    await until(
      "it is refused",
      () => metricsOf(a.home),
      (metrics) => (value(metrics, 'feral_handshake_failures_total{reason="PassphraseMismatch"}') ?? 0) > 0,
      30_000
    )
    await stranger.stop()
    await b.stop()
    const end = await until(
      "the session is over",
      () => metricsOf(a.home),
      (metrics) => /^feral_sessions_total\{role="server",end="PeerClosed"\} [1-9]/m.test(metrics),
      30_000
    )
    assert.strictEqual(value(end, 'feral_peers{state="live"}'), 0)
    // What is known of a peer that is gone stays.
    assert.isAbove(value(end, `feral_bytes_received_total${peer}`) ?? 0, 0)

    shown = end
    // Labels are of peers that `peers` shows: not of one that was refused.
    const known = await a.cli<ReadonlyArray<{ readonly node_id: string | null }>>("peers")
    const labels = new Set([...end.matchAll(/\bpeer="([^"]*)"/g)].map(([, id]) => id))
    assert.deepStrictEqual([...labels], [b.id])
    assert.include(
      known.map(({ node_id }) => node_id),
      b.id
    )
    // Rules and panels name metrics that there are.
    const named = ["alerts.yml", "grafana.json"].flatMap((file) =>
      readFileSync(join("docs/monitoring", file), "utf8").match(/\bferal_\w+/g)
    )
    for (const name of named) {
      const family = name?.replace(/_bucket$/, "") ?? ""
      const isThere =
        `${after}${end}`.includes(`# TYPE ${family} `) || family === "feral_tls_certificate_expires_timestamp_seconds"
      assert.isTrue(isThere, family)
    }
  })

  it.skipIf(needs("promtool"))("and the rules about them have no problem for Prometheus", () => {
    execFileSync("promtool", ["check", "metrics"], { input: shown, stdio: "pipe" })
    execFileSync("promtool", ["check", "rules", "docs/monitoring/alerts.yml"], { stdio: "pipe" })
  })
})
