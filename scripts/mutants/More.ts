/** Ways to break the database, what is told to peers, and what users see. */
import type { Mutant } from "./Mutants.ts"

const sqlite = "src/services/store/SqliteBackend.ts"
const reissue = "src/services/store/SqliteReissue.ts"
const inbound = "src/core/sync/Receive.ts"
const outbound = "src/core/sync/Send.ts"

/** What keeps deleted rows from coming back once deletions are collected. */
const ofTheCut: ReadonlyArray<Mutant> = [
  {
    name: "a node that was away is let in",
    breaks: "rows come back that were deleted while it was away",
    file: "src/core/replica/Cut.ts",
    from: "  const isSelfAway = ",
    to: '  if (ours.count >= 0) return "admitted"\n  const isSelfAway = '
  },
  {
    name: "a late deletion is kept",
    breaks: "a deletion that was collected goes round for ever, and equal nodes differ",
    file: "src/services/store/Planning.ts",
    from: "    return current.has(slot) || slots.has(slot)\n",
    to: "    return slot.length > 0\n",
    test: "test/services/store/Collect.test.ts"
  },
  {
    name: "a late deletion is dropped without a look",
    breaks: "a row stays that lost to a deletion",
    file: "src/services/store/Planning.ts",
    from: "    return current.has(slot) || slots.has(slot)\n",
    to: "    return slots.has(slot)\n",
    test: "test/services/store/Collect.test.ts"
  },
  {
    name: "deletions are collected that nobody has confirmed",
    breaks: "a liar, or a loss of power, makes nodes that were never away strangers to each other",
    file: "src/core/replica/Cut.ts",
    from: "told = VectorClock.meet(told, byNode.get(node)?.confirmed ?? VectorClock.empty)",
    to: "told = VectorClock.meet(told, byNode.get(node)?.confirmed ?? told)",
    test: "test/core/replica/Cut.test.ts"
  },
  {
    name: "a fresh node joins two halves of a network",
    breaks: "nodes that rejoin are sent away for ever, by both halves",
    file: "src/core/replica/Cut.ts",
    from: "return cut !== undefined && VectorClock.includes(cut.confirmed, cut.collected) ? cut : undefined",
    to: "return cut",
    test: "test/core/replica/Cut.test.ts"
  },
  {
    name: "what is young is collected",
    breaks: "deletions go before what was agreed on is on every disk",
    file: "src/core/replica/Cut.ts",
    from: "const wall = Math.floor((now - keepMs) / step) * step",
    to: "const wall = Math.floor(now / step) * step",
    test: "test/core/replica/Cut.test.ts"
  }
]

export const ofTheStore: ReadonlyArray<Mutant> = [
  ...ofTheCut,
  {
    name: "no write is synced",
    breaks: "a loss of power takes acknowledged writes",
    file: sqlite,
    from: `yield* setSynchronous(synced ? "FULL" : "NORMAL")`,
    to: `yield* setSynchronous("NORMAL")`
  },
  {
    name: "the clock before the rows",
    breaks: "a crash between two transactions leaves the claim to rows that are not there",
    file: sqlite,
    from: "    yield* SqliteWords.mending(\n      within,\n",
    to: `    const claim = { ...commit, writes: [], replaced: [] }
    yield* within((connection) => SqliteCommit.write(connection, claim, { hasPurged, newCut, before }))
    yield* SqliteWords.mending(
      within,
`,
    isQuick: true
  },
  {
    name: "what is replaced stays in the database",
    breaks: "a row is there twice, or its new content not at all",
    file: "src/services/store/SqliteCommit.ts",
    from: "if (replaced.length > 0)\n",
    to: "if (replaced.length > 1)\n"
  },
  {
    name: "the clock goes on from what was claimed alone",
    breaks: "after a restart a timestamp is issued that is below one that was seen",
    file: "src/services/store/StoreState.ts",
    from: "  for (const timestamp of HashMap.values(frontier)) high = Hlc.latest(high, timestamp)\n",
    to: "",
    test: "test/services/store/StoreState.test.ts"
  },
  {
    name: "a restart goes on where the clock stood",
    breaks: "after a restore behind the clock a timestamp is issued twice",
    file: "src/services/node/HlcClock.ts",
    from: "Hlc.plus({ wall, counter }, steps)",
    to: "Hlc.plus({ wall, counter }, 0 * steps)",
    test: "test/services/store/Engine.test.ts"
  },
  {
    name: "a node goes on directly after what others know of its history",
    breaks: "after a restore behind the clock a timestamp is issued twice, where nobody could send a row back",
    file: "src/services/store/Engine.ts",
    from: "if (Hlc.isAfter(own, VectorClock.get(committing.state.vectorClock, nodeId)))",
    to: "if (own.wall < 0)",
    test: "test/services/store/Engine.test.ts"
  },
  {
    name: "old commits are taken for the last ones",
    breaks: "a session that was behind misses what was written",
    file: "src/services/store/RecentCommits.ts",
    from: "newest - version > kept",
    to: "newest - version > Infinity"
  },
  {
    name: "the row that is written after a search is not indexed",
    breaks: "a search finds no note that was edited last",
    file: "src/services/store/SqliteWords.ts",
    from: "yield* run(`UPDATE ${name}_mark SET seq = ?`, [last.seq])",
    to: "yield* run(`UPDATE ${name}_mark SET seq = ?`, [last.seq + 1])",
    isQuick: true
  },
  {
    name: "a page of a list begins with the last row of the one before",
    breaks: "a list shows a row twice",
    file: "src/services/store/SqlitePages.ts",
    from: "WHERE kind = ${kind} AND row_id > ${after}",
    to: "WHERE kind = ${kind} AND row_id >= ${after}"
  },
  {
    name: "a lost place in the time to come is kept",
    breaks: "a node that has taken a new identity still claims what no node takes",
    file: reissue,
    from: "  if (!isAhead) return 0\n",
    to: "  if (!isAhead || late.length === 0) return 0\n",
    test: "test/services/store/Reissue.test.ts"
  },
  {
    name: "what is written anew counts twice in the digest",
    breaks: "a node that has taken a new identity differs from all others for ever",
    file: reissue,
    from: "Digest.subtract(Digest.add(state.digest, sumOf(anew)), sumOf(late))",
    to: "Digest.add(state.digest, sumOf(anew))",
    test: "test/services/store/Reissue.test.ts"
  },
  {
    name: "what is written anew comes before what it was written over",
    breaks: "the last edit is lost to an earlier one",
    file: reissue,
    from: "const timestamp = Hlc.plus(seen, index + 1)",
    to: "const timestamp = { wall: now, counter: index }",
    test: "test/services/store/Reissue.test.ts"
  }
]

export const ofWhatIsTold: ReadonlyArray<Mutant> = [
  {
    name: "a session that is far behind takes nothing for new",
    breaks: "what was written meanwhile is never sent",
    file: outbound,
    from: "{ ...current.outbound, ...allDirty(current, now), unclaimed: true, inFlight: undefined }",
    to: "{ ...current.outbound, seen: current.local.version, unclaimed: true, inFlight: undefined }"
  },
  {
    name: "coverage without rows is not looked for by a session that is far behind",
    breaks: "the clocks of nodes that hold the same rows stay different",
    file: outbound,
    from: "...allDirty(current, now), unclaimed: true, inFlight",
    to: "...allDirty(current, now), inFlight",
    test: "test/core/sync/Rowless.test.ts"
  },
  {
    name: "who won over a winner is not counted",
    breaks: "a peer claims our history without a winner over all of it",
    file: "src/core/sync/DirtyOrigins.ts",
    from: "node === self || found.has(node) ||",
    to: "node === self ||",
    test: "test/core/sync/Session.test.ts"
  },
  {
    name: "credit is not kept",
    breaks: "more is under way than the other side has room for",
    file: "src/core/sync/Outbound.ts",
    from: "unackedBytes < bytes && unacked.length < frames",
    to: "unackedBytes < Infinity || bytes < frames",
    test: "test/core/sync/Session.test.ts"
  },
  {
    name: "a commit that changed nothing counts for the next one",
    breaks: "what somebody else wrote at that moment is not sent",
    file: "src/core/sync/Commits.ts",
    from: "const isNext = hasChanged && version === local.version + 1",
    to: "const isNext = version === local.version + 1",
    test: "test/core/sync/Session.test.ts"
  },
  {
    name: "a node is not told that it is ahead",
    breaks: "a clock that was ahead isolates a node, and it does not know",
    file: "src/core/sync/Acknowledge.ts",
    from: "deferredOwn: Option.getOrUndefined(HashMap.get(ack.held, session.options.self))",
    to: "deferredOwn: undefined"
  },
  {
    name: "what is under way is taken for a loss",
    breaks: "nodes say that others hold other rows, and nothing was lost",
    file: "src/core/sync/DigestCheck.ts",
    from: "suspect(session, ours, theirs, heard.isUnderWay || isUnderWay(session), now)",
    to: "suspect(session, ours, theirs, false, now)"
  },
  {
    name: "any number of new origins is taken",
    breaks: "a member that makes up origins fills the clocks of all",
    file: inbound,
    from: "    if (room < 1) return false\n",
    to: "",
    test: "test/services/hostile/Lying.test.ts"
  },
  {
    name: "what a peer acknowledges is taken for an agreement",
    breaks: "a deletion counts as known to all while some do not have it",
    file: "src/core/sync/Agreement.ts",
    from: "agreed: isAgreed ? local.vectorClock : undefined",
    to: "agreed: local.vectorClock",
    isQuick: true
  },
  {
    name: "equal clocks are taken for equal rows",
    breaks: "who was restored counts as one who has what it lost",
    file: "src/core/sync/Agreement.ts",
    from: "    heard.digest === Digest.toText(local.digest) &&\n",
    to: "",
    test: "test/core/sync/Agreement.test.ts"
  },
  {
    name: "who was never met does not count",
    breaks: "a deletion counts as known to all while an origin that only others have met does not have it",
    file: "src/core/replica/Stability.ts",
    from: "one?.agreed ?? VectorClock.empty",
    to: "one?.agreed ?? clock"
  },
  {
    name: "an agreement outlives the loss of what was agreed on",
    breaks: "a node whose backup was restored counts as one who has what it lost",
    file: "src/core/replica/Acknowledgement.ts",
    from: "agreed: agreed ?? VectorClock.meet(before?.agreed ?? VectorClock.empty, clock)",
    to: "agreed: agreed ?? before?.agreed ?? VectorClock.empty",
    test: "test/core/replica/Stability.test.ts"
  },
  {
    name: "what was taken before is ahead of a clock that went back",
    breaks: "a node shows a wrong clock for its own writes that come back to it",
    file: "src/core/replica/Replica.ts",
    from: " && Hlc.isAfter(timestamp, VectorClock.get(frontier, timestamp.node))",
    to: "",
    test: "test/core/sync/Deferred.test.ts"
  },
  {
    name: "what a node acknowledges after its write counts as seen before it",
    breaks: "a conflict that was decided as both nodes met again is kept as a usual change",
    file: "src/core/replica/Acknowledgement.ts",
    from: "written !== undefined && VectorClock.covers(written, operation) ? written : clock",
    to: "clock",
    test: "test/services/store/History.test.ts"
  },
  {
    name: "an export that was cut passes for whole",
    breaks: "an import of a part says that all is there",
    file: "src/core/replica/ExportFormat.ts",
    from: "if (Option.isNone(rows)) return undefined",
    to: "if (Option.isNone(rows) || Option.isNone(end)) return undefined"
  },
  {
    name: "an early node is asked from the mark of one origin",
    breaks: "what it has of other origins does not come until everything is asked for",
    file: "src/core/sync/v1/V1Memory.ts",
    from: "if (node === self || !Hlc.isAfter(timestamp, mark)) continue",
    to: "if (node !== peer || !Hlc.isAfter(timestamp, mark)) continue",
    test: "test/core/sync/v1/V1Memory.test.ts"
  }
]
