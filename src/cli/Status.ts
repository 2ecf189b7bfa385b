/**
 * `status` and `peers`: how the node is, and how it gets on with the others.
 */
import { Clock, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { commandLine, inThisForm } from "../services/node/Invocation.ts"
import { formatAddress } from "../core/peers/Address.ts"
import * as Kind from "../core/replica/Kind.ts"
import * as ClockOffset from "../core/text/ClockOffset.ts"
import { clockNextStep, nextSteps as sessionSteps } from "../core/sync/SyncFailure.ts"
import { sized } from "../services/node/Home.ts"
import * as Summary from "../services/node/Summary.ts"
import type { NodeStatus, PeerStatus } from "../services/node/Status.ts"
import * as LockHolder from "../services/store/LockHolder.ts"
import { notice } from "../services/transport/tls/Expiry.ts"
import * as Access from "./Access.ts"
import * as Globals from "./Globals.ts"
import { ago, canRedraw, counted, duration, json, oneLine, writeJson, writeLine } from "./Output.ts"
import * as Pausing from "./Pausing.ts"
import * as Removal from "./Removal.ts"
import * as Table from "./Table.ts"
import { some } from "../core/text/Explained.ts"

const watch = Flag.Boolean("watch").pipe(
  Flag.withDefault(false),
  Flag.withDescription("Refresh every second, until Ctrl-C. With --json, print one line each time.")
)

/** How often it is shown, and how a terminal is cleared before that. */
const watchEvery = "1 second"
const clearScreen = "\u001b[H\u001b[2J\u001b[3J"

export const status = Command.make(
  "status",
  { watch },
  Effect.fnUntraced(function* ({ watch }) {
    if (!watch) return yield* writeLine(yield* shown())
    const isRedrawn = canRedraw(process.stdout) && !(yield* Globals.Json)
    return yield* Effect.forever(
      Effect.flatMap(shown(), (text) => writeLine(isRedrawn ? `${clearScreen}${text}` : text)).pipe(
        Effect.andThen(Effect.sleep(watchEvery))
      )
    )
  })
).pipe(
  Command.withDescription("Show the state of the node. Without a running node, show what its database contains."),
  Command.withShortDescription("Show the state of the node"),
  Command.withExamples([
    { command: "feral-sync status" },
    { command: "feral-sync status --json | jq .counts" },
    { command: "feral-sync status --watch", description: "Refresh every second, until Ctrl-C" }
  ])
)

/** The state now, as text. The node may start or stop between two of them. */
const shown = Effect.fnUntraced(function* () {
  const access = yield* Access.open("read")
  const status = yield* access.status
  if (yield* Globals.Json) return json(status)
  return describe(status, access, yield* Clock.currentTimeMillis).join("\n")
}, Effect.scoped)

export const peers = Command.make(
  "peers",
  {},
  Effect.fnUntraced(function* () {
    const access = yield* Access.open("read")
    const peers = yield* access.peers
    if (yield* Globals.Json) return yield* writeJson(peers)
    const now = yield* Clock.currentTimeMillis
    const { absent = [], discovery } = yield* access.status
    const none = `No peers yet: ${Summary.aloneOf(discovery).next_step ?? ""}.`
    const table = peers.length > 0 ? peerTable(peers, now) : absent.length > 0 ? ["No peer is connected."] : [none]
    yield* writeLine([...table, ...absentLines(absent, now)].join("\n"))
  }, Effect.scoped)
).pipe(
  Command.withDescription("Show the state of each peer. Needs a running node."),
  Command.withShortDescription("Show the state of each peer"),
  Command.withExamples([{ command: "feral-sync peers" }]),
  Command.withSubcommands([Pausing.pause, Pausing.resume, Pausing.sync, Removal.remove, Removal.readmit])
)

/** The nodes that were here before, until they are forgotten. */
const absentLines = (absent: NonNullable<NodeStatus["absent"]>, now: number): ReadonlyArray<string> =>
  absent.length === 0
    ? []
    : [
        "",
        "Not connected:",
        ...absent.map(({ node_id: id, last_seen_at: seen, it_lacks: lack }) => {
          const missing = lack.operations === 0 ? "has all of ours" : `lacks ${lack.operations} of ours`
          return `  ${oneLine(id)}: last seen ${ago(seen * 1000, now)}, ${missing}`
        }),
        `To forget one: ${commandLine("peers remove ID")}`
      ]

const describe = (status: NodeStatus, { home, isRunning }: Access.Access, now: number): ReadonlyArray<string> => {
  const { counts, discovery, peers } = status
  const seen = Object.keys(status.vector_clock).length
  const entry = (title: string, text: string) => `${title.padEnd(12)}${text}`
  const running =
    status.port === null
      ? [
          status.held_by === undefined
            ? `not running: start it with "${commandLine("start")}"`
            : `not answering: the database is locked by ${oneLine(LockHolder.describe(Option.some(status.held_by)))}`
        ]
      : [`running for ${duration(status.uptime_seconds)}, on port ${status.port}`]
  const lines = [
    inThisForm(oneLine(status.summary ?? Summary.of(status, now))),
    "",
    ...(status.damage === undefined ? [] : [entry("DAMAGE", inThisForm(oneLine(status.damage.message))), ""]),
    ...(status.alarms ?? []).map(({ level, message }) =>
      entry(level === "alarm" ? "ALARM" : "Notice", inThisForm(oneLine(message)))
    ),
    entry("Node", `${oneLine(status.node_id)} (feral-sync ${status.version})`),
    entry("State", running.join("")),
    entry("Home", home),
    entry(
      "Memory",
      [
        ...Kind.all.map(({ name, words: { one, many } }) => counted(counts[name], one, many)),
        ...Object.entries(counts.kinds ?? {}).map(([kind, count]) => `${oneLine(kind)}: ${count}`),
        `${counts.tombstones} deleted`
      ].join(", ")
    ),
    entry(
      "Digest",
      `${status.digest} (rows from ${counted(seen, "node")}; nodes with the same digest have the same rows)`
    )
  ]
  lines.push(...opaqueLines(status).map((text) => entry("Unknown", text)))
  if (status.tombstones !== undefined) {
    lines.push(...tombstones(status.tombstones, now).map((line, index) => entry(index > 0 ? "" : "Tombstones", line)))
  }
  if (counts.quarantine > 0) {
    lines.push(entry("Quarantine", `${counted(counts.quarantine, "entry", "entries")} from peers could not be read`))
  }
  if (status.log_lines_lost !== undefined) {
    const lost = counted(status.log_lines_lost, "line")
    lines.push(entry("Log", `${lost} could not be written: check where standard error of the node goes`))
  }
  if (!isRunning) return lines
  const api = status.api_port === null ? "off" : `http://127.0.0.1:${status.api_port}/status`
  const statics = { waiting: "waiting for mDNS", active: "in use", none: "none" }[discovery.static]
  lines.push(
    entry("Security", `TLS ${status.tls}, existing FERAL nodes: ${status.legacy}`),
    ...(status.tls_expires_at === undefined ? [] : [entry("Certificate", expiry(status.tls_expires_at * 1000, now))]),
    ...(status.accepts_previous_passphrase === true ? [entry("Passphrase", previousPassphrase(peers))] : []),
    entry("Local API", api),
    entry("Discovery", `mDNS ${discovery.mdns}, static peers: ${statics}`),
    entry("Peers", peers.length === 0 ? "none yet" : counted(peers.length, "peer")),
    ...(peers.length === 0 ? [] : ["", ...peerTable(peers, now)])
  )
  return lines
}

/** Rows of kinds that this version does not know, those that are kept out for want of room, and those that were purged. */
const opaqueLines = ({ opaque }: NodeStatus): ReadonlyArray<string> => {
  if (opaque === undefined) return []
  const { bytes, limit_bytes: limit, limit_bytes_per_origin: limitOfOne, held_back: heldBack, purged } = opaque
  const lines: Array<string> = []
  const of = (most: number | null) => (most === null ? "" : ` of ${sized(most)}`)
  if (bytes > 0 || heldBack.length > 0) {
    const [most] = opaque.origins
    const from = most === undefined ? "" : `; most from ${oneLine(most.origin)}: ${sized(most.bytes)}${of(limitOfOne)}`
    lines.push(`rows of unknown kinds take ${sized(bytes)}${of(limit)}${from}`)
  }
  if (heldBack.length > 0) {
    const who = some(heldBack.map(({ origin }) => oneLine(origin)))
    lines.push(`rows from ${who} are held back: ${inThisForm(sessionSteps.OverQuota)}`)
  }
  if (purged.length > 0) {
    const rows = purged.reduce((sum, { rows }) => sum + rows, 0)
    lines.push(
      `${counted(rows, "row")} purged here; nodes that still have them show a different digest: see ${commandLine("verify")}`
    )
  }
  return lines
}

/** Nodes that are named in one line. */
const namedNodes = 3

/** How many deletions every other node has, and what the rest waits for. */
const tombstones = (shown: NonNullable<NodeStatus["tombstones"]>, now: number): ReadonlyArray<string> => {
  const { collected, keep_days: days, not_confirmed_by: others = [] } = shown
  const lines = heldTombstones(shown, now)
  if (collected === undefined) return lines
  const kept =
    days == null ? "collection is off on this node" : `kept for ${counted(days, "day")} after every node has them`
  const blocked = `not confirmed by ${others.slice(0, namedNodes).map(oneLine).join(", ")}${others.length > namedNodes ? ", …" : ""}: set FERAL_SYNC_TOMBSTONE_DAYS there too`
  return [...lines, `${collected} collected; ${kept}`, ...(others.length === 0 ? [] : [blocked])]
}

const heldTombstones = (
  { held, stable, waiting, waiting_for: nodes }: NonNullable<NodeStatus["tombstones"]>,
  now: number
): ReadonlyArray<string> => {
  const have = stable === held ? "every known node has them" : `every known node has ${stable} of them`
  const first = `${counted(held, "deletion")} kept; ${have}`
  const [longest] = nodes
  if (stable === held || longest === undefined) return [first]
  const names = nodes
    .slice(0, namedNodes)
    .map(
      ({ node_id: id, last_seen_at: seen }) =>
        `${oneLine(id)} (${seen === null ? "never seen" : `last seen ${ago(seen * 1000, now)}`})`
    )
  const more = waiting > names.length ? ` and ${waiting - names.length} more` : ""
  return [
    `${first}; waiting for ${names.join(", ")}${more}`,
    `start the nodes that are off; if a node is gone for good, run ${commandLine(`peers remove ${oneLine(longest.node_id)}`)}`
  ]
}

/** Who still comes with the passphrase before, and what to do then. */
const previousPassphrase = (peers: ReadonlyArray<PeerStatus>): string => {
  const names = peers.flatMap(({ uses_previous_passphrase: uses, node_id: id, address, port }) =>
    uses === true ? [oneLine(id ?? formatAddress({ host: address, port }))] : []
  )
  const met = peers.filter(({ last_sync_at: at }) => at !== null).length
  if (names.length > 0) {
    return `the old one is still accepted, and used by ${names.join(", ")}: give ${names.length === 1 ? "it" : "them"} the new one`
  }
  const seen =
    met === 0
      ? "no peer has connected since the start"
      : `${counted(met, "peer")} connected since the start, all with the new one`
  return `the old one is still accepted; ${seen}. When all nodes have the new one, run ${commandLine("passphrase drop")}`
}

/** Until when the certificates are valid, and what to do when that is soon. */
const expiry = (until: number, now: number): string => {
  const date = new Date(until).toISOString().slice(0, 10)
  const step = `sign a new one ("${commandLine("tls issue")}")`
  if (now >= until) return `expired on ${date}: peers refuse this node; ${step}`
  return until - now > notice
    ? `valid until ${date}`
    : `expires in ${duration((until - now) / 1000)}, on ${date}: ${step}`
}

/** From this offset on, a clock is worth a word (ms). */
const worthMentioning = 30_000

/** A peer that was connected and is lost says since when, unless one side does not let the other in, or has paused it. */
const stateOf =
  (now: number) =>
  ({ state, last_seen_at: seenAt, last_error: error }: PeerStatus): string =>
    state !== "paused" && error?._tag === "PeerPaused"
      ? "paused there"
      : seenAt === undefined || state === "paused" || state === "refused"
        ? state
        : `not seen for ${duration(Math.max(0, now / 1000 - seenAt))}`

const columns = (now: number): ReadonlyArray<Table.Column<PeerStatus>> => [
  {
    title: "PEER",
    text: ({ node_id, source }) => node_id ?? (source === "inbound" ? "not identified" : "not reached yet")
  },
  {
    title: "ADDRESS",
    text: ({ address, port }) => (address === "" ? "-" : formatAddress({ host: address, port })),
    whole: true
  },
  { title: "FOUND BY", text: ({ source }) => source, whole: true },
  { title: "STATE", text: stateOf(now), whole: true },
  { title: "TLS", text: ({ tls }) => tls ?? "-", whole: true },
  { title: "BEHIND", text: ({ lag_ops }) => (lag_ops === null ? "-" : `${lag_ops}`), whole: true },
  {
    title: "CLOCK",
    text: ({ clock_offset_ms: offset }) => (offset === null ? "-" : ClockOffset.signed(offset)),
    whole: true
  },
  {
    title: "LAST SYNC",
    text: ({ last_sync_at }) => (last_sync_at === null ? "never" : ago(last_sync_at * 1000, now)),
    whole: true
  }
]

/** A message with the address that it is about, unless it says so itself. */
const about = (address: string, message: string): string =>
  message.includes(`${address} `) ? message : `${address}: ${message}`

/** The peers, and below them what keeps some from syncing, in full: it holds the next step. */
const peerTable = (peers: ReadonlyArray<PeerStatus>, now: number): ReadonlyArray<string> => {
  const troubles = peers.flatMap(({ address, port, last_error: error }) =>
    error === null
      ? []
      : [`${about(formatAddress({ host: address, port }), inThisForm(oneLine(error.message)))} [${error._tag}]`]
  )
  const clocks = peers.flatMap(({ address, port, clock_offset_ms: offset }) => {
    if (offset === null || Math.abs(offset) < worthMentioning) return []
    const apart = `${ClockOffset.amount(offset)} ${offset > 0 ? "ahead of" : "behind"} ours`
    return [`${formatAddress({ host: address, port })}: its clock is ${apart}: ${clockNextStep(offset)}`]
  })
  const notes = [...troubles, ...clocks]
  return [...Table.lines(columns(now), peers), ...(notes.length === 0 ? [] : ["", ...notes])]
}
