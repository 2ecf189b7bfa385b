/**
 * A node that runs, with all that it needs: loaded by `start` alone, for it is much.
 */
import { Context, Effect, Layer, Option, Schedule } from "effect"
import { formatAddress } from "../core/peers/Address.ts"
import * as Invocation from "../services/node/Invocation.ts"
import * as FeralSync from "../FeralSync.ts"
import { Api } from "../services/admin/api/Api.ts"
import { type Settings, unknownVariables } from "../services/node/Config.ts"
import { Passphrase } from "../services/node/Passphrase.ts"
import { Peers } from "../services/peers/Peers.ts"
import { StandardStreams } from "../services/node/StandardStreams.ts"
import { Store } from "../services/store/Store.ts"
import * as ServiceManager from "../services/node/ServiceManager.ts"
import * as ReplicaState from "../services/admin/api/ReplicaState.ts"
import * as Throttle from "../services/transport/Throttle.ts"
import * as V1Settings from "../services/node/V1Settings.ts"
import { version } from "../services/node/Version.ts"
import { quoted } from "./Output.ts"
import * as FirstSync from "./FirstSync.ts"
import * as Starting from "./Starting.ts"

/** Existing FERAL nodes are let in without TLS. */
const acceptsPlain =
  "accepting connections without TLS, because FERAL_SYNC_LEGACY=on: they send the passphrase, and get the memory, in cleartext"

/** Runs the node, says so when it is ready, and goes on until it is interrupted. */
export const run = Effect.fn("Running.run")(function* (settings: Settings, isJson: boolean) {
  for (const name of unknownVariables(Object.keys(process.env))) {
    yield* Effect.logWarning("unknown variable: check the spelling").pipe(Effect.annotateLogs({ name }))
  }
  for (const address of settings.peers.filter(({ plain }) => plain === true)) {
    yield* V1Settings.policyOf(settings).isDialledPlain(address)
      ? Effect.logWarning("connecting without TLS: the passphrase and the memory are sent in cleartext").pipe(
          Effect.annotateLogs({ address: formatAddress(address) })
        )
      : Effect.logWarning(
          Option.isSome(settings.tls)
            ? "not connecting without TLS, because a CA is set: remove plain://, or the CA"
            : "not connecting without TLS: set FERAL_SYNC_LEGACY=on to allow it, or remove plain://"
        ).pipe(Effect.annotateLogs({ address: formatAddress(address) }))
  }
  if (V1Settings.policyOf(settings).refusal("server", "none", { host: "", port: 0 }) === undefined) {
    yield* Effect.logWarning(acceptsPlain)
  }
  Invocation.serves(settings.home)
  const node = yield* Layer.build(FeralSync.layer(settings)).pipe(
    Effect.catch((error) => Effect.flatMap(Starting.explained(error, settings), Effect.fail))
  )
  const { nodeId } = Context.get(node, Store)
  const { port } = Context.get(node, Peers)
  const api = Context.get(node, Api)
  const passphrase = Context.get(node, Passphrase)
  yield* Effect.logInfo("node started").pipe(Effect.annotateLogs({ node: nodeId, port, home: settings.home }))
  if (passphrase.isNew) {
    yield* Effect.logInfo("created a passphrase: the other nodes need the same").pipe(
      Effect.annotateLogs({ file: Option.getOrElse(passphrase.file, () => "") })
    )
  }
  const ready = isJson
    ? JSON.stringify({ node_id: nodeId, port, api_port: api.port, home: settings.home })
    : welcome(settings, { nodeId, port, apiPort: api.port, passphrase }).join("\n")
  // A node is not about its output: it goes on without, also when the reader has left.
  const { output } = yield* StandardStreams
  yield* Effect.catch(output(`${ready}\n`), ({ detail }) =>
    Effect.logWarning("writing to standard output failed: the node continues without it").pipe(
      Effect.annotateLogs({ cause: detail })
    )
  )
  yield* ServiceManager.attend(Context.get(node, Store).counts)
  yield* Effect.forkScoped(Effect.provideContext(FirstSync.report, node))
  return yield* tellAlarms(settings).pipe(
    Effect.provideContext(node),
    Effect.repeat(Schedule.spaced(alarmsEvery)),
    Effect.andThen(Effect.never)
  )
}, Effect.scoped)

/** How often it is looked for alarms, and how often the same one is logged (ms). */
const alarmsEvery = "10 seconds"
const alarms = Throttle.make(3_600_000)

/** Logs what `status` shows first. */
const tellAlarms = Effect.fnUntraced(function* (settings: Settings) {
  const peers = yield* (yield* Peers).status
  for (const { _tag, message } of yield* ReplicaState.alarms(yield* Store, settings, peers)) {
    // It was logged when it was found.
    if (_tag === "DuplicateNodeId") continue
    yield* alarms.pass(_tag, Effect.logWarning(message).pipe(Effect.annotateLogs({ alarm: _tag })))
  }
})

interface Ready {
  readonly nodeId: string
  readonly port: number
  readonly apiPort: number | null
  readonly passphrase: Passphrase["Service"]
}

const welcome = ({ home, host }: Settings, { nodeId, port, apiPort, passphrase }: Ready): ReadonlyArray<string> => {
  const file = Option.getOrUndefined(passphrase.file)
  const lines = [
    `feral-sync ${version} is running (Ctrl-C stops it)`,
    `  node        ${nodeId}`,
    `  home        ${home}`,
    `  port        ${port}, ${host === undefined ? "on all interfaces" : `on ${host}`}`,
    `  status      ${apiPort === null ? "no local port" : `http://127.0.0.1:${apiPort}/status`}`,
    ...(apiPort === null ? [] : [`  dashboard   ${Invocation.commandLine("open")}`]),
    `  passphrase  ${file === undefined ? "as configured" : `in ${file}`}${passphrase.isNew ? " (just created)" : ""}`
  ]
  if (!passphrase.isNew || file === undefined) return lines
  return [
    ...lines,
    "",
    "The next node needs the same passphrase:",
    `  show it here      cat ${quoted(file)}`,
    `  on that node      ${Invocation.elsewhere("start --passphrase-file -")}     (paste it, Enter, Ctrl-D)`,
    "",
    "What to do next, in another terminal:",
    `  write something   ${Invocation.commandLine('note add "water the plants"')}`,
    `  check the status  ${Invocation.commandLine("status")}`,
    `  keep it running   ${Invocation.commandLine("service install")}`
  ]
}
