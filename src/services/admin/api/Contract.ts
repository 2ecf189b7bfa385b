/**
 * The local HTTP interface of a running node, as data: server and client are both derived from it.
 *
 * Lists come in parts (`Paging.ts`). Errors are JSON with `_tag`, `message` and `nextStep` (`Failures.ts`). The status
 * codes are 400 for a wrong request, 404 where nothing is found, 413 for what is too large, 503 when the database
 * cannot be used, and 504 when other nodes do not have a write in time.
 */
import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import * as Archive from "../Archive.ts"
import * as NodeFailure from "../../node/NodeFailure.ts"
import * as KindsContract from "./KindsContract.ts"
import * as Purging from "../Purging.ts"
import * as Verification from "../Verification.ts"
import * as Origins from "../Origins.ts"
import { Unavailable, withStatus, WrongQuery } from "./Failures.ts"
import { events, history, ownSchema, reads, rows, schema, waiting } from "./MemoryContract.ts"
import * as Paging from "./Paging.ts"
import { AuditedRows, Compared, NodeStatus, Pausing, PeerDetail, PeerStatus, Synced } from "../../node/Status.ts"

const Kept = withStatus(NodeFailure.OriginsKept, 400)
const Refused = withStatus(NodeFailure.PurgeRefused, 400)

/** How the node is. */
export const node = HttpApiGroup.make("node", { topLevel: true }).add(
  HttpApiEndpoint.get("status", "/status", { success: NodeStatus, error: Unavailable }).annotate(
    OpenApi.Description,
    "How this node is: its id, clock, digest, counts, peers and alarms, as `status --json` prints them."
  ),
  HttpApiEndpoint.get("peers", "/peers", {
    query: Paging.query,
    success: Paging.Listed(PeerStatus),
    error: WrongQuery
  }).annotate(OpenApi.Description, "The state of each peer, as `peers --json` prints it.")
)

/** Whether the process lives, and whether it can do its work: for supervisors, which have no token. */
export const health = HttpApiGroup.make("health", { topLevel: true }).add(
  HttpApiEndpoint.get("livez", "/livez", { success: Schema.String.pipe(HttpApiSchema.asText()) }).annotate(
    OpenApi.Description,
    "Answers 200 as long as the process lives."
  ),
  // 200 or 503. With `verbose`, a line for each check.
  HttpApiEndpoint.get("readyz", "/readyz", {
    query: { verbose: Schema.optionalKey(Schema.String) },
    success: Schema.String.pipe(HttpApiSchema.asText())
  }).annotate(
    OpenApi.Description,
    "Answers 200 when the node can do its work, else 503; `verbose` gives a line for each check."
  )
)

/** Numbers for a monitoring system, in the text format of Prometheus. */
export const metrics = HttpApiGroup.make("metrics", { topLevel: true }).add(
  HttpApiEndpoint.get("metrics", "/metrics", {
    success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/plain; version=0.0.4; charset=utf-8" })),
    error: Unavailable
  }).annotate(OpenApi.Description, "Metrics in the text format of Prometheus.")
)

const CodeRefused = withStatus(NodeFailure.CodeRefused, 401)

/** How a browser is let in; see `SignIn.ts`. The answer sets the cookie. */
export const signIn = HttpApiGroup.make("signIn", { topLevel: true }).add(
  HttpApiEndpoint.post("signIn", "/session", {
    payload: Schema.Struct({ code: Schema.String.check(Schema.isMaxLength(100)) }),
    success: HttpApiSchema.NoContent,
    error: CodeRefused
  }).annotate(
    OpenApi.Description,
    "Exchanges a code of `feral-sync open` for the cookie of a browser. A code works once."
  )
)

/** A code for a browser that is good once, until `expires_at` (Unix seconds); and the end of the cookie. */
export const session = HttpApiGroup.make("session").add(
  HttpApiEndpoint.post("code", "/session/code", {
    success: Schema.Struct({
      code: Schema.String,
      expires_at: Schema.Finite,
      port: Schema.NullOr(Schema.Natural),
      /** The name that the browser has to use, and no other; none where another program has the port of ::1. */
      host: Schema.NullOr(Schema.String)
    })
  }).annotate(
    OpenApi.Description,
    "Gives a code that signs a browser in once, with the time when it expires, and the name and port of this node for browsers."
  ),
  HttpApiEndpoint.delete("end", "/session", { success: HttpApiSchema.NoContent }).annotate(
    OpenApi.Description,
    "Signs the browser out: the answer removes its cookie."
  )
)

/** Whether everything is there; see `Verification.ts`. Each part may take minutes. */
export const verify = HttpApiGroup.make("verify")
  .add(
    HttpApiEndpoint.post("all", "/", { success: Verification.Verified, error: Unavailable }).annotate(
      OpenApi.Description,
      "Checks the database and the digest of all rows, and compares the rows with those of each connected peer. Differences are repaired. This can take minutes."
    ),
    HttpApiEndpoint.post("damage", "/damage", { success: Schema.Array(Schema.String), error: Unavailable }).annotate(
      OpenApi.Description,
      "Checks the database for damage, and lists what is found. This can take minutes."
    ),
    HttpApiEndpoint.post("audit", "/audit", { success: AuditedRows, error: Unavailable }).annotate(
      OpenApi.Description,
      "Checks digest and counts against the rows, and corrects them where they differ. This can take minutes."
    ),
    HttpApiEndpoint.post("compare", "/compare", { success: Schema.Array(Compared), error: Unavailable }).annotate(
      OpenApi.Description,
      "Compares the rows with those of each connected peer. This can take minutes."
    )
  )
  .prefix("/verify")

/** A node, and whether it is removed now. */
const Removal = Schema.Struct({ node_id: Schema.String, is_removed: Schema.Boolean })

const PeerUnknown = withStatus(NodeFailure.PeerNotFound, 404)

/** One peer, by its id or its address, and what an operator may do with it. */
export const peer = HttpApiGroup.make("peer")
  .add(
    HttpApiEndpoint.get("show", "/", {
      params: { id: Schema.String },
      success: PeerDetail,
      error: PeerUnknown
    }).annotate(OpenApi.Description, "One peer by its id or HOST:PORT, with its traffic and its last connections."),
    HttpApiEndpoint.post("pause", "/pause", {
      params: { id: Schema.String },
      success: Pausing,
      error: [PeerUnknown, Unavailable]
    }).annotate(OpenApi.Description, "Pauses syncing with a node, until it is resumed."),
    HttpApiEndpoint.post("resume", "/resume", {
      params: { id: Schema.String },
      success: Pausing,
      error: [PeerUnknown, Unavailable]
    }).annotate(OpenApi.Description, "Resumes syncing with a node that was paused."),
    HttpApiEndpoint.post("remove", "/remove", {
      params: { id: Schema.String },
      success: Removal,
      error: [PeerUnknown, Unavailable]
    }).annotate(
      OpenApi.Description,
      "Stops syncing with a node, by its id: its connections are closed, and it is no longer listed. Its rows stay."
    ),
    HttpApiEndpoint.post("readmit", "/readmit", {
      params: { id: Schema.String },
      success: Removal,
      error: [PeerUnknown, Unavailable]
    }).annotate(OpenApi.Description, "Undoes the removal of a node."),
    HttpApiEndpoint.post("sync", "/sync", {
      params: { id: Schema.String },
      success: Synced,
      error: PeerUnknown
    }).annotate(
      OpenApi.Description,
      "Connects to a peer now, or compares its rows when it is connected; `result` says what came of it."
    )
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
  }).annotate(
    OpenApi.Description,
    "What came from peers and cannot be read: from whom, why, and the text. The newest comes first."
  )
)

/** Removes rows of an unknown kind, or of an origin; see `Purging.ts`. */
export const purge = HttpApiGroup.make("purge", { topLevel: true }).add(
  HttpApiEndpoint.post("purge", "/purge", {
    payload: Purging.Request,
    success: Purging.Purged,
    error: [Unavailable, Refused]
  }).annotate(
    OpenApi.Description,
    "Removes the rows of an unknown kind or of an origin from this node; `is_dry_run` only counts them."
  )
)

/** The nodes that have written something; see `Origins.ts`. */
export const origins = HttpApiGroup.make("origins")
  .add(
    HttpApiEndpoint.get("list", "/", {
      query: Paging.query,
      success: Paging.Listed(Origins.OriginStatus),
      error: [Unavailable, WrongQuery]
    }).annotate(OpenApi.Description, "The nodes that have written something, and how complete the rows of each are."),
    HttpApiEndpoint.post("forget", "/forget", {
      payload: Origins.Request,
      success: Origins.Forgotten,
      error: [Unavailable, Kept]
    }).annotate(OpenApi.Description, "Forgets origins that wrote nothing that is still here.")
  )
  .prefix("/origins")

/** All of it as lines, out and in; see `Archive.ts`. */
export const archive = HttpApiGroup.make("archive")
  .add(
    HttpApiEndpoint.get("header", "/header", { success: Schema.String, error: Unavailable }).annotate(
      OpenApi.Description,
      "The first line of an export: the node and the form of the lines."
    ),
    HttpApiEndpoint.post("page", "/page", {
      payload: Schema.Struct({ after: Archive.Page.fields.after }),
      success: Archive.Page,
      error: Unavailable
    }).annotate(OpenApi.Description, "The next lines of an export, after the place of the page before."),
    HttpApiEndpoint.post("take", "/take", {
      payload: Schema.Struct({
        lines: Schema.Array(Schema.String).check(Schema.isMaxLength(Archive.batch.lines)),
        isLasting: Schema.optionalKey(Schema.Boolean)
      }),
      success: Archive.Taken,
      error: Unavailable
    }).annotate(OpenApi.Description, "Imports some lines of an export. Rows that are here already stay as they are.")
  )
  .prefix("/archive")

/** For every user of this machine: the state of the node, without any of its memory, and the sign-in of a browser. */
export class Public extends HttpApi.make("feral-sync-public").add(node, health, signIn, schema) {}

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
  ownSchema,
  KindsContract.group,
  rows
) {}

/** All of it. */
export class Contract extends HttpApi.make("feral-sync").addHttpApi(Public).addHttpApi(Private) {}
