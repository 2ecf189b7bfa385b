/** Ways to break the program that must not go unnoticed: each is one replacement in one file, and breaks one promise. */
import { ofTheStore, ofWhatIsTold } from "./More.ts"

export interface Mutant {
  readonly name: string
  /** What it makes the program do. */
  readonly breaks: string
  readonly file: string
  /** Stands in the file exactly once. */
  readonly from: string
  readonly to: string
  /** The test that finds it, where that is not the simulation. */
  readonly test?: string
  /** Whether it is found within a few seeds, and so belongs to the sample. */
  readonly isQuick?: boolean
}

const engine = "src/services/store/Engine.ts"
const merge = "src/core/replica/Merge.ts"
const rule = "src/core/replica/rules/Whole.ts"
const outbound = "src/core/sync/Send.ts"
const inbound = "src/core/sync/Receive.ts"

const ofTheSession: ReadonlyArray<Mutant> = [
  {
    name: "claim past what was left out",
    breaks: "a node claims a row that was too large for it, and never gets it when the limit is raised",
    file: outbound,
    from: "const clock = Deferral.claimable(deferral, Coverage.all(session))",
    to: "const clock = Coverage.all(session)"
  },
  {
    name: "send a change though the one before it was missed",
    breaks: "a write of which the session did not hear is claimed, and never comes",
    file: outbound,
    from: "const isNext = change?.version === outbound.seen + 1 && change.version === local.version",
    to: "const isNext = change?.version === local.version",
    test: "test/core/sync/LivePush.test.ts"
  },
  {
    name: "send a change without credit",
    breaks: "a slow peer is sent more than it has room for",
    file: outbound,
    from: "outbound.inFlight !== undefined || !hasCredit(session))\n    return pump",
    to: "outbound.inFlight !== undefined)\n    return pump",
    test: "test/core/sync/LivePush.test.ts"
  },
  {
    name: "claim what was left out itself",
    breaks: "a node claims a row that was too large for it",
    file: "src/core/replica/VectorClock.ts",
    from: "capped = withEntry(capped, node, Hlc.predecessor(timestamp))",
    to: "capped = withEntry(capped, node, timestamp)"
  },
  {
    name: "claim what the quota keeps out",
    breaks: "rows of an unknown kind for which there was no room never come, also when there is room",
    file: "src/services/store/Opaque.ts",
    from: "coverage: VectorClock.before(through, overQuota), overQuota }",
    to: "coverage: through, overQuota }",
    test: "test/core/sync/Quota.test.ts"
  },
  {
    name: "a purged row is taken again",
    breaks: "peers give back what was removed by hand",
    file: "src/services/store/Opaque.ts",
    from: "if (Purge.covers(purges, operation)) return false",
    to: "if (Purge.covers(Purge.none, operation)) return false",
    test: "test/core/replica/Purge.test.ts"
  },
  {
    name: "send what is too large",
    breaks: "the other side closes each time, and nothing that follows ever arrives",
    file: outbound,
    from: "Wire.fill(unsent, room, session.takes.operation)",
    to: "Wire.fill(unsent, room, Infinity)"
  },
  {
    name: "trust the hash without looking",
    breaks: "nodes of different clocks take themselves for equal",
    file: "src/core/sync/Greeting.ts",
    from: "const isSame = Handshake.hashOfClock(announced) === message.clockHash",
    to: "const isSame = message.clockHash !== undefined"
  },
  {
    name: "publish before commit",
    breaks: "what could not be written is told, and claimed by the next commit",
    file: "src/services/store/Committing.ts",
    from: "Effect.as(backend.commit(commit, synced), commit)",
    to: "Effect.as(Effect.suspend(() => { state = commit.state; version++; return backend.commit(commit, synced) }), commit)"
  },
  {
    name: "acknowledge before the disk has it",
    breaks: "a loss of power takes acknowledged writes",
    file: engine,
    from: "yield* committing.commit({ operations, coverage: through, quarantined: [] }, true)",
    to: "yield* committing.commit({ operations, coverage: through, quarantined: [] }, false)"
  },
  {
    name: "forget the clock at a restart",
    breaks: "a clock that was set back issues a timestamp below one that it has issued",
    file: engine,
    from: "yield* clock.witness(yield* leap(StoreState.highWater(opened)))",
    to: "yield* clock.witness(yield* leap(Hlc.zero))"
  },
  {
    name: "never claim what we wrote",
    breaks: "no node can claim to have seen it, and nodes never become equal",
    file: engine,
    from: "const through = VectorClock.advance(VectorClock.empty, nodeId, last)",
    to: "const through = VectorClock.empty",
    isQuick: true
  },
  {
    name: "a commit forgets earlier claims",
    breaks: "the clock goes back",
    file: "src/services/store/Planning.ts",
    from: "vectorClock: VectorClock.merge(before.vectorClock, ahead),",
    to: "vectorClock: ahead,"
  },
  {
    name: "rows and clock in two steps",
    breaks: "a loss of power takes rows, and leaves the claim to have them",
    file: "src/services/store/MemoryDisk.ts",
    from: "    disk.state = undo.state\n",
    to: ""
  },
  {
    name: "the last to arrive wins",
    breaks: "which row stays depends on the way that it came",
    file: merge,
    from: `return order > 0 ? "applied" : "superseded"`,
    to: `return "applied"`
  },
  {
    name: "the first to arrive wins",
    breaks: "which row stays depends on the way that it came",
    file: merge,
    from: `return order > 0 ? "applied" : "superseded"`,
    to: `return "superseded"`
  },
  {
    name: "episodes can be deleted",
    breaks: "a set that only grows has lost something",
    file: rule,
    from: `ignores: ({ op_type }) => op_type === "delete"`,
    to: "ignores: () => false"
  },
  {
    name: "the last insert of an episode wins",
    breaks: "an entry that is never changed has changed",
    file: rule,
    from: "order: Order.flip(PrecedenceOrder)",
    to: "order: PrecedenceOrder"
  },
  {
    name: "tombstones are not kept",
    breaks: "a note that was deleted is there on some nodes",
    file: merge,
    from: `if (rule.ignores(incoming)) return "ignored"`,
    to: `if (incoming.op_type === "delete") return "ignored"`
  },
  {
    name: "the digest keeps what was replaced",
    breaks: "equal nodes have different digests",
    file: merge,
    from: "    digest = Digest.subtract(digest, replaced)\n",
    to: "",
    isQuick: true
  },
  {
    name: "the mark rule is skipped",
    breaks: "a peer may claim an origin before it was sent what beat it",
    file: outbound,
    from: "if (HashMap.isEmpty(dirty))\n",
    to: "if (dirty !== undefined)\n"
  },
  {
    name: "what beat our own writes is not waited for",
    breaks: "a peer claims our history without a winner over all of it",
    file: outbound,
    from: "    HashMap.some(dirty, ({ supersedesOwn }) => supersedesOwn) ||\n",
    to: ""
  },
  {
    name: "nothing is passed on",
    breaks: "nodes that meet through others alone never become equal",
    file: "src/core/sync/DirtyOrigins.ts",
    from: "const { due, latest } = node === self ? { due: now, latest: now } : relayAt(now)",
    to: "const { due, latest } = node === self ? { due: now, latest: now } : { due: Infinity, latest: Infinity }"
  },
  {
    name: "claims are taken while operations are held back",
    breaks: "what was held back is claimed, and never sent again",
    file: inbound,
    from: "const isPartial = stale || !HashMap.isEmpty(deferred) || HashSet.size(leftOut) > 0",
    to: "const isPartial = HashSet.size(leftOut) > 0"
  },
  {
    name: "operations from the future are taken at once",
    breaks: "a clock that is wrong poisons all others",
    file: inbound,
    from: "    return !HashMap.has(deferred, hlc.node)\n",
    to: "    return true\n"
  },
  {
    name: "what was held back is never asked for",
    breaks: "it never comes, although its time has",
    file: "src/core/sync/Session.ts",
    from: "now >= Receive.releaseAt(next) ?",
    to: "now >= Infinity ?"
  },
  {
    name: "a full disk is forgotten",
    breaks: "what waited for room is never written",
    file: "src/core/sync/Commits.ts",
    from: "taken: 0, commitAt: now + inbound.retryAfter, retryAfter }",
    to: "waiting: [], taken: 0, commitAt: undefined, retryAfter }"
  },
  {
    name: "differences are not repaired",
    breaks: "after the restore of a backup, nodes that claim the same stay different",
    file: "src/core/sync/Repair.ts",
    from: "if (now < dueAt(session)) return [session, []]",
    to: "if (now < Infinity) return [session, []]"
  },
  {
    name: "rows that no clock covers are not compared",
    breaks: "what one side lacks of a lost node's rows stays away",
    file: "src/core/sync/DigestCheck.ts",
    from: "if (!isExplained) return withDiverged({ ...session, suspicion: undefined }, true, now)",
    to: "if (!isExplained) return { ...session, suspicion: undefined }",
    test: "test/core/sync/Uncovered.test.ts"
  },
  {
    name: "what both hold without a claim is sent again",
    breaks: "equal nodes send rows when they meet",
    file: "src/core/sync/DirtyOrigins.ts",
    from: "!HashMap.has(theirs, node) || !isSameHolding(holdingOf(theirs, node), holdingOf(holdings, node))",
    to: "node !== undefined || theirs !== holdings"
  },
  {
    name: "what is replaced stays in the sum of its origin",
    breaks: "equal nodes send rows when they meet",
    file: merge,
    from: "    losing.rows--\n",
    to: ""
  },
  {
    name: "an existing node is believed about others",
    breaks: "we claim what it may never have had",
    file: "src/core/sync/v1/V1Receive.ts",
    from: "VectorClock.before(coverage(next), exchange.overQuota)",
    to: "VectorClock.merge(coverage(next), next.reported)"
  }
]

const ofOrigins: ReadonlyArray<Mutant> = [
  {
    name: "coverage alone names an origin",
    breaks: "one frame of a member fills the clocks of all nodes with origins that never were",
    file: "src/services/store/RowlessOrigins.ts",
    from: "return HashMap.filter(through, (_, node) => !HashMap.has(fresh, node) || named.has(node))",
    to: "return named.size >= 0 ? through : fresh"
  },
  {
    name: "origins without rows are told",
    breaks: "nodes with equal rows that remember different origins do not see that they are equal",
    file: "src/core/sync/Coverage.ts",
    from: "(_, node) => isAnnounced(local, node) || HashMap.has(known, node) || HashMap.has(announced, node)",
    to: "(_, node) => isAnnounced(local, node) || HashMap.has(known, node) || !HashMap.has(announced, node)",
    test: "test/core/sync/Rowless.test.ts"
  },
  {
    name: "what counted in one session is never written down",
    breaks: "coverage that came before the rows never comes again",
    file: "src/core/sync/Commits.ts",
    from: "  if (HashMap.isEmpty(vouched)) return session\n",
    to: "  if (HashMap.size(vouched) >= 0) return session\n",
    test: "test/core/sync/Rowless.test.ts"
  },
  {
    name: "a row that comes back is not spoken of",
    breaks: "the peer that brought it never gets the coverage of its origin",
    file: "src/core/sync/Commits.ts",
    from: "isNewlyAnnounced(session, taken)",
    to: "isNewlyAnnounced(session, session)",
    test: "test/core/sync/Rowless.test.ts"
  },
  {
    name: "an explained difference is never compared",
    breaks: "a row that is too large for one side hides for good what else one of the two lacks",
    file: "src/core/sync/DigestCheck.ts",
    from: "repair: isOurs ? { ...repair, isRequested: true",
    to: "repair: isOurs ? { ...repair, isRequested: false",
    test: "test/core/sync/Uncovered.test.ts"
  }
]

export const mutants: ReadonlyArray<Mutant> = [...ofTheSession, ...ofOrigins, ...ofTheStore, ...ofWhatIsTold]
