/**
 * The local HTTP interface of a running node, as data: server and client are both derived from it.
 *
 * Lists come in parts (`Paging.ts`). Errors are JSON with `_tag`, `message` and `nextStep` (`Failures.ts`). The status codes are 400
 * for a wrong request, 404 where nothing is found, 413 for what is too large, 503 when the database cannot be used, and 504
 * when other nodes do not have a write in time.
 */
import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import * as Kind from "../../../core/replica/Kind.ts"
import { Operation } from "../../../core/replica/Operation.ts"
import * as Archive from "../Archive.ts"
import * as NodeFailure from "../../node/NodeFailure.ts"
import {
  AnyRow,
  NewestRow,
  Conflicts,
  ConflictsInput,
  FeedEvent,
  Found,
  Match,
  Reached,
  VersionRow,
  WaitInput,
  Written
} from "../../memory/Memory.ts"
import * as KindsContract from "./KindsContract.ts"
import * as Purging from "../Purging.ts"
import * as Origins from "../Origins.ts"
import { NotFound, told } from "./Failures.ts"
import * as Paging from "./Paging.ts"
import { AuditedRows, Compared, NodeStatus, Pausing, PeerDetail, PeerStatus, Synced } from "../../node/Status.ts"

const Unavailable = told(NodeFailure.StoreUnavailable, 503)
const TooLarge = told(NodeFailure.OperationTooLarge, 413)
const NoRow = told(NodeFailure.RowNotFound, 404)

const Kept = told(NodeFailure.OriginsKept, 400)
const Refused = told(NodeFailure.PurgeRefused, 400)
const NoCollection = told(NotFound, 404)
const Invalid = told(NodeFailure.InputInvalid, 400)
const WrongQuery = told(NodeFailure.QueryInvalid, 400)

/** The input of a write, or a question, as it came. `Memory` decodes it, so that a wrong one is the same failure here as in a program. */
const Input = Schema.Unknown

/** Rows by their ids: after the id `after`, or in parts with a cursor. */
const query = { ...Paging.query, after: Schema.optionalKey(Schema.String) }
// Not a part of the path: an id may be `..`, which URLs do not keep.
const byId = { id: Schema.String }

/** A commit; see `Store.changes`. */
const Change = Schema.Struct({ version: Schema.Natural, operations: Schema.Array(Operation) })

/** How the node is. */
export const node = HttpApiGroup.make("node", { topLevel: true }).add(
  HttpApiEndpoint.get("status", "/status", { success: NodeStatus, error: Unavailable }),
  HttpApiEndpoint.get("peers", "/peers", {
    query: Paging.query,
    success: Paging.Listed(PeerStatus),
    error: WrongQuery
  })
)

/** Whether the process lives, and whether it can do its work: for supervisors, which have no token. */
export const health = HttpApiGroup.make("health", { topLevel: true }).add(
  HttpApiEndpoint.get("livez", "/livez", { success: Schema.String.pipe(HttpApiSchema.asText()) }),
  // 200 or 503. With `verbose`, a line for each check.
  HttpApiEndpoint.get("readyz", "/readyz", {
    query: { verbose: Schema.optionalKey(Schema.String) },
    success: Schema.String.pipe(HttpApiSchema.asText())
  })
)

/** Numbers for a monitoring system, in the text format of Prometheus. */
export const metrics = HttpApiGroup.make("metrics", { topLevel: true }).add(
  HttpApiEndpoint.get("metrics", "/metrics", {
    success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/plain; version=0.0.4; charset=utf-8" })),
    error: Unavailable
  })
)

const CodeRefused = told(NodeFailure.CodeRefused, 401)

/** How a browser is let in; see `SignIn.ts`. The answer sets the cookie. */
export const signIn = HttpApiGroup.make("signIn", { topLevel: true }).add(
  HttpApiEndpoint.post("signIn", "/session", {
    payload: Schema.Struct({ code: Schema.String.check(Schema.isMaxLength(100)) }),
    success: HttpApiSchema.NoContent,
    error: CodeRefused
  })
)

/** A code for a browser that is good once, until `expires_at` (Unix seconds); and the end of the cookie. */
export const session = HttpApiGroup.make("session").add(
  HttpApiEndpoint.post("code", "/session/code", {
    success: Schema.Struct({ code: Schema.String, expires_at: Schema.Finite, port: Schema.NullOr(Schema.Natural) })
  }),
  HttpApiEndpoint.delete("end", "/session", { success: HttpApiSchema.NoContent })
)

/** Whether everything is there; see `Verification.ts`. Each part may take minutes. */
export const verify = HttpApiGroup.make("verify")
  .add(
    HttpApiEndpoint.post("damage", "/damage", { success: Schema.Array(Schema.String), error: Unavailable }),
    HttpApiEndpoint.post("audit", "/audit", { success: AuditedRows, error: Unavailable }),
    HttpApiEndpoint.post("compare", "/compare", { success: Schema.Array(Compared), error: Unavailable })
  )
  .prefix("/verify")

const NoKind = told(NodeFailure.KindUndeclared, 404)

/** What its memory has: of some words, by filters, about a subject, or by id. Questions are as in `Memory`. */
export const reads = HttpApiGroup.make("reads", { topLevel: true }).add(
  HttpApiEndpoint.post("search", "/search", {
    payload: Input,
    success: Schema.Array(Match),
    error: [Unavailable, WrongQuery]
  }),
  HttpApiEndpoint.post("searchPage", "/search/page", {
    payload: Input,
    success: Paging.page(Found(Match)),
    error: [Unavailable, WrongQuery]
  }),
  HttpApiEndpoint.post("recent", "/recent", {
    payload: Input,
    success: Paging.page(Found(AnyRow)),
    error: [Unavailable, WrongQuery]
  }),
  HttpApiEndpoint.post("newest", "/newest", {
    payload: Input,
    success: Paging.page(Found(NewestRow)),
    error: [Unavailable, WrongQuery, NoKind]
  }),
  HttpApiEndpoint.post("about", "/about", {
    payload: Input,
    success: Paging.page(Found(Kind.table.facts.row)),
    error: [Unavailable, WrongQuery]
  }),
  HttpApiEndpoint.get("row", "/row", {
    query: { kind: Schema.String, id: Schema.String },
    success: AnyRow,
    error: [Unavailable, NoRow]
  })
)

const PeerUnknown = told(NodeFailure.PeerNotFound, 404)

/** One peer, by its id or its address, and what an operator may do with it. */
export const peer = HttpApiGroup.make("peer")
  .add(
    HttpApiEndpoint.get("show", "/", { params: { id: Schema.String }, success: PeerDetail, error: PeerUnknown }),
    HttpApiEndpoint.post("pause", "/pause", {
      params: { id: Schema.String },
      success: Pausing,
      error: [PeerUnknown, Unavailable]
    }),
    HttpApiEndpoint.post("resume", "/resume", {
      params: { id: Schema.String },
      success: Pausing,
      error: [PeerUnknown, Unavailable]
    }),
    HttpApiEndpoint.post("sync", "/sync", { params: { id: Schema.String }, success: Synced, error: PeerUnknown })
  )
  .prefix("/peers/:id")

/** What came from peers and cannot be read: from whom, why, and the text as it came, cut to 4 KiB. */
const QuarantinedRow = Schema.Struct({
  number: Schema.Natural,
  peer: Schema.String,
  reason: Schema.String,
  text: Schema.String
})
export const quarantine = HttpApiGroup.make("quarantine").add(
  HttpApiEndpoint.get("list", "/quarantine", {
    query: Paging.query,
    success: Paging.Listed(QuarantinedRow),
    error: [Unavailable, WrongQuery]
  })
)

/** Removes rows of an unknown kind, or of an origin; see `Purging.ts`. */
export const purge = HttpApiGroup.make("purge", { topLevel: true }).add(
  HttpApiEndpoint.post("purge", "/purge", {
    payload: Purging.Request,
    success: Purging.Purged,
    error: [Unavailable, Refused]
  })
)

/** The nodes that have written something; see `Origins.ts`. */
export const origins = HttpApiGroup.make("origins")
  .add(
    HttpApiEndpoint.get("list", "/", {
      query: Paging.query,
      success: Paging.Listed(Origins.OriginStatus),
      error: [Unavailable, WrongQuery]
    }),
    HttpApiEndpoint.post("forget", "/forget", {
      payload: Origins.Request,
      success: Origins.Forgotten,
      error: [Unavailable, Kept]
    })
  )
  .prefix("/origins")

/** All of it as lines, out and in; see `Archive.ts`. */
export const archive = HttpApiGroup.make("archive")
  .add(
    HttpApiEndpoint.get("header", "/header", { success: Schema.String, error: Unavailable }),
    HttpApiEndpoint.post("page", "/page", {
      payload: Schema.Struct({ after: Archive.Page.fields.after }),
      success: Archive.Page,
      error: Unavailable
    }),
    HttpApiEndpoint.post("take", "/take", {
      payload: Schema.Struct({
        lines: Schema.Array(Schema.String).check(Schema.isMaxLength(Archive.batch.lines)),
        isLasting: Schema.optionalKey(Schema.Boolean)
      }),
      success: Archive.Taken,
      error: Unavailable
    })
  )
  .prefix("/archive")

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

const Behind = told(NodeFailure.NotYetOnNodes, 504)

/** Waits until other nodes have a write; see `Memory.waitFor`. */
export const waiting = HttpApiGroup.make("waiting", { topLevel: true }).add(
  HttpApiEndpoint.post("wait", "/wait", {
    payload: WaitInput,
    success: Reached,
    error: [Unavailable, Behind, WrongQuery, NoRow]
  })
)

const NoVersion = told(NodeFailure.VersionNotFound, 404)
const ofRow = { kind: Schema.String, id: Schema.String }

/** The versions that are kept here; see `Memory.history`. */
export const history = HttpApiGroup.make("history").add(
  HttpApiEndpoint.get("list", "/history", {
    query: { ...ofRow, ...Paging.query },
    success: Paging.Listed(VersionRow),
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

/** The rows and inputs of all kinds (`core/replica/Kind.ts`), and what some of them have besides. */
export const rows = HttpApiGroup.make("rows").add(
  HttpApiEndpoint.get("list", "/:collection", {
    params,
    query,
    success: Paging.Listed(Schema.Unknown),
    error: [Unavailable, NoCollection, WrongQuery]
  }),
  HttpApiEndpoint.post("insert", "/:collection", {
    params,
    payload: Input,
    success: Written,
    error: [Unavailable, TooLarge, Invalid, NoCollection]
  }),
  HttpApiEndpoint.delete("remove", "/:collection", {
    params,
    query: byId,
    success: Written,
    error: [Unavailable, TooLarge, NoRow, NoCollection]
  }),
  HttpApiEndpoint.patch("editNote", `/${Kind.table.notes.path}`, {
    query: byId,
    payload: Input,
    success: Written,
    error: [Unavailable, TooLarge, NoRow, Invalid]
  }),
  HttpApiEndpoint.put("setFact", `/${Kind.table.facts.path}`, {
    payload: Input,
    success: Written,
    error: [Unavailable, TooLarge, Invalid]
  })
)

/** For every user of this machine: the state of the node, without any of its memory, and the sign-in of a browser. */
export class Public extends HttpApi.make("feral-sync-public").add(node, health, signIn) {}

/** What is for the owner of the data directory. */
export class Private extends HttpApi.make("feral-sync-private").add(
  session,
  metrics,
  peer,
  verify,
  quarantine,
  reads,
  purge,
  origins,
  archive,
  events,
  waiting,
  history,
  KindsContract.group,
  rows
) {}

/** All of it. */
export class Contract extends HttpApi.make("feral-sync").addHttpApi(Public).addHttpApi(Private) {}
