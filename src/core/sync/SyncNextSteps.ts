/**
 * What to do about what goes wrong between two replicas: the next steps of `SyncFailure.ts` and `SyncAlarm.ts`, and of
 * what `status` shows.
 */
import * as ClockOffset from "../text/ClockOffset.ts"

export const nextSteps = {
  ClockDrift: "set the clocks of both machines, for example with NTP",
  ClockZone: "one side has the wrong time zone or daylight saving time: check it on both machines",
  ProtocolViolation: "check that both run compatible versions",
  FrameTooLarge: "raise FERAL_SYNC_MAX_RECV_BYTES there; larger rows are no longer sent to it",
  PassphraseUnset: "set FERAL_SYNC_PASSPHRASE there to the same value as here",
  DuplicateNodeId: "stop one of the two and run feral-sync identity new for it",
  SelfConnection: "remove it from FERAL_SYNC_PEERS",
  PeerTimeout: "check the network between the two nodes, and that the other node is running",
  PeerClosed:
    "the two connect again by themselves; if that takes long, check that the node there runs and that its port is open",
  PeerClosedHere: "check that both run compatible versions",
  PeerRemoved: "to allow it again, run feral-sync peers readmit with its id",
  PeerPaused: "to sync with it again, run feral-sync peers resume with its id",
  PeerPausedThere: "to sync with it again, run feral-sync peers resume there, with the id of this node",
  TooLongAway: "stop this node, run feral-sync rejoin, and start it again",
  ApartTooLong: "stop the nodes of one side, run feral-sync rejoin on them, and start them again",
  TooLongAwayThere: "run feral-sync rejoin on that node",
  CollectedForLegacy: "update it to feral-sync, with an empty data directory",
  TooOldForCut: "update feral-sync on that node",
  PassphraseMismatch: "make FERAL_SYNC_PASSPHRASE the same on both nodes; a node where it is not set created its own",
  RateLimited: "make FERAL_SYNC_PASSPHRASE the same on all nodes; the node then connects automatically",
  AskedToWait: "the node tries again automatically; if this continues, compare FERAL_SYNC_PASSPHRASE on both nodes",
  LegacyKeptOut: "set it to tls or on to accept them",
  LegacyExposed: "give both nodes certificates of one CA, or set FERAL_SYNC_LEGACY=on to allow it",
  LegacyUnnamed: "write plain://HOST:PORT in FERAL_SYNC_PEERS to allow it",
  NoScopeGranted: "grant a scope there, and set FERAL_SYNC_LEGACY_SCOPE here to its name",
  PeerIdentityRequired: "turn that requirement off there: feral-sync does not support peer identities",
  PeerGrantInvalid: "remove the grant for this node there: feral-sync does not support grants",
  PeerRefused: "see the log of that node for the reason",
  UnprovedRefusal: "check there why: run feral-sync doctor on that node",
  DuplicateAnnounced:
    "check which node runs there: if it has a copy of this data directory, run feral-sync identity new for the copy",
  Quarantined: "write the row again on the node that wrote it",
  RowsTooLarge: "split these rows into smaller ones",
  DeferredByPeer: "stop this node and run feral-sync identity new --reissue",
  ClockFast: "set the clock of this machine before anything is written, for example with NTP",
  ClockAhead:
    "check the clock of this machine; if it is right, stop this node and run feral-sync identity new --reissue",
  TimestampReused: "find the copied data directory and run feral-sync identity new for it",
  OwnOperationsForeign:
    "if a copy of this data directory runs elsewhere, run feral-sync identity new for it; otherwise change the passphrase",
  OwnOperationsReturned: "this is normal after a restore; otherwise look for a copy of this data directory",
  OverQuota:
    "upgrade this node if a newer version wrote them, raise FERAL_SYNC_MAX_OPAQUE_BYTES and FERAL_SYNC_MAX_OPAQUE_ORIGIN_BYTES, or remove such rows with feral-sync purge",
  OverQuotaThere: "upgrade that node, raise its quota, or run feral-sync purge there",
  RowsPurgedHere: "run the same feral-sync purge there",
  RowsPurged: "run the same feral-sync purge on this node",
  PeerSlowed:
    "if this is expected, raise FERAL_SYNC_MAX_PEER_RATE_BYTES or FERAL_SYNC_MAX_PEER_BURST_BYTES; otherwise stop that node",
  OriginsLeftOut: "they are accepted gradually; if their ids are invented, stop that node and change the passphrase",
  OriginsFull:
    "see them with feral-sync origins list; if ids are invented, change the passphrase and remove their rows with feral-sync purge --origin NODE-ID",
  Diverged: "the nodes repair them automatically; run feral-sync verify to do so now"
} as const

/** What to do about two clocks that are so far apart (ms). */
export const clockNextStep = (offset: number): string =>
  ClockOffset.zoneDifference(offset) === undefined ? nextSteps.ClockDrift : nextSteps.ClockZone
