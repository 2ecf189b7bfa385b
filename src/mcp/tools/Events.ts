/**
 * Tools for what happened: episodes, and the log of executions. Neither is ever changed.
 */
import { Effect } from "effect"
import * as Kind from "../../core/replica/Kind.ts"
import * as ToolArgs from "../ToolArgs.ts"
import * as Rows from "../Rows.ts"
import * as Tool from "../Tool.ts"

const { episodes, executionLog } = Kind.table

export const record = Tool.make({
  name: "record_episode",
  title: "Record an episode",
  description:
    "Records something that happened, like a decision, a meeting or the end of a task. Episodes are never changed or deleted.",
  input: {
    session: episodes.columns.session_id.input,
    type: episodes.columns.event_type.input,
    summary: episodes.columns.summary.input,
    detail: episodes.columns.detail.input
  },
  args: {
    session: ToolArgs.args.session,
    type: "What kind of event it is, like decision, meeting or handover",
    summary: "What happened, in a sentence",
    detail: "All details that are worth keeping"
  },
  output: Rows.writtenFields,
  does: "adds",
  purpose: "write",
  run: ({ session, type, ...others }, { memory }) =>
    Effect.map(memory.episodes.record({ session_id: session, event_type: type, ...others }), (written) =>
      Rows.written(episodes.name, written)
    )
})

export const log = Tool.make({
  name: "log_execution",
  title: "Log an execution",
  description: "Logs that a skill or tool was run, and how it went. Entries are never changed or deleted.",
  input: {
    session: executionLog.columns.session_id.input,
    skill: executionLog.columns.skill_id.input,
    endpoint: executionLog.columns.endpoint_id.input,
    status: executionLog.columns.result_status.input,
    args: executionLog.columns.args.input,
    result: executionLog.columns.result_summary.input,
    latency_ms: executionLog.columns.latency_ms.input
  },
  args: {
    session: ToolArgs.args.session,
    skill: "The skill or tool that ran",
    endpoint: "Which part of it ran, like a function or a URL",
    status: "How it went, like ok or error",
    args: "Its arguments, a JSON object or list",
    result: "What came of it, in a sentence",
    latency_ms: "How long it took, in milliseconds"
  },
  output: Rows.writtenFields,
  does: "adds",
  purpose: "write",
  run: ({ session, skill, endpoint, status, result, ...others }, { memory }) =>
    Effect.map(
      memory.executionLog.append({
        session_id: session,
        skill_id: skill,
        endpoint_id: endpoint,
        result_status: status,
        ...(result === undefined ? {} : { result_summary: result }),
        ...others
      }),
      (written) => Rows.written(executionLog.name, written)
    )
})
