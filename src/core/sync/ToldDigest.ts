/**
 * Which digest a session tells the peer, and when two digests can be compared.
 */
import { HashMap, Option } from "effect"
import * as Digest from "../replica/Digest.ts"
import type { Snapshot } from "../replica/Replica.ts"
import * as VectorClock from "../replica/VectorClock.ts"
import type { Session } from "./SessionState.ts"
import type { Ack } from "./Wire.ts"

/**
 * Whether one of the two may have dropped tombstones that the other one holds: then digests without tombstones are
 * compared. Once both have dropped the same, tombstones that one of them lost are a difference as any other.
 */
export const isLive = ({ local, cut }: Pick<Session, "local" | "cut">): boolean =>
  cut !== undefined &&
  local.cut !== undefined &&
  (local.isCollecting === true || VectorClock.compare(local.cut.collected, cut.collected) !== "equal")

/** Whether one of the two has ever collected tombstones. */
const hasCollected = ({ local, cut }: Pick<Session, "local" | "cut">): boolean =>
  local.cut !== undefined &&
  !(HashMap.isEmpty(local.cut.collected) && HashMap.isEmpty(cut?.collected ?? VectorClock.empty))

/** Whether every row is covered by the clock, and nothing that it covers was removed by hand. */
export const isSettled = ({
  vectorClock: clock,
  frontier,
  holdings,
  purges,
  isCollecting = false
}: Snapshot): boolean =>
  !isCollecting &&
  HashMap.isEmpty(purges) &&
  HashMap.every(VectorClock.difference(frontier, clock), (_, node) => !HashMap.has(holdings, node))

/**
 * What a side names in `features` that knows the rules `lww`, `log`, `fields`, `counter` and `set` of kinds of
 * applications. More rules get another name.
 */
export const ruleFeature = "own1"

/** Whether the greeting of a server goes without a digest, because it comes before the features of the dialler. */
export const isDigestWithheld = ({ options, local }: Pick<Session, "options" | "local">): boolean =>
  options.role === "server" && options.revision === 2 && (local.ofApplications ?? 0) > 0

/**
 * Whether equal clocks mean equal rows. They do not if the peer does not know the rule of a kind: it keeps all
 * operations, and this replica only the winners. Then no digests are sent, and none are compared.
 */
export const isComparable = ({ local, knowsRules }: Pick<Session, "local" | "knowsRules">): boolean =>
  knowsRules || (local.ofApplications ?? 0) === 0

/**
 * The digest in a message: the one that belongs to our clock. If the clock does not cover some rows, or rows were
 * purged, it is that of all rows.
 */
export const digestsOf = (
  session: Pick<Session, "local" | "cut" | "knowsRules">
): Pick<Ack, "digest" | "rows" | "live"> => {
  const { local } = session
  if (!isComparable(session)) return { digest: Option.none(), rows: Option.none() }
  const text = Option.some(Digest.toText(local.digest))
  const live = local.live !== undefined && hasCollected(session) ? { live: Digest.toText(local.live) } : undefined
  return isSettled(local)
    ? { digest: text, rows: Option.none(), ...live }
    : { digest: Option.none(), rows: text, ...live }
}
