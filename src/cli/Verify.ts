/**
 * `verify`: whether everything that this node should hold is there, and the same with its peers.
 */
import { Effect, Schema } from "effect"
import { Command } from "effect/cli"
import { storeNextSteps } from "../services/node/NodeFailure.ts"
import type { Compared } from "../services/node/Status.ts"
import * as Access from "./Access.ts"
import * as Globals from "./Globals.ts"
import { counted, oneLine, writeJson, writeLine } from "./Output.ts"
import { commandLine } from "../services/node/Invocation.ts"

/** Something is wrong, was shown, and could not be repaired. */
class VerificationFailed extends Schema.TaggedError<VerificationFailed>()("VerificationFailed", {
  problem: Schema.String
}) {
  override get message(): string {
    return this.problem
  }
}

const damaged = "the database is damaged: " + storeNextSteps.corrupt
const differing = `the rows of a peer still differ: run "${commandLine("verify")}" on that node, and then here again`

const deferring = `operations are deferred until their time has come: ${commandLine("peers")} names the node; set its clock, and run ${commandLine("identity new --reissue")} there`

export const command = Command.make(
  "verify",
  {},
  Effect.fnUntraced(function* () {
    const isJson = yield* Globals.Json
    const say = (text: string) => (isJson ? Effect.void : writeLine(text))
    const { verification, isRunning } = yield* Access.open("maintain")
    yield* say("Looking through the database …")
    const database = yield* verification.damage
    if (database.length > 0) {
      if (isJson) yield* writeJson({ ok: false, database, rows: null, digest: null, corrected: [], peers: [] })
      for (const problem of database) yield* say(`✗ ${oneLine(problem)}`)
      return yield* new VerificationFailed({ problem: damaged })
    }
    yield* say("✓ the file is sound")
    yield* say("Adding up the rows …")
    const { rows, digest, corrected } = yield* verification.audit
    yield* say(`✓ ${counted(rows, "row")}, digest ${digest}`)
    for (const wrong of corrected) yield* say(`! ${wrong}: corrected`)
    if (isRunning) yield* say("Comparing with the peers …")
    const peers = yield* verification.compare
    yield* say(
      peers.length > 0
        ? peers.map(line).join("\n")
        : isRunning
          ? "- no peer is connected: nothing was compared"
          : "- the node does not run, so no peer was compared: start it, and verify again"
    )
    const isDeferred = peers.some(({ result }) => result === "deferred")
    const leftOut = peers.find(({ result, reason }) => reason !== undefined && ["behind", "differs"].includes(result))
    const ok = !isDeferred && leftOut === undefined && peers.every(({ result }) => result !== "differs")
    if (isJson) yield* writeJson({ ok, database, rows, digest, corrected, peers })
    if (!ok) {
      const problem = isDeferred ? deferring : (leftOut?.reason ?? differing)
      return yield* new VerificationFailed({ problem })
    }
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Look through the database, add up all rows anew, and compare them with those of every connected peer. What differs is repaired. The node goes on meanwhile."
  ),
  Command.withShortDescription("Check that everything is there, and the same as with the peers"),
  Command.withExamples([{ command: "feral-sync verify" }, { command: "feral-sync verify --json | jq .ok" }])
)

const line = ({ node_id, result, rows_repaired: repaired, reason }: Compared): string => {
  switch (result) {
    case "equal":
      return `✓ ${node_id} holds the same`
    case "repaired":
      return `! ${node_id} held other rows: repaired${repaired > 0 ? `, ${counted(repaired, "row")} of them here` : ""}`
    case "differs":
      return `✗ ${node_id} holds other rows${reason === undefined ? "" : `: ${oneLine(reason)}`}`
    case "behind":
      if (reason !== undefined) return `✗ ${node_id} does not hold the same: ${oneLine(reason)}`
      return `- ${node_id} could not be compared: operations are under way between us`
    case "deferred":
      return `✗ ${node_id} and this node defer operations that are ahead of their clocks`
    case "not comparable":
      return `- ${node_id} knows no comparison of rows`
  }
}
