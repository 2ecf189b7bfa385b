/**
 * Tools that look at all kinds: by words, by time, and how the memory is.
 */
import { Effect, Schema } from "effect"
import * as Kind from "../../core/replica/Kind.ts"
import * as PeerName from "../../services/node/PeerName.ts"
import * as Completeness from "../HowComplete.ts"
import * as ToolArgs from "../ToolArgs.ts"
import * as Rows from "../Rows.ts"
import type { Opened } from "../Reach.ts"
import * as Tool from "../Tool.ts"
import { QueryInvalid } from "../../services/node/NodeFailure.ts"

const searched = Kind.searched.map(({ name }) => name)

export const search = Tool.make({
  name: "search_memory",
  title: "Search the memory",
  description:
    "Finds notes, facts and episodes that have all the words. Case and accents do not matter, and the last word may be the start of a word. When nothing is found, try fewer or other words, and look at behind before you conclude that there is nothing.",
  input: {
    query: Schema.String.check(Schema.isMaxLength(4_000)),
    kinds: ToolArgs.kindsOfAny(searched),
    tags: Schema.optionalKey(Schema.Array(Schema.String)),
    since: ToolArgs.since,
    limit: ToolArgs.limit,
    cursor: Schema.optionalKey(Schema.String)
  },
  args: {
    query: "A few words that the row must have, in any order",
    kinds: `${ToolArgs.args.kinds}. Or one application kind alone, as memory_status names it`,
    tags: ToolArgs.args.tags,
    since: ToolArgs.args.since,
    limit: ToolArgs.args.limit,
    cursor: ToolArgs.args.cursor
  },
  output: Rows.answerFields,
  does: "reads",
  purpose: "maintain",
  run: Effect.fnUntraced(function* ({ limit = 10, since, ...query }, opened) {
    const own = query.kinds?.find((kind) => !searched.some((name) => name === kind))
    if (own !== undefined) return yield* ofApplication(opened, own, { ...query, limit, since })
    const found = yield* opened.memory.searchPage({ ...query, limit, ...ToolArgs.sinceOf(since) })
    return yield* Rows.answer(opened, found, {
      limit,
      kinds: query.kinds ?? searched,
      narrow: "Use more words, or kinds, tags or since, to get less."
    })
  })
})

/** The rows of a kind of an application that have all the words. */
const ofApplication = Effect.fnUntraced(function* (
  opened: Opened,
  kind: string,
  { query, limit, cursor, kinds, tags, since }: Asked
) {
  if (kinds?.length !== 1 || tags !== undefined) {
    const problem = `has ${JSON.stringify(kind)}, which is searched alone and without tags`
    return yield* new QueryInvalid({ problems: [{ field: "kinds", problem }] })
  }
  const { own } = opened.memory
  const { rows, next } = yield* own.find(kind, {
    words: query,
    limit,
    ...ToolArgs.sinceOf(since),
    ...(cursor === undefined ? {} : { cursor })
  })
  const page = { rows: rows.map((row) => ({ ...row, kind })), next }
  return yield* Rows.answer(
    opened,
    { ...page, ofApplications: yield* own.count(kind, {}) },
    { limit, kinds: [], narrow: "Use more words to get less." }
  )
})

interface Asked {
  readonly query: string
  readonly limit: number
  readonly cursor?: string
  readonly kinds?: ReadonlyArray<string>
  readonly tags?: ReadonlyArray<string>
  readonly since: string | number | undefined
}

export const recent = Tool.make({
  name: "recent",
  title: "What was written lately",
  description:
    "Gives the rows that were written last, by any agent on any machine, the newest first. Use it at the beginning of a session, to see recent activity.",
  input: {
    since: ToolArgs.since,
    kinds: ToolArgs.kindsOfAny(Kind.names),
    limit: ToolArgs.limit,
    cursor: Schema.optionalKey(Schema.String)
  },
  args: {
    since: ToolArgs.args.since,
    kinds:
      "Only rows of these kinds, which can be application kinds named by memory_status; all built-in kinds when left out",
    limit: ToolArgs.args.limit,
    cursor: ToolArgs.args.cursor
  },
  output: Rows.answerFields,
  does: "reads",
  purpose: "read",
  run: Effect.fnUntraced(function* ({ limit = 10, since, ...query }, opened) {
    const { kinds = Kind.names } = query
    const { own, newest, recent } = opened.memory
    const builtIn = kinds.filter((kind) => Kind.find(kind) !== undefined)
    const others = kinds.filter((kind) => Kind.find(kind) === undefined)
    const input = { ...query, limit, ...ToolArgs.sinceOf(since) }
    // A node of an earlier version knows no other read of the built-in kinds.
    const found: Rows.Page = yield* others.length === 0 ? recent(input) : newest({ ...input, kinds })
    const counts = yield* Effect.forEach(others, (kind) => own.count(kind, {}))
    return yield* Rows.answer(
      opened,
      { ...found, ...(others.length > 0 && { ofApplications: counts.reduce((sum, count) => sum + count, 0) }) },
      { limit, kinds: builtIn, narrow: "Use kinds or since to get less." }
    )
  })
})

const peer = { node: Schema.String, state: Schema.String }

export const status = Tool.make({
  name: "memory_status",
  title: "Memory status",
  description:
    "Says how many rows there are, which other machines share the memory, and whether everything of theirs has arrived.",
  input: {},
  args: {},
  output: {
    version: Schema.String,
    is_running: Schema.Boolean.annotate({ description: "Whether a node runs here, which syncs with other machines" }),
    counts: Schema.Record(Schema.String, Schema.Natural),
    applications: Schema.Array(Schema.String).annotate({ description: "The application kinds that have rows here" }),
    peers: Schema.Array(Schema.Struct(peer)),
    alarms: Schema.Array(Schema.String),
    ...Completeness.fields
  },
  does: "reads",
  purpose: "read",
  run: Effect.fnUntraced(function* (_input, opened) {
    const status = yield* opened.status
    const { alarms = [], counts, damage, peers, version } = status
    const complete = Completeness.inStatus(status, { found: 0, kinds: Kind.names })
    return {
      version,
      is_running: opened.isRunning,
      counts,
      applications: (yield* opened.memory.own.kinds).map(({ kind }) => kind).slice(0, mostKinds),
      peers: peers.slice(0, mostPeers).map((peer) => ({ node: PeerName.of(peer), state: peer.state })),
      alarms: [...(damage === undefined ? [] : [damage.message]), ...alarms.map(({ message }) => message)].slice(0, 10),
      ...complete
    }
  })
})

/** Peers and kinds that are named at most. */
const mostPeers = 50
const mostKinds = 50
