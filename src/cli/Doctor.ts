/**
 * `doctor`: looks at everything that a node needs on this machine, and says what is wrong and what to do.
 */
import { Effect, Schema } from "effect"
import { Command } from "effect/cli"
import { messageOf } from "../core/text/Explained.ts"
import { inThisForm } from "../services/node/Invocation.ts"
import type { Finding } from "../services/admin/doctor/Finding.ts"
import * as Globals from "./Globals.ts"
import { counted, oneLine, writeJson, writeLine } from "./Output.ts"
import * as Start from "./Start.ts"

/** Something is wrong, and was shown. */
class ChecksFailed extends Schema.TaggedError<ChecksFailed>()("ChecksFailed", { count: Schema.Natural }) {
  readonly problem = `${counted(this.count, "check")} failed`
  readonly nextStep = "see the next step of each"
  override readonly message = messageOf(this, ": ")
}

export const command = Command.make(
  "doctor",
  Start.flags,
  Effect.fnUntraced(function* (given) {
    const isJson = yield* Globals.Json
    const { Doctor } = yield* Effect.promise(() => import("../services/admin/doctor/Doctor.ts"))
    const overrides = yield* Start.overrides(given)
    const findings = yield* Effect.gen(function* () {
      const doctor = yield* Doctor
      return yield* doctor.examine((finding) => (isJson ? Effect.void : Effect.orDie(writeLine(lines(finding)))))
    }).pipe(Effect.provide(Doctor.layer({ overrides, environment: Object.keys(process.env) })))
    const failed = findings.filter(({ status }) => status === "failed").length
    if (isJson) yield* writeJson(findings)
    else yield* writeLine(`\n${summary(findings)}`)
    if (failed > 0) return yield* new ChecksFailed({ count: failed })
  })
).pipe(
  Command.withDescription(
    "Check everything that a node needs: configuration, database, certificates, port, multicast, peers, clocks. It changes nothing. Pass the same flags as to start."
  ),
  Command.withShortDescription("Find out why a node does not sync"),
  Command.withExamples([
    { command: "feral-sync doctor" },
    { command: `feral-sync doctor --json | jq '.[] | select(.status == "failed")'` }
  ])
)

const marks: Record<Finding["status"], string> = { ok: "✓", warning: "!", failed: "✗", skipped: "-" }

const lines = ({ check, status, message, next_step: nextStep }: Finding): string => {
  const [first = "", ...more] = message.split("\n").map((line) => inThisForm(oneLine(line)))
  const indented = [...more, ...(nextStep === null ? [] : [`→ ${inThisForm(oneLine(nextStep))}`])]
  return [`${marks[status]} ${check}: ${first}`, ...indented.map((line) => `    ${line}`)].join("\n")
}

const summary = (findings: ReadonlyArray<Finding>): string => {
  const count = (status: Finding["status"]) => findings.filter((finding) => finding.status === status).length
  return `${count("ok")} ok, ${counted(count("warning"), "warning")}, ${count("failed")} failed, ${count("skipped")} skipped`
}
