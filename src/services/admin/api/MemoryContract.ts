/**
 * The part of the contract for the memory: reads, writes, versions, and what happens.
 *
 * Inputs and questions are taken as they come. `Memory` decodes them, so that a wrong one is the same failure here as
 * in a program. `described` is the same part with the schemas that they have to fit, for the reference.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import * as Kind from "../../../core/replica/Kind.ts"
import { Operation } from "../../../core/replica/Operation.ts"
import * as Inputs from "../../memory/Inputs.ts"
import { KindView } from "../../memory/KindView.ts"
import {
  AnyRow,
  Conflicts,
  ConflictsInput,
  DeletedRow,
  FeedEvent,
  Found,
  Match,
  NewestInput,
  NewestRow,
  Reached,
  VersionRow,
  WaitInput,
  Written
} from "../../memory/Memory.ts"
import * as Reads from "../../memory/Reads.ts"
import * as NodeFailure from "../../node/NodeFailure.ts"
import { Invalid, NoKind, NoRow, NotFound, TooLarge, Unavailable, withStatus, WrongQuery } from "./Failures.ts"
import * as Paging from "./Paging.ts"

const Input = Schema.Unknown

const NoCollection = withStatus(NotFound, 404)

/** What is asked: of some words, by filters, or about a subject. */
const questions = {
  search: Reads.SearchInput,
  searchPage: Reads.SearchPageInput,
  recent: Reads.RecentInput,
  newest: NewestInput,
  about: Reads.AboutInput
}

const asking = (payloads: Readonly<Record<keyof typeof questions, Schema.Codec<unknown, unknown>>>) =>
  HttpApiGroup.make("reads", { topLevel: true }).add(
    HttpApiEndpoint.post("search", "/search", {
      payload: payloads.search,
      success: Schema.Array(Match),
      error: [Unavailable, WrongQuery]
    }),
    HttpApiEndpoint.post("searchPage", "/search/page", {
      payload: payloads.searchPage,
      success: Paging.page(Found(Match)),
      error: [Unavailable, WrongQuery]
    }),
    HttpApiEndpoint.post("recent", "/recent", {
      payload: payloads.recent,
      success: Paging.page(Found(AnyRow)),
      error: [Unavailable, WrongQuery]
    }),
    HttpApiEndpoint.post("newest", "/newest", {
      payload: payloads.newest,
      success: Paging.page(Found(NewestRow)),
      error: [Unavailable, WrongQuery, NoKind]
    }),
    HttpApiEndpoint.post("about", "/about", {
      payload: payloads.about,
      success: Paging.page(Found(Kind.table.facts.row)),
      error: [Unavailable, WrongQuery]
    }),
    HttpApiEndpoint.get("row", "/row", {
      query: { kind: Schema.String, id: Schema.String },
      success: AnyRow,
      error: [Unavailable, NoRow]
    })
  )

/** What the memory has. Questions are as in `Memory`. */
export const reads = asking({ search: Input, searchPage: Input, recent: Input, newest: Input, about: Input })

const views = { query: Paging.query, success: Paging.Listed(KindView) } as const

/** The kinds that this version has, which every program of the same version knows. */
export const schema = HttpApiGroup.make("schema").add(
  HttpApiEndpoint.get("all", "/schema", { ...views, error: WrongQuery })
)

/** The kinds of applications in the same form. */
export const ownSchema = HttpApiGroup.make("ownSchema").add(
  HttpApiEndpoint.get("all", "/schema/own", { ...views, error: [Unavailable, WrongQuery] })
)

/** A commit; see `Store.changes`. */
const Change = Schema.Struct({ version: Schema.Natural, operations: Schema.Array(Operation) })

/** What happens in its memory. */
export const events = HttpApiGroup.make("events", { topLevel: true }).add(
  // One line of JSON for each commit from now on, until the node stops.
  HttpApiEndpoint.get("changes", "/changes", {
    success: HttpApiSchema.StreamNdjson({ schema: Change, maxElementBytes: "64 MiB" })
  }),
  // Server-sent events; see `Events.ts`.
  HttpApiEndpoint.get("events", "/events", {
    headers: { "last-event-id": Schema.optionalKey(Schema.String) },
    query: {
      since: Schema.optionalKey(Schema.String),
      types: Schema.optionalKey(Schema.String),
      kinds: Schema.optionalKey(Schema.String)
    },
    success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/event-stream" }))
  }),
  // One line of JSON for each event of the feed; see `Store.feed`.
  HttpApiEndpoint.get("feed", "/feed", {
    query: {
      since: Schema.optionalKey(Schema.String),
      kinds: Schema.optionalKey(Schema.Array(Schema.String)),
      follow: Schema.optionalKey(Schema.Literals(["true", "false"]))
    },
    success: HttpApiSchema.StreamNdjson({ schema: FeedEvent, maxElementBytes: "64 MiB" })
  })
)

const Behind = withStatus(NodeFailure.NotYetOnNodes, 504)

/** Waits until other nodes have a write; see `Memory.waitFor`. */
export const waiting = HttpApiGroup.make("waiting", { topLevel: true }).add(
  HttpApiEndpoint.post("wait", "/wait", {
    payload: WaitInput,
    success: Reached,
    error: [Unavailable, Behind, WrongQuery, NoRow]
  })
)

const NoVersion = withStatus(NodeFailure.VersionNotFound, 404)
const ofRow = { kind: Schema.String, id: Schema.String }

/** The versions that are kept here; see `Memory.history`. */
export const history = HttpApiGroup.make("history").add(
  HttpApiEndpoint.get("list", "/history", {
    query: { ...ofRow, ...Paging.query },
    success: Paging.Listed(VersionRow),
    error: [Unavailable, WrongQuery]
  }),
  HttpApiEndpoint.get("deleted", "/history/deleted", {
    query: { kind: Schema.optionalKey(Schema.String), ...Paging.query },
    success: Paging.page(Found(DeletedRow)),
    error: [Unavailable, WrongQuery]
  }),
  HttpApiEndpoint.delete("erase", "/history", { query: ofRow, error: Unavailable }),
  HttpApiEndpoint.post("restore", "/history/restore", {
    payload: Schema.Struct({ ...ofRow, version: Schema.Natural }),
    success: Written,
    error: [Unavailable, TooLarge, NoVersion]
  }),
  HttpApiEndpoint.post("conflicts", "/conflicts", {
    payload: ConflictsInput,
    success: Paging.page(Conflicts),
    error: Unavailable
  })
)

/** The path of a kind. Those of applications are under `/kinds`. */
const params = { collection: Schema.String }

/** Rows by their ids: after the id `after`, or in parts with a cursor. */
const query = { ...Paging.query, after: Schema.optionalKey(Schema.String) }
// Not a part of the path: an id may be `..`, which URLs do not keep.
const byId = { id: Schema.String }

const list = { query, error: [Unavailable, NoCollection, WrongQuery] } as const
const insert = { success: Written, error: [Unavailable, TooLarge, Invalid, NoCollection] } as const
const remove = { query: byId, success: Written, error: [Unavailable, TooLarge, NoRow, NoCollection] } as const

/** What some kinds have besides. */
const editing = (payload: Schema.Codec<unknown, unknown>) =>
  HttpApiEndpoint.patch("editNote", `/${Kind.table.notes.path}`, {
    query: byId,
    payload,
    success: Written,
    error: [Unavailable, TooLarge, NoRow, Invalid]
  })
const setting = (payload: Schema.Codec<unknown, unknown>) =>
  HttpApiEndpoint.put("setFact", `/${Kind.table.facts.path}`, {
    payload,
    success: Written,
    error: [Unavailable, TooLarge, Invalid]
  })

/** The rows and inputs of all kinds. */
export const rows = HttpApiGroup.make("rows").add(
  HttpApiEndpoint.get("list", "/:collection", { params, success: Paging.Listed(Schema.Unknown), ...list }),
  HttpApiEndpoint.post("insert", "/:collection", { params, payload: Input, ...insert }),
  HttpApiEndpoint.delete("remove", "/:collection", { params, ...remove }),
  editing(Input),
  setting(Input)
)

/** The paths of one kind, with its schemas. */
const ofKind = ({ path, rule, row, input }: Kind.Kind) => [
  HttpApiEndpoint.get(`${path}.list`, `/${path}`, { success: Paging.Listed(row), ...list }),
  HttpApiEndpoint.post(`${path}.insert`, `/${path}`, { payload: input, ...insert }),
  ...(rule === "log" ? [] : [HttpApiEndpoint.delete(`${path}.remove`, `/${path}`, remove)])
]

/** They take the place of the groups of the same names. */
export const described = [
  asking(questions),
  HttpApiGroup.make("rows").add(
    editing(Inputs.NoteChange),
    setting(Inputs.FactInput),
    ...Kind.all.flatMap<ReturnType<typeof ofKind>[number]>(ofKind)
  )
] as const
