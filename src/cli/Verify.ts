/**
 * `verify`: whether everything that this node should hold is there, and the same with its peers.
 */
import { Effect, Schema } from "effect"
import { Command } from "effect/cli"
import { type Advised, messageOf } from "../core/text/Explained.ts"
import { storeNextSteps } from "../services/node/NodeFailure.ts"
import type { Compared } from "../services/node/Status.ts"
import * as Verification from "../services/admin/Verification.ts"
import * as Access from "./Access.ts"
import * as Globals from "./Globals.ts"
import { counted, oneLine, writeJson, writeLine } from "./Output.ts"
import * as Progress from "./Progress.ts"
import { commandLine, elsewhere } from "../services/node/Invocation.ts"

/** Something is wrong, was shown, and could not be repaired. */
class VerificationFailed extends Schema.TaggedError<VerificationFailed>()("VerificationFailed", {
  problem: Schema.String,
  nextStep: Schema.optionalKey(Schema.String)
}) {
  override readonly message = messageOf({ problem: this.problem, nextStep: this.nextStep }, ": ")
}

const damaged: Advised = { problem: "the database is damaged", nextStep: storeNextSteps.corrupt }
const differing = (): Advised => ({
  problem: "the rows of a peer still differ",
  nextStep: `run "${elsewhere("verify")}" on that node, and then here again`
})
const deferring = (): Advised => ({
  problem: "operations with timestamps in the future are deferred",
  nextStep: `find the node with ${commandLine("peers")}, set its clock, and run ${elsewhere("identity new --reissue")} there`
})

export const command = Command.make(
  "verify",
  {},
  Effect.fnUntraced(function* () {
    const isJson = yield* Globals.Json
    const say = (text: string) => (isJson ? Effect.void : writeLine(text))
    const { verification, isRunning } = yield* Access.open("maintain")
    yield* say("Checking the database …")
    const progress = yield* Progress.make(isJson)
    const database = yield* Progress.during(progress, "Checking the database")(verification.damage)
    if (database.length > 0) {
      if (isJson) yield* writeJson(Verification.damaged(database))
      for (const problem of database) yield* say(`✗ ${oneLine(problem)}`)
      return yield* new VerificationFailed(damaged)
    }
    yield* say("✓ the file is intact")
    yield* say("Checking the digest of the rows …")
    const { rows, digest, corrected } = yield* Progress.during(progress, "Adding up the rows")(verification.audit)
    yield* say(`✓ ${counted(rows, "row")}, digest ${digest}`)
    for (const wrong of corrected) yield* say(`! ${wrong}: corrected`)
    if (isRunning) yield* say("Comparing with the peers …")
    const peers = yield* Progress.during(progress, "Comparing with the peers")(verification.compare)
    yield* say(
      peers.length > 0
        ? peers.map(line).join("\n")
        : isRunning
          ? "- no peer is connected: nothing was compared"
          : "- the node is not running, so no peer was compared: start it, and verify again"
    )
    if (isJson) yield* writeJson(Verification.verified({ rows, digest, corrected }, peers))
    const obstacle = Verification.obstacle(peers)
    if (obstacle === undefined) return
    const { result, reason } = obstacle
    return yield* new VerificationFailed(
      result === "deferred" ? deferring() : reason === undefined ? differing() : { problem: reason }
    )
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Check the database and the digest of all rows, and compare the rows with every connected peer. Differences are repaired. The node keeps running."
  ),
  Command.withShortDescription("Check the database, and compare it with the peers"),
  Command.withExamples([{ command: "feral-sync verify" }, { command: "feral-sync verify --json | jq .ok" }])
)

const line = ({ node_id, result, rows_repaired: repaired, reason }: Compared): string => {
  switch (result) {
    case "equal":
      return `✓ ${node_id} has the same rows`
    case "repaired":
      return `! ${node_id} had different rows: repaired${repaired > 0 ? `, ${counted(repaired, "row")} of them here` : ""}`
    case "differs":
      return `✗ ${node_id} has different rows${reason === undefined ? "" : `: ${oneLine(reason)}`}`
    case "behind":
      if (reason !== undefined) return `✗ ${node_id} does not have the same rows: ${oneLine(reason)}`
      return `- ${node_id} could not be compared: operations are still being sent`
    case "deferred":
      return `✗ ${node_id} and this node defer operations that are ahead of their clocks`
    case "not comparable":
      return `- ${node_id} does not support comparing rows`
  }
}
