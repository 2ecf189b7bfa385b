import { assert, describe, it } from "@effect/vitest"
import { ClockDrift, PassphraseMismatch, PeerPaused, RowsTooLarge } from "../../../src/core/sync/SyncFailure.ts"
import { PeerUnreachable, StoreUnavailable, TlsHandshakeFailed } from "../../../src/services/node/NodeFailure.ts"
import { type NodeStatus, type PeerStatus, report } from "../../../src/services/node/Status.ts"
import * as Summary from "../../../src/services/node/Summary.ts"
import { nodeStatus, peerStatus } from "../../support/Statuses.ts"

const now = 1_800_000_000_000
const at = (secondsAgo: number) => now / 1000 - secondsAgo

const peer = (node_id: string | null, some: Partial<PeerStatus> = {}): PeerStatus =>
  peerStatus(node_id, { address: "10.0.0.7", last_sync_at: at(5), it_lacks: { operations: 0 }, ...some })

const away = (node_id: string, seconds: number, operations: number, some: Partial<PeerStatus> = {}): PeerStatus =>
  peer(node_id, { state: "backoff", lag_ops: null, last_seen_at: at(seconds), it_lacks: { operations }, ...some })

const failing = (failure: Parameters<typeof report>[0], some: Partial<PeerStatus> = {}): PeerStatus =>
  peer("nas", { state: "backoff", last_error: report(failure), ...some })

const withPeers = (...peers: ReadonlyArray<PeerStatus>) => nodeStatus({ peers })

const cases: ReadonlyArray<readonly [situation: string, status: NodeStatus, sentences: string]> = [
  [
    "no other node was met",
    nodeStatus(),
    "No other node met yet. This node looks for others with mDNS. Start a node on another machine, open UDP 5353 on both, or set FERAL_SYNC_PEERS (host:port,host:port)."
  ],
  [
    "no other node can be met",
    nodeStatus({ discovery: { mdns: "off", static: "none" } }),
    "No other node met yet. mDNS is off, and no peers are listed. Set FERAL_SYNC_PEERS (host:port,host:port), or set FERAL_SYNC_MDNS=on."
  ],
  [
    "mDNS does not work",
    nodeStatus({ discovery: { mdns: "unavailable", static: "none" } }),
    "No other node met yet. mDNS does not work here, and no peers are listed. Check that an interface with multicast is up and that UDP 5353 is open."
  ],
  ["one node in sync", withPeers(peer("nas")), "In sync with nas."],
  ["both in sync", withPeers(peer("nas"), peer("desk")), "In sync with both other nodes."],
  ["all in sync", withPeers(peer("nas"), peer("desk"), peer("pi")), "In sync with all 3 other nodes."],
  [
    "one of several is away",
    withPeers(peer("desk"), peer("box"), peer("pi"), away("nas", 7_300, 12)),
    "In sync with 3 of 4 nodes. nas: not seen for 2 h; it lacks 12 operations of ours. Check that the node there runs and that its port is open."
  ],
  [
    "one is away, and had everything",
    withPeers(peer("desk"), away("nas", 90, 0)),
    "In sync with 1 of 2 nodes. nas: not seen for 1 min; it lacks nothing of ours. Check that the node there runs and that its port is open."
  ],
  [
    "one was away since before the start",
    nodeStatus({ absent: [{ node_id: "nas", last_seen_at: at(86_400 * 3), it_lacks: { operations: 1 } }] }),
    "Not in sync with the only other node. nas: not seen for 3 d; it lacks 1 operation of ours. Start it; if it is gone for good, run feral-sync peers remove with its id."
  ],
  [
    "one takes what it lacks",
    withPeers(peer("nas", { state: "syncing", lag_ops: null, it_lacks: { operations: 10_000, at_least: true } })),
    "Not in sync with the only other node. nas: it lacks at least 10000 operations of ours; this is on its way."
  ],
  [
    "one sends what we lack",
    withPeers(peer("desk"), peer("nas", { state: "syncing", we_lack: { origins: 2 } })),
    "In sync with 1 of 2 nodes. nas: we lack operations of 2 nodes that it has; this is on its way."
  ],
  [
    "both lack something",
    withPeers(peer("nas", { state: "syncing", it_lacks: { operations: 3 }, we_lack: { origins: 1 } })),
    "Not in sync with the only other node. nas: it lacks 3 operations of ours, and we lack operations of 1 node that it has; this is on its way."
  ],
  [
    "a wrong passphrase here",
    withPeers(failing(new PassphraseMismatch({ by: "nas" }), { node_id: null, state: "refused", source: "static" })),
    "Not in sync with the only other node. 10.0.0.7:9090: passphrase mismatch, found by nas. Make FERAL_SYNC_PASSPHRASE the same on both nodes; a node where it is not set created its own."
  ],
  [
    "a wrong passphrase of one that came",
    withPeers(
      peer("desk"),
      failing(new PassphraseMismatch({ by: "self" }), { node_id: null, state: "refused", source: "inbound" })
    ),
    "In sync with desk. 10.0.0.7: passphrase mismatch, found by self. Make FERAL_SYNC_PASSPHRASE the same on both nodes; a node where it is not set created its own."
  ],
  [
    "a certificate of another CA",
    withPeers(
      failing(
        new TlsHandshakeFailed({
          address: "10.0.0.7:9090",
          reason: "untrusted",
          detail: "the issuer is unknown"
        }),
        { node_id: null, state: "refused", source: "static" }
      )
    ),
    "Not in sync with the only other node. TLS handshake with 10.0.0.7:9090 failed: untrusted (the issuer is unknown). Sign both certificates with the same CA, or use no TLS variables on both nodes."
  ],
  [
    "a clock that is ahead",
    withPeers(
      failing(new ClockDrift({ remote: now + 400_000, local: now, limit: 300_000 }), {
        state: "live",
        we_lack: { origins: 1 }
      })
    ),
    "Not in sync with the only other node. nas: a clock is 400 s ahead of ours (allowed: 300 s); we lack operations of 1 node that it has. Set the clocks of both machines, for example with NTP."
  ],
  [
    "a full disk, with and without peers that notice it",
    nodeStatus({
      last_write_error: report(new StoreUnavailable({ reason: "disk full", detail: "no space left" })),
      peers: [failing(new StoreUnavailable({ reason: "disk full", detail: "no space left" }), { state: "live" })]
    }),
    "Not in sync with the only other node. The last write failed, because the database cannot be used: disk full (no space left). Free some space; no acknowledged write is lost."
  ],
  [
    "damage",
    nodeStatus({ damage: report(new StoreUnavailable({ reason: "corrupt", detail: "page 3" })), peers: [peer("nas")] }),
    "The database is damaged, and this node does not sync. Stop the node, restore a backup with feral-sync restore FILE, and start it. Without a backup, move sync.db away: the node gets the rows back from its peers."
  ],
  [
    "quarantine",
    nodeStatus({ peers: [peer("nas")], counts: { ...nodeStatus().counts, quarantine: 2 } }),
    "In sync with nas. 2 entries from peers could not be read, and are in quarantine. Write the row again on the node that wrote it."
  ],
  [
    "a row that is too large there",
    withPeers(
      failing(
        new RowsTooLarge({
          peer: "nas",
          where: "there",
          count: 1,
          rows: [{ table: "notes", row_id: "n1", bytes: 9_000_000 }]
        }),
        { state: "live", it_lacks: { operations: 1 } }
      )
    ),
    "Not in sync with the only other node. 1 row is larger than nas accepts: notes n1, 9.0 MB; it lacks 1 operation of ours. Raise FERAL_SYNC_MAX_RECV_BYTES there."
  ],
  [
    "an existing FERAL node",
    withPeers(peer("old", { protocol: 1, lag_ops: null, last_sync_at: at(12) })),
    "In sync with old. The existing FERAL node old is synced periodically: the last exchange was 12 s ago."
  ],
  [
    "a repair",
    withPeers(
      failing(
        { _tag: "Diverged", problem: "same vector clock but different rows", nextStep: "wait for it" },
        { state: "live" }
      )
    ),
    "Not in sync with the only other node. Rows here and on nas differ. Wait for it."
  ],
  [
    "two problems",
    withPeers(peer("desk"), away("nas", 60, 2), away("pi", 60, 1)),
    "In sync with 1 of 3 nodes. nas: not seen for 1 min; it lacks 2 operations of ours. pi: not seen for 1 min; it lacks 1 operation of ours. Check that the node there runs and that its port is open."
  ],
  [
    "two problems with different next steps",
    withPeers(peer("desk"), away("nas", 60, 2), peer("pi", { state: "paused" })),
    "In sync with 1 of 3 nodes. nas: not seen for 1 min; it lacks 2 operations of ours. Check that the node there runs and that its port is open. And 1 more: see feral-sync peers."
  ],
  [
    "two problems, one of them of this node",
    nodeStatus({ peers: [away("nas", 60, 2)], counts: { ...nodeStatus().counts, quarantine: 1 } }),
    "Not in sync with the only other node. nas: not seen for 1 min; it lacks 2 operations of ours. Check that the node there runs and that its port is open. And 1 more: see feral-sync status."
  ],
  [
    "two that were away since before the start",
    nodeStatus({
      absent: [
        { node_id: "nas", last_seen_at: at(60), it_lacks: { operations: 1 } },
        { node_id: "pi", last_seen_at: at(60), it_lacks: { operations: 2 } }
      ]
    }),
    "In sync with none of 2 other nodes. pi: not seen for 1 min; it lacks 2 operations of ours. nas: not seen for 1 min; it lacks 1 operation of ours. Start it; if it is gone for good, run feral-sync peers remove with its id."
  ],
  [
    "one that is paused here, and was connected before",
    withPeers(peer("desk"), away("nas", 12, 1, { state: "paused" })),
    "In sync with 1 of 2 nodes. nas: paused here; it lacks 1 operation of ours. Resume with feral-sync peers resume nas."
  ],
  [
    "one that has paused this node",
    withPeers(away("nas", 12, 1, { last_error: report(new PeerPaused({ nodeId: "self", by: "nas" })) })),
    "Not in sync with the only other node. nas: this node is paused there; it lacks 1 operation of ours. To sync with it again, run feral-sync peers resume there, with the id of this node."
  ],
  [
    "a problem, and one that takes what it lacks",
    withPeers(peer("nas", { state: "syncing", it_lacks: { operations: 3 } }), away("pi", 60, 1)),
    "In sync with none of 2 other nodes. pi: not seen for 1 min; it lacks 1 operation of ours. Check that the node there runs and that its port is open."
  ],
  [
    "three problems, the most urgent first",
    withPeers(
      away("pi", 60, 5),
      away("nas", 60, 2),
      failing(new PeerUnreachable({ address: "10.0.0.7:9090", detail: "no route" }), {
        node_id: null,
        source: "static"
      })
    ),
    "In sync with none of 3 other nodes. 10.0.0.7:9090 cannot be reached (no route). Check that the node there runs and that its port is open. And 2 more: see feral-sync peers."
  ],
  [
    "our own address",
    withPeers(
      peer("nas"),
      failing(
        {
          _tag: "SelfConnection",
          problem: "this address belongs to this node",
          nextStep: "remove it from FERAL_SYNC_PEERS"
        },
        { node_id: null, source: "static", state: "refused" }
      )
    ),
    "In sync with nas. 10.0.0.7:9090: this address belongs to this node. Remove it from FERAL_SYNC_PEERS."
  ],
  ["a node that does not run", nodeStatus({ port: null }), "This node is not running, so nothing is exchanged."],
  [
    "a node that does not run, and whom that leaves behind",
    nodeStatus({ port: null, absent: [{ node_id: "nas", last_seen_at: at(120), it_lacks: { operations: 4 } }] }),
    "This node is not running, so nothing is exchanged. nas: not seen for 2 min; it lacks 4 operations of ours. Start it; if it is gone for good, run feral-sync peers remove with its id."
  ],
  [
    "a node that hangs",
    nodeStatus({ port: null, held_by: { pid: 42, command: "node main.ts" } }),
    "This node does not answer: process 42 (node main.ts) holds its database."
  ]
]

describe("the summary", () => {
  it.each(cases)("%s", (_, state, sentences) => {
    assert.strictEqual(Summary.of(state, now), sentences)
  })

  it.each(cases)("of %s counts what the list of troubles has, each with its next step", (_, state, sentences) => {
    const troubles = Summary.troublesOf(state, now)
    for (const { text, next_step: step } of troubles) assert.isAtLeast(step?.length ?? 0, 4, text)
    const more = Number(/And (\d+) more: see/.exec(sentences)?.[1] ?? 0)
    const said = sentences.toLowerCase()
    const named = troubles.filter(({ text }) => said.includes(text.toLowerCase()))
    assert.strictEqual(named.length + more, troubles.length, JSON.stringify(troubles))
  })

  it("never has more than four sentences of its own, and never a control character", () => {
    const hostile = "\u202enas\u001b[2J"
    const text = Summary.of(
      nodeStatus({
        peers: [away(hostile, 60, 1), away("b", 60, 2), away("c", 60, 3)],
        absent: [{ node_id: hostile, last_seen_at: at(60), it_lacks: { operations: 1 } }],
        counts: { ...nodeStatus().counts, quarantine: 1 }
      }),
      now
    )
    assert.strictEqual(text.split(". ").length, 4)
    assert.notMatch(Summary.of(withPeers(away(hostile, 60, 1)), now), /[\p{Cc}\u202e]/u)
  })
})
