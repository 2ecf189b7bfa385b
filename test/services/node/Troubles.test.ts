/** Whatever can be wrong with a peer is in the list of troubles, with a next step. */
import { assert, describe, it } from "@effect/vitest"
import * as SyncFailure from "../../../src/core/sync/SyncFailure.ts"
import { PeerUnreachable, StoreUnavailable, TlsHandshakeFailed } from "../../../src/services/node/NodeFailure.ts"
import { type NodeStatus, type PeerStatus, report } from "../../../src/services/node/Status.ts"
import * as Summary from "../../../src/services/node/Summary.ts"
import type { Failure } from "../../../src/services/peers/Endings.ts"
import { nodeStatus, peerStatus } from "../../support/Statuses.ts"
import type { Warned } from "../../../src/services/peers/RunningSession.ts"

type Shown = Failure | Warned | SyncFailure.DeferredByPeer | SyncFailure.RowsPurged | SyncFailure.PeerSlowed

/** One of each: a failure that is added has to be added here. */
const examples: { readonly [Tag in Shown["_tag"]]: Extract<Shown, { readonly _tag: Tag }> } = {
  ClockDrift: new SyncFailure.ClockDrift({ remote: 900_000, local: 0, limit: 300_000 }),
  DeferredByPeer: new SyncFailure.DeferredByPeer({ wall: 900_000, local: 0 }),
  DuplicateAnnounced: new SyncFailure.DuplicateAnnounced({ nodeId: "self", by: "10.0.0.7:9090" }),
  DuplicateNodeId: new SyncFailure.DuplicateNodeId({ nodeId: "nas" }),
  FrameTooLarge: new SyncFailure.FrameTooLarge({ peer: "nas", bytes: 9 }),
  LegacyRefused: new SyncFailure.LegacyRefused({ problem: "it uses no TLS", nextStep: "set FERAL_SYNC_LEGACY=on" }),
  OriginsLeftOut: new SyncFailure.OriginsLeftOut({ count: 3 }),
  OverQuota: new SyncFailure.OverQuota({ peer: "nas", where: "there", origins: ["x"] }),
  PassphraseMismatch: new SyncFailure.PassphraseMismatch({ by: "nas" }),
  PassphraseUnset: new SyncFailure.PassphraseUnset({ by: "nas" }),
  PeerClosed: new SyncFailure.PeerClosed({ code: 1001, reason: "going away" }),
  PeerGrantInvalid: new SyncFailure.PeerGrantInvalid({ by: "nas" }),
  PeerIdentityRequired: new SyncFailure.PeerIdentityRequired({ by: "nas" }),
  PeerPaused: new SyncFailure.PeerPaused({ nodeId: "self", by: "nas" }),
  PeerRefused: new SyncFailure.PeerRefused({ by: "nas", reason: "no" }),
  PeerRemoved: new SyncFailure.PeerRemoved({ nodeId: "self", by: "nas" }),
  PeerSlowed: new SyncFailure.PeerSlowed({ peer: "nas" }),
  PeerTimeout: new SyncFailure.PeerTimeout({ waitedFor: "message", seconds: 40 }),
  PeerUnreachable: new PeerUnreachable({ address: "10.0.0.7:9090", detail: "no route" }),
  ProtocolViolation: new SyncFailure.ProtocolViolation({ detail: "late" }),
  RateLimited: new SyncFailure.RateLimited({ retryAfterSeconds: 5, by: "nas" }),
  RowsPurged: new SyncFailure.RowsPurged({ peer: "nas", where: "here", count: 1 }),
  RowsTooLarge: new SyncFailure.RowsTooLarge({ peer: "nas", where: "there", count: 1, rows: [] }),
  SelfConnection: new SyncFailure.SelfConnection(),
  StoreUnavailable: new StoreUnavailable({ reason: "disk full", detail: "no space" }),
  TlsHandshakeFailed: new TlsHandshakeFailed({ address: "10.0.0.7:9090", reason: "untrusted", detail: "CN=a" }),
  TooLongAway: new SyncFailure.TooLongAway({ nodeId: "nas", isSelf: false, isOld: false }),
  UnprovedRefusal: new SyncFailure.UnprovedRefusal({ by: "10.0.0.7:9090", reason: "removed" })
}

const now = 1_800_000_000_000

const peer = peerStatus("nas", {
  address: "10.0.0.7",
  source: "static",
  state: "backoff",
  tls: null,
  lag_ops: null,
  clock_offset_ms: null,
  last_sync_at: null
})

const of = (row: PeerStatus): NodeStatus =>
  nodeStatus({ api_port: null, discovery: { mdns: "off", static: "active" }, peers: [row] })

describe("the troubles of a node", () => {
  it.each(Object.values(examples).map((failure) => [failure._tag, failure] as const))("have %s", (tag, failure) => {
    for (const seen of [{}, { last_seen_at: now / 1000 - 60 }]) {
      const status = of({ ...peer, ...seen, last_error: report(failure) })
      const [trouble, ...others] = Summary.troublesOf(status, now)
      assert.deepStrictEqual(others, [])
      if (trouble === undefined) return assert.fail("no trouble")
      assert.strictEqual(trouble._tag, tag)
      assert.strictEqual(trouble.node, "nas")
      assert.isAtLeast(trouble.next_step?.length ?? 0, 10)
      const { summary, troubles } = Summary.told(status, now)
      assert.deepStrictEqual(troubles, [trouble])
      assert.include(summary.toLowerCase(), trouble.next_step?.toLowerCase() ?? "?")
    }
  })

  it("have a node without an error that was lost, and none that is only being connected", () => {
    assert.lengthOf(Summary.troublesOf(of({ ...peer, last_seen_at: now / 1000 - 60 }), now), 1)
    assert.deepStrictEqual(Summary.troublesOf(of({ ...peer, state: "connecting" }), now), [])
    assert.notProperty(Summary.told(of({ ...peer, state: "connecting" }), now), "troubles")
  })

  it("do not have it that a node is meant to be alone, or is the first", () => {
    for (const mdns of ["on", "off"] as const) {
      const status = { ...of(peer), peers: [], discovery: { mdns, static: "none" } } as const
      assert.deepStrictEqual(Summary.troublesOf(status, now), [])
    }
  })
})
