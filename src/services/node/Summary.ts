/**
 * The state of a node in a few sentences: is everything there, and if not, what is missing on which side, and why? And
 * the same as a list of troubles, from which the dashboard is made: what the sentences count and what the list has are
 * the same.
 *
 * Guarantees: it is a pure function of the status. The most urgent trouble is named with its next step, and the number
 * of the others. What is missing always has a direction: another node lacks it, or we do. A node counts as in sync only
 * while it is connected, has all of ours and has sent all of its own.
 */
import { nextSteps as sessionSteps } from "../../core/sync/SyncFailure.ts"
import { duration } from "../../core/text/Duration.ts"
import { counted, some } from "../../core/text/Explained.ts"
import { oneLine } from "../../core/text/Printable.ts"
import { notice } from "../transport/tls/Expiry.ts"
import { inThisForm } from "./Invocation.ts"
import { nextSteps } from "./NodeFailure.ts"
import { lacksOf, missed } from "./LackText.ts"
import { addressOf } from "./PeerName.ts"
import type { NodeStatus, PeerStatus, Trouble } from "./Status.ts"

/** Something that is found. A hint is no trouble: it passes by itself, or is meant to be so. */
interface Found extends Trouble {
  readonly isHint?: true
}

/** The state of a node in words, and the troubles that the words are about. */
export interface Told {
  readonly summary: string
  readonly troubles?: ReadonlyArray<Trouble>
}

/** Both, as `status` has them, at the time `now` (ms). */
export const told = (status: NodeStatus, now: number): Told => {
  const found = troublesOf(status, now)
  return { summary: of(status, now), ...(found.length === 0 ? {} : { troubles: found }) }
}

/** The sentences at the time `now` (ms). */
export const of = (status: NodeStatus, now: number): string =>
  inThisForm(sentencesOf(status, now).map(sentence).join(" "))

/** What needs a look at the time `now` (ms), the most urgent first. */
export const troublesOf = (status: NodeStatus, now: number): ReadonlyArray<Trouble> => {
  const { damage, held_by: holder } = status
  if (damage !== undefined) {
    const nextStep = damage.next_step ?? damage.message
    return [{ _tag: damage._tag, text: "the database is damaged, and this node does not sync", next_step: nextStep }]
  }
  if (holder !== undefined) {
    return [{ _tag: "NodeHangs", text: hanging(holder), next_step: "stop that process, and start the node again" }]
  }
  return foundOf(status, now).flatMap(({ isHint, ...trouble }) => (isHint === true ? [] : [trouble]))
}

const hanging = ({ pid, command }: NonNullable<NodeStatus["held_by"]>): string =>
  `this node does not answer: process ${pid} (${command}) holds its database`

const foundOf = (status: NodeStatus, now: number): ReadonlyArray<Found> => [
  ...alarmsOf(status),
  ...peersOf(status, now),
  ...absentOf(status, now),
  ...ownOf(status, now)
]

const sentencesOf = (status: NodeStatus, now: number): ReadonlyArray<string> => {
  const { damage, held_by: holder, port } = status
  if (damage !== undefined) {
    return ["The database is damaged, and this node does not sync", damage.next_step ?? damage.message]
  }
  if (holder !== undefined) return [hanging(holder)]
  const opening = port === null ? "This node is not running, so nothing is exchanged" : openingOf(status)
  const found = foundOf(status, now)
  const troubles = found.filter(({ isHint }) => isHint !== true)
  const all = troubles.length > 0 ? troubles : found
  const [first, second, ...more] = all
  if (first === undefined) return [opening, ...remarksOf(status, now)]
  // Two with the same next step have room for both.
  const isPair = second !== undefined && more.length === 0 && second.next_step === first.next_step
  const [named, rest] = isPair ? [[first, second], []] : [[first], all.slice(1)]
  return [
    opening,
    ...named.map(({ text }) => text),
    ...(first.next_step === undefined ? [] : [first.next_step]),
    ...(rest.length === 0 ? [] : [`and ${rest.length} more: see ${whereOf(rest)}`])
  ]
}

/** The command that shows all of them. */
const whereOf = (troubles: ReadonlyArray<Trouble>): string =>
  troubles.every(({ node }) => node !== undefined) ? "feral-sync peers" : "feral-sync status"

/** With how many of the other nodes this one is in sync. */
const openingOf = (status: NodeStatus): string => {
  const others = nodesOf(status)
  const absent = status.absent?.length ?? 0
  const count = others.length + absent
  const inSync = others.filter(isInSync)
  const [only] = others
  if (count === 0) return "No other node met yet"
  if (count === 1)
    return only !== undefined && isInSync(only)
      ? `In sync with ${nameOf(only)}`
      : "Not in sync with the only other node"
  if (inSync.length === count) return `In sync with ${count === 2 ? "both" : `all ${count}`} other nodes`
  return inSync.length === 0
    ? `In sync with none of ${count} other nodes`
    : `In sync with ${inSync.length} of ${count} nodes`
}

/**
 * The peers that are nodes of this network, or are said to be: a client that was not let in and our own address are
 * not.
 */
const nodesOf = ({ peers }: NodeStatus): ReadonlyArray<PeerStatus> =>
  peers.filter(
    ({ node_id: id, source, last_error: error }) =>
      error?._tag !== "SelfConnection" && (id !== null || source !== "inbound")
  )

const isInSync = ({
  state,
  last_error: error,
  it_lacks: itLacks,
  we_lack: weLack,
  lag_ops: lag
}: PeerStatus): boolean =>
  state === "live" && error === null && (itLacks?.operations ?? lag ?? 0) === 0 && weLack === undefined

const nameOf = ({ node_id: id, address, port, source }: PeerStatus): string =>
  oneLine(id ?? (source === "inbound" ? address : addressOf({ address, port })))

/** What concerns the node as a whole. */
const alarmsOf = ({ alarms = [], last_write_error: failed }: NodeStatus): ReadonlyArray<Found> => [
  ...alarms
    .filter(({ level }) => level === "alarm")
    .map(({ _tag, problem, message, next_step: nextStep }) => found(_tag, problem ?? message, nextStep)),
  ...(failed === undefined
    ? []
    : [found(failed._tag, `The last write failed, because ${failed.problem ?? failed.message}`, failed.next_step)])
]

const found = (_tag: string, text: string, nextStep: string | undefined, node?: string): Found => ({
  _tag,
  text,
  ...(nextStep === undefined ? {} : { next_step: nextStep }),
  ...(node === undefined ? {} : { node })
})

const hint = (_tag: string, text: string, nextStep?: string, node?: string): Found => ({
  ...found(_tag, text, nextStep, node),
  isHint: true
})

/** The peers that are not in sync: those with an error come first, then those that lack most. */
const peersOf = (status: NodeStatus, now: number): ReadonlyArray<Found> => {
  const told = new Set((status.alarms ?? []).map(({ _tag }) => _tag))
  if (status.last_write_error !== undefined) told.add(status.last_write_error._tag)
  return status.peers
    .filter((peer) => !isInSync(peer))
    .sort((a, b) => rankOf(b) - rankOf(a))
    .flatMap((peer) => {
      const tag = peer.last_error?._tag
      if (tag !== undefined && told.has(tag)) return []
      // It is the same database for all of them.
      if (tag === "StoreUnavailable") told.add(tag)
      return troubleOf(peer, now)
    })
}

const rankOf = ({ state, last_error: error, it_lacks: itLacks }: PeerStatus): number =>
  isPaused(state) ? -1 : (error === null ? 0 : 1e12) + (itLacks?.operations ?? 0)

/** Failures that say no more than that a node is not there. */
const gone: ReadonlySet<string> = new Set(["PeerUnreachable", "PeerTimeout", "PeerClosed"])

const troubleOf = (peer: PeerStatus, now: number): Found => {
  const { state, last_error: error, last_seen_at: seenAt, it_lacks: itLacks, we_lack: weLack } = peer
  const name = nameOf(peer)
  const lacks = lacksOf(itLacks, weLack)
  const about = (_tag: string, text: string, nextStep: string | undefined) => found(_tag, text, nextStep, name)
  // People wanted it so: whatever else there is to say of it comes from that.
  if (isPaused(state)) {
    return about(
      "PeerPaused",
      [`${name}: paused here`, ...lacks].join("; "),
      `resume with feral-sync peers resume ${name}`
    )
  }
  if (error?._tag === "PeerPaused") {
    return about(error._tag, [`${name}: this node is paused there`, ...lacks].join("; "), error.next_step)
  }
  if (seenAt !== undefined && (error === null || gone.has(error._tag))) {
    const text = missed(name, seenAt, itLacks, weLack, now)
    return about(error?._tag ?? "PeerAway", text, error?.next_step ?? nextSteps.PeerUnreachable)
  }
  if (error?._tag === "Diverged") return about(error._tag, `Rows here and on ${name} differ`, error.next_step)
  if (error !== null) {
    const names = new Set([name, peer.address])
    const problem = error.problem ?? error.message
    const isNamed = problem.split(/[\s,;:()]+/).some((word) => names.has(word)) || error._tag === "StoreUnavailable"
    return about(error._tag, [isNamed ? problem : `${name}: ${problem}`, ...lacks].join("; "), error.next_step)
  }
  if (lacks.length > 0) {
    const underWay = state === "syncing" || state === "live" ? "; this is on its way" : ""
    return hint("Syncing", `${name}: ${lacks.join(", and ")}${underWay}`, undefined, name)
  }
  const text = state === "syncing" ? `${name}: comparing what each side has` : `${name}: not connected yet`
  return hint("Syncing", text, undefined, name)
}

const isPaused = (state: string): boolean => state === "paused"

/** Nodes that were met before and are not among the peers: those that lack most come first. */
const absentOf = ({ absent = [] }: NodeStatus, now: number): ReadonlyArray<Found> =>
  [...absent]
    .sort((a, b) => b.it_lacks.operations - a.it_lacks.operations)
    .map(({ node_id: id, last_seen_at: seenAt, it_lacks: itLacks }) => {
      const name = oneLine(id)
      return found("PeerAbsent", missed(name, seenAt, itLacks, undefined, now), absentStep, name)
    })

const absentStep = "start it; if it is gone for good, run feral-sync peers remove with its id"

/** What is wrong here, without being urgent. */
const ownOf = (status: NodeStatus, now: number): ReadonlyArray<Found> => {
  const { counts, opaque, peers, discovery, port, tls_expires_at: expiresAt, log_lines_lost: lost } = status
  const heldBack = opaque?.held_back ?? []
  const isTold = peers.some(({ last_error: error }) => error?._tag === "OverQuota")
  const isAlone = port !== null && peers.length === 0 && (status.absent ?? []).length === 0
  const entries = `${counted(counts.quarantine, "entry", "entries")} from peers could not be read, and ${counts.quarantine === 1 ? "is" : "are"} in quarantine`
  const origins = some(heldBack.map(({ origin }) => oneLine(origin)))
  const held = `rows of unknown kinds from ${origins} are held back, because the quota is used up`
  return [
    ...(isAlone ? [aloneOf(discovery)] : []),
    ...(counts.quarantine === 0 ? [] : [found("Quarantined", entries, sessionSteps.Quarantined)]),
    ...(heldBack.length === 0 || isTold ? [] : [found("OverQuota", held, sessionSteps.OverQuota)]),
    ...(expiresAt === undefined || expiresAt * 1000 - now > notice ? [] : [expiring(expiresAt * 1000, now)]),
    ...(lost === undefined
      ? []
      : [
          found(
            "LogLinesLost",
            `${counted(lost, "line")} of the log could not be written`,
            "check where standard error of the node goes"
          )
        ])
  ]
}

/** Why no other node was met. A node may be the only one, and one that looks for others may be the first. */
export const aloneOf = ({ mdns, static: listed }: NodeStatus["discovery"]): Found => {
  if (mdns === "on") {
    return hint("PeersNotDiscovered", "This node looks for others with mDNS", nextSteps.PeersNotDiscovered)
  }
  const off = mdns === "off" ? "mDNS is off" : "mDNS does not work here"
  if (listed !== "none")
    return found("PeerUnreachable", `${off}, and the listed peers were not reached`, nextSteps.PeerUnreachable)
  const text = `${off}, and no peers are listed`
  return mdns === "off"
    ? hint("PeersNotDiscovered", text, "set FERAL_SYNC_PEERS (host:port,host:port), or set FERAL_SYNC_MDNS=on")
    : found("MdnsUnavailable", text, nextSteps.MdnsUnavailable)
}

const expiring = (until: number, now: number): Found =>
  found(
    "CertificateExpires",
    until <= now
      ? "the certificate of this node has expired, and peers refuse it"
      : `the certificate of this node expires in ${duration((until - now) / 1000)}`,
    "sign a new one with feral-sync tls issue"
  )

/** What is worth a word while all is well. */
const remarksOf = ({ alarms = [], peers }: NodeStatus, now: number): ReadonlyArray<string> => [
  ...alarms.slice(0, 1).map(({ problem, message }) => problem ?? message),
  ...peers
    .filter(({ protocol }) => protocol === 1)
    .slice(0, 1)
    .map((peer) => {
      const at = peer.last_sync_at
      const last = at === null ? "" : `: the last exchange was ${duration(Math.max(0, now / 1000 - at))} ago`
      return `The existing FERAL node ${nameOf(peer)} is synced periodically${last}`
    })
]

/** With a capital, unless it begins with a name, and with its full stop. */
const sentence = (text: string): string => {
  const ended = /[.?!]$/.test(text) ? text : `${text}.`
  return /^[a-z]+ /.test(ended) ? `${ended.charAt(0).toUpperCase()}${ended.slice(1)}` : ended
}
