/**
 * The state of a node in one to three sentences: is everything there, and if not, what is missing on which side, and why?
 *
 * Guarantees: it is a pure function of the status. What is missing always has a direction: another node lacks it, or we do. A node counts
 * as in sync only while it is connected, has all of ours and has sent all of its own.
 */
import { nextSteps as sessionSteps } from "../../core/sync/SyncFailure.ts"
import { duration } from "../../core/text/Duration.ts"
import { counted, some } from "../../core/text/Explained.ts"
import { oneLine } from "../../core/text/Printable.ts"
import { notice } from "../transport/tls/Expiry.ts"
import { inThisForm } from "./Invocation.ts"
import { nextSteps } from "./NodeFailure.ts"
import { addressOf } from "./PeerName.ts"
import type { ItLacks, LastError, NodeStatus, PeerStatus, WeLack } from "./Status.ts"

/** Something that is not as it should be, and what to do. */
interface Trouble {
  readonly text: string
  readonly nextStep?: string | undefined
}

/** The sentences at the time `now` (ms). */
export const of = (status: NodeStatus, now: number): string =>
  inThisForm(sentencesOf(status, now).map(sentence).join(" "))

const sentencesOf = (status: NodeStatus, now: number): ReadonlyArray<string> => {
  const { damage, held_by: holder, port } = status
  if (damage !== undefined) {
    return ["The database is damaged, and this node does not sync", damage.next_step ?? damage.message]
  }
  if (holder !== undefined) {
    return [`This node does not answer: process ${holder.pid} (${holder.command}) holds its database`]
  }
  const opening = port === null ? "This node does not run, so nothing is exchanged" : openingOf(status)
  const [first, second, ...more] = [
    ...alarmsOf(status),
    ...peersOf(status, now),
    ...absentOf(status, now),
    ...ownOf(status, now)
  ]
  if (first === undefined) return [opening, ...remarksOf(status, now)]
  if (second === undefined) return [opening, first.text, ...(first.nextStep === undefined ? [] : [first.nextStep])]
  return [opening, first.text, more.length === 0 ? second.text : `There are ${1 + more.length} more problems`]
}

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

/** The peers that are nodes of this network, or are said to be: a client that was not let in and our own address are not. */
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
const alarmsOf = ({ alarms = [], last_write_error: failed }: NodeStatus): ReadonlyArray<Trouble> => [
  ...alarms.filter(({ level }) => level === "alarm").map(explained),
  ...(failed === undefined
    ? []
    : [{ text: `The last write failed, because ${failed.problem ?? failed.message}`, nextStep: failed.next_step }])
]

const explained = ({ problem, message, next_step: nextStep }: LastError): Trouble => ({
  text: problem ?? message,
  nextStep
})

/** The peers that are not in sync: those with an error come first, then those that lack most. */
const peersOf = (status: NodeStatus, now: number): ReadonlyArray<Trouble> => {
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

const rankOf = ({ last_error: error, it_lacks: itLacks }: PeerStatus): number =>
  (error === null ? 0 : 1e12) + (itLacks?.operations ?? 0)

/** Failures that say no more than that a node is not there. */
const gone: ReadonlySet<string> = new Set(["PeerUnreachable", "PeerTimeout", "PeerClosed"])

const troubleOf = (peer: PeerStatus, now: number): Trouble => {
  const { state, last_error: error, last_seen_at: seenAt, it_lacks: itLacks, we_lack: weLack } = peer
  const name = nameOf(peer)
  const lacks = lacksOf(itLacks, weLack)
  const nextStep = error?.next_step
  const names = new Set([name, peer.address])
  if (seenAt !== undefined && (error === null || gone.has(error._tag))) {
    const text = missed(name, seenAt, itLacks, weLack, now)
    return { text, nextStep: nextStep ?? nextSteps.PeerUnreachable }
  }
  if (error?._tag === "Diverged") return { text: `Rows here and on ${name} differ, and they are being repaired` }
  if (isPaused(state)) return { text: [`${name}: paused here`, ...lacks].join("; ") }
  if (error !== null) {
    const problem = error.problem ?? error.message
    const isNamed = problem.split(/[\s,;:()]+/).some((word) => names.has(word)) || error._tag === "StoreUnavailable"
    return { text: [isNamed ? problem : `${name}: ${problem}`, ...lacks].join("; "), nextStep }
  }
  if (lacks.length > 0) {
    const underWay = state === "syncing" || state === "live" ? "; this is on its way" : ""
    return { text: `${name}: ${lacks.join(", and ")}${underWay}` }
  }
  return { text: state === "syncing" ? `${name}: comparing what each side has` : `${name}: not connected yet` }
}

const isPaused = (state: string): boolean => state === "paused"

/** What each of the two lacks. */
const lacksOf = (itLacks: ItLacks | undefined, weLack: WeLack | undefined): ReadonlyArray<string> => [
  ...(itLacks === undefined || itLacks.operations === 0 ? [] : [`it lacks ${operations(itLacks)} of ours`]),
  ...(weLack === undefined
    ? []
    : [
        weLack.operations === undefined
          ? `we lack operations of ${counted(weLack.origins, "node")} that it has`
          : `we lack ${operations({ operations: weLack.operations })} that it has`
      ])
]

const operations = ({ operations: count, at_least: atLeast }: ItLacks): string =>
  `${atLeast === true ? "at least " : ""}${counted(count, "operation")}`

const missed = (
  name: string,
  seenAt: number,
  itLacks: ItLacks | undefined,
  weLack: WeLack | undefined,
  now: number
): string => {
  const lacks = lacksOf(itLacks, weLack)
  const known = itLacks?.operations === 0 && lacks.length === 0 ? ["it lacks nothing of ours"] : lacks
  return [`${name}: not seen for ${duration(Math.max(0, now / 1000 - seenAt))}`, known.join(", and ")]
    .filter((part) => part !== "")
    .join("; ")
}

/** Nodes that were met before and are not among the peers: those that lack most come first. */
const absentOf = ({ absent = [] }: NodeStatus, now: number): ReadonlyArray<Trouble> =>
  [...absent]
    .sort((a, b) => b.it_lacks.operations - a.it_lacks.operations)
    .map(({ node_id: id, last_seen_at: seenAt, it_lacks: itLacks }) => ({
      text: missed(oneLine(id), seenAt, itLacks, undefined, now),
      nextStep: absentStep
    }))

const absentStep = "start it; if it is gone for good, run feral-sync peers remove with its id"

/** What is wrong here, without being urgent. */
const ownOf = (status: NodeStatus, now: number): ReadonlyArray<Trouble> => {
  const { counts, opaque, peers, discovery, port, tls_expires_at: expiresAt, log_lines_lost: lost } = status
  const heldBack = opaque?.held_back ?? []
  const isTold = peers.some(({ last_error: error }) => error?._tag === "OverQuota")
  const isAlone = port !== null && peers.length === 0 && (status.absent ?? []).length === 0
  return [
    ...(isAlone ? [aloneOf(discovery)] : []),
    ...(counts.quarantine === 0
      ? []
      : [
          {
            text: `${counted(counts.quarantine, "entry", "entries")} from peers could not be read, and ${counts.quarantine === 1 ? "is" : "are"} in quarantine`,
            nextStep: sessionSteps.Quarantined
          }
        ]),
    ...(heldBack.length === 0 || isTold
      ? []
      : [
          {
            text: `rows of unknown kinds from ${some(heldBack.map(({ origin }) => oneLine(origin)))} are held back, because the quota is used up`,
            nextStep: sessionSteps.OverQuota
          }
        ]),
    ...(expiresAt === undefined || expiresAt * 1000 - now > notice ? [] : [expiring(expiresAt * 1000, now)]),
    ...(lost === undefined
      ? []
      : [
          {
            text: `${counted(lost, "line")} of the log could not be written`,
            nextStep: "check where standard error of the node goes"
          }
        ])
  ]
}

/** Why no other node was met. */
export const aloneOf = ({ mdns, static: listed }: NodeStatus["discovery"]): Trouble & { readonly nextStep: string } => {
  if (mdns === "on") return { text: "This node looks for others by mDNS", nextStep: nextSteps.PeersNotDiscovered }
  const off = mdns === "off" ? "mDNS is off" : "mDNS does not work here"
  if (listed !== "none")
    return { text: `${off}, and the listed peers were not reached`, nextStep: nextSteps.PeerUnreachable }
  const nextStep =
    mdns === "off" ? "set FERAL_SYNC_PEERS (host:port,host:port), or set FERAL_SYNC_MDNS=on" : nextSteps.MdnsUnavailable
  return { text: `${off}, and no peers are listed`, nextStep }
}

const expiring = (until: number, now: number): Trouble => ({
  text:
    until <= now
      ? "the certificate of this node has expired, and peers refuse it"
      : `the certificate of this node expires in ${duration((until - now) / 1000)}`,
  nextStep: "sign a new one with feral-sync tls issue"
})

/** What is worth a word while all is well. */
const remarksOf = ({ alarms = [], peers }: NodeStatus, now: number): ReadonlyArray<string> => [
  ...alarms.slice(0, 1).map(({ problem, message }) => problem ?? message),
  ...peers
    .filter(({ protocol }) => protocol === 1)
    .slice(0, 1)
    .map((peer) => {
      const at = peer.last_sync_at
      const last = at === null ? "" : `: the last exchange was ${duration(Math.max(0, now / 1000 - at))} ago`
      return `The existing FERAL node ${nameOf(peer)} is asked from time to time${last}`
    })
]

/** With a capital, unless it begins with a name, and with its full stop. */
const sentence = (text: string): string => {
  const ended = /[.?!]$/.test(text) ? text : `${text}.`
  return /^[a-z]+ /.test(ended) ? `${ended.charAt(0).toUpperCase()}${ended.slice(1)}` : ended
}
