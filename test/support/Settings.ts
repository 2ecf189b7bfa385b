/** Settings for tests: loopback only, any free port, no mDNS. */
import { Duration, Option } from "effect"
import type { Settings } from "../../src/services/node/Config.ts"

export const settings = (home: string, changes: Partial<Settings> = {}): Settings => ({
  home,
  host: "127.0.0.1",
  port: 0,
  passphrase: Option.none(),
  passphrasePrevious: Option.none(),
  peers: [],
  history: true,
  tls: Option.none(),
  requireClientCert: false,
  mdns: false,
  mdnsInterfaces: [],
  mdnsTimeout: Duration.seconds(30),
  interval: Duration.seconds(30),
  legacy: "tls",
  legacyScope: Option.none(),
  maxClockDriftMs: 300_000,
  maxFrameBytes: 262_144,
  legacyMaxRecvBytes: 128 * 1024 * 1024,
  maxRecvBytes: 8 * 1024 * 1024,
  maxOpaqueBytes: 256 * 1024 * 1024,
  maxOpaqueOriginBytes: 64 * 1024 * 1024,
  maxPeerRateBytes: 1024 * 1024,
  maxPeerBurstBytes: 1024 * 1024 * 1024,
  tombstoneMs: undefined,
  apiPort: 0,
  log: "pretty",
  logLevel: "info",
  ...changes
})
