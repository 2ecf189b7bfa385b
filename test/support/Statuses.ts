/** What a node says of itself and of a peer, where all is well. */
import type { NodeStatus, PeerStatus } from "../../src/services/node/Status.ts"

/** A peer that is live and lacks nothing. */
export const peerStatus = (node_id: string | null, more: Partial<PeerStatus> = {}): PeerStatus => ({
  node_id,
  address: "10.0.0.5",
  port: 9090,
  source: "mdns",
  protocol: 2,
  state: "live",
  tls: "auto",
  lag_ops: 0,
  clock_offset_ms: 0,
  last_sync_at: 1,
  last_error: null,
  ...more
})

/** A node without rows. */
export const nodeStatus = (more: Partial<NodeStatus> = {}): NodeStatus => ({
  node_id: "self",
  version: "1.0.0",
  port: 9090,
  api_port: 9091,
  tls: "auto",
  legacy: "tls",
  uptime_seconds: 10,
  vector_clock: {},
  digest: "0",
  counts: { notes: 0, knowledge: 0, episodes: 0, execution_log: 0, tombstones: 0, quarantine: 0 },
  discovery: { mdns: "on", static: "none" },
  peers: [],
  ...more
})
