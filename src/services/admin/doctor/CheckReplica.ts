/**
 * Looks at the node of a data directory, which may run or not, and at its database.
 */
import { Effect, FileSystem, Option, Schedule } from "effect"
import * as Client from "../api/Client.ts"
import { nextSteps } from "../../../core/sync/SyncFailure.ts"
import { StoreUnavailable } from "../../node/NodeFailure.ts"
import * as Home from "../../node/Home.ts"
import type { Alarm, NodeStatus } from "../../node/Status.ts"
import * as SqliteCheck from "../../store/SqliteCheck.ts"
import { version } from "../../node/Version.ts"
import { failed, type Finding, fromFailure, fromReport, ok, skipped, warning } from "./Finding.ts"
import { commandLine } from "../../node/Invocation.ts"
import { some } from "../../../core/text/Explained.ts"

/** How long a running node may take to say how it is. */
const answerWithin = "3 seconds"

/** The node as it says that it is, if it runs, and whether another process may be writing to the database. */
export const node = Effect.fnUntraced(function* (home: string) {
  const check = "node"
  const fs = yield* FileSystem.FileSystem
  const { socket } = Home.paths(home)
  const connected = yield* Effect.result(Client.connect(home))
  if (connected._tag === "Failure") {
    return { status: Option.none(), isInUse: true, findings: [fromFailure(check, connected.failure)] }
  }
  const client = connected.success
  if (Option.isSome(client)) {
    const asked = yield* Effect.result(client.value.status.pipe(Effect.timeout(answerWithin)))
    if (asked._tag === "Failure") {
      const nextStep = "see its log, and restart it if it does not recover"
      return {
        status: Option.none(),
        isInUse: true,
        findings: [failed(check, "a node is running but does not answer", nextStep)]
      }
    }
    const { success: status } = asked
    const facts = { node_id: status.node_id, version: status.version, port: status.port, uptime: status.uptime_seconds }
    const finding =
      status.version === version
        ? ok(check, `${status.node_id} is running (feral-sync ${status.version})`, facts)
        : warning(
            check,
            `${status.node_id} runs feral-sync ${status.version}, this is ${version}`,
            "start it again",
            facts
          )
    return {
      status: Option.some(status),
      isInUse: true,
      findings: [...(status.alarms ?? []).map(ofAlarm), finding, ...ofOpaque(status)]
    }
  }
  const locked = yield* SqliteCheck.isLocked(home).pipe(
    // A command takes the lock too, for as long as it takes.
    Effect.repeat({ while: (isLocked) => isLocked, schedule: Schedule.spaced("100 millis"), times: 20 }),
    Effect.result
  )
  if (locked._tag === "Success" && locked.success) {
    const detail = "it is locked, but no node answers: a node is starting or stopping, or a command is running"
    return {
      status: Option.none(),
      isInUse: true,
      findings: [fromFailure(check, new StoreUnavailable({ reason: "locked", detail }))]
    }
  }
  const hasSocket = yield* Effect.orElseSucceed(fs.exists(socket), () => false)
  const left = hasSocket ? "; a killed node left its socket, which is harmless" : ""
  return {
    status: Option.none<NodeStatus>(),
    isInUse: false,
    findings: [skipped(check, `no node is running in ${home}${left}`)]
  }
}, Effect.scoped)

/** From this share of the quota on, it is worth a word. */
const almostFull = 0.8

/** Rows of unknown kinds, where they take much of their quota. */
const ofOpaque = ({ opaque }: NodeStatus): ReadonlyArray<Finding> => {
  if (opaque === undefined) return []
  const check = "unknown kinds"
  const { bytes, limit_bytes: limit, limit_bytes_per_origin: limitOfOne, origins, held_back: heldBack } = opaque
  if (limit === null || limitOfOne === null) return []
  const [most] = origins
  const facts = { bytes, limit, limit_per_origin: limitOfOne, held_back: heldBack.map(({ origin }) => origin) }
  const size = `rows of kinds that this version does not know take ${Home.sized(bytes)} of ${Home.sized(limit)}`
  const who =
    most === undefined ? "" : `; most are from ${most.origin}, ${Home.sized(most.bytes)} of ${Home.sized(limitOfOne)}`
  if (heldBack.length > 0) {
    const text = `${size}, and those from ${some(heldBack.map(({ origin }) => origin))} are held back`
    return [warning(check, text, nextSteps.OverQuota, facts)]
  }
  const isFull = bytes > almostFull * limit || (most !== undefined && most.bytes > almostFull * limitOfOne)
  return [isFull ? warning(check, `${size}${who}`, nextSteps.OverQuota, facts) : ok(check, size, facts)]
}

/** The conditions that the node itself shows first. */
const ofAlarm = (alarm: Alarm): Finding => {
  const finding = fromReport("alarm", alarm)
  return alarm.level === "alarm" ? finding : { ...finding, status: "warning" }
}

/** The database, the identity that it holds, and whether it is damaged. `running` is what its node says of it. */
export const database = Effect.fnUntraced(function* (home: string, isInUse: boolean, running: NodeStatus | undefined) {
  const check = "database"
  const looked = yield* Effect.result(SqliteCheck.inspect(home, isInUse))
  if (running?.damage !== undefined) {
    return { findings: [fromReport(check, running.damage)], nodeId: undefined, isDamaged: true }
  }
  if (looked._tag === "Failure") {
    const isDamaged = looked.failure.reason === "corrupt"
    return { findings: [fromFailure(check, looked.failure)], nodeId: undefined, isDamaged }
  }
  if (Option.isNone(looked.success)) {
    const finding = skipped(check, "none yet: it is created at the first start")
    return { findings: [finding], nodeId: undefined, isDamaged: false }
  }
  const { bytes, version, current, nodeId, quarantine, damage, isChecked } = looked.success.value
  const facts = { bytes, version, node_id: nodeId ?? null }
  const finding =
    damage.length > 0
      ? fromFailure(check, new StoreUnavailable({ reason: "corrupt", detail: damage.join("; ") }), facts)
      : version > current
        ? failed(check, `its format (${version}) is from a newer feral-sync`, "upgrade this feral-sync", facts)
        : version < current
          ? warning(
              check,
              `its format (${version}) is from an older feral-sync`,
              "start this version: it upgrades the database",
              facts
            )
          : isChecked
            ? ok(check, `intact, ${Home.sized(bytes)}`, facts)
            : warning(check, `${Home.sized(bytes)}, too large to check now`, commandLine("verify"), facts)
  return { findings: [finding, ...ofQuarantine(quarantine)], nodeId, isDamaged: damage.length > 0 }
})

/** Operations of peers that are kept apart. */
const ofQuarantine = ({ count, latest }: SqliteCheck.Report["quarantine"]) => {
  if (count === 0) return []
  const many = count === 1 ? "1 operation of a peer" : `${count} operations of peers`
  return [
    warning("quarantine", `${many} could not be read; the latest: ${latest.slice(0, 200)}`, nextSteps.Quarantined, {
      quarantine: count
    })
  ]
}
