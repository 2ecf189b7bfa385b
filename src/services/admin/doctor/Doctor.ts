/**
 * Examines a node on its machine, whether it runs or not. It makes one check after the other, and says what is wrong
 * and what to do.
 *
 * - **It changes nothing.** No directory, identity, passphrase or certificate is made by looking, and no row is
 *   written.
 * - **It disturbs no node.** A running node is asked. Peers that it has not tried are dialled by a probe, which they do
 *   not count as a peer.
 * - **It ends.** Each check has a time limit, and a check that fails to look is itself a finding.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Cause, Context, Effect, type FileSystem, Layer, Option, Redacted, References } from "effect"
import { randomBytes } from "node:crypto"
import { deriveKey } from "../../../core/sync/Handshake.ts"
import { NodeId } from "../../../core/replica/NodeId.ts"
import * as Config from "../../node/Config.ts"
import type { Network } from "../../discovery/MdnsRuntime.ts"
import * as MdnsDiscovery from "../../discovery/MdnsDiscovery.ts"
import * as Certificates from "./Certificates.ts"
import * as Configuration from "./Configuration.ts"
import * as DataDirectory from "./DataDirectory.ts"
import * as ExistingNodes from "./ExistingNodes.ts"
import { failed, type Finding, skipped } from "./Finding.ts"
import * as Multicast from "./Multicast.ts"
import * as CheckPeers from "./CheckPeers.ts"
import * as Ports from "./Ports.ts"
import * as CheckReplica from "./CheckReplica.ts"
import type { ConfigInvalid } from "../../node/NodeFailure.ts"

export { Finding } from "./Finding.ts"

/** How long one check may take. Reading a large database takes longest. */
const limit = "10 seconds"

export interface Options {
  /** What overrides the environment, as for `Config`. */
  readonly overrides: Config.Overrides
  /** The names of all variables of the environment. */
  readonly environment: ReadonlyArray<string>
  /** The network to use for mDNS; the one of this machine by default. */
  readonly network?: Network
}

export class Doctor extends Context.Service<
  Doctor,
  {
    /**
     * Looks at everything. Each finding is told as soon as it is made. Fails when it is not even clear which node is
     * meant.
     */
    examine(report: (finding: Finding) => Effect.Effect<void>): Effect.Effect<ReadonlyArray<Finding>, ConfigInvalid>
  }
>()("feral-sync/services/admin/doctor/Doctor") {
  static readonly layer = (options: Options): Layer.Layer<Doctor> =>
    Layer.effect(
      Doctor,
      Effect.map(Effect.context<FileSystem.FileSystem>(), (context) =>
        Doctor.of({
          // Whatever would be logged on the way is found.
          examine: (report) =>
            examine(options, report).pipe(
              Effect.provideService(References.MinimumLogLevel, "None"),
              Effect.provide(context)
            )
        })
      )
    ).pipe(Layer.provide(NodeFileSystem.layer))
}

const examine = Effect.fn("Doctor.examine")(function* (
  { overrides, environment, network }: Options,
  report: (finding: Finding) => Effect.Effect<void>
) {
  const home = yield* Config.loadHome(overrides.values?.FERAL_HOME)
  const all: Array<Finding> = []
  const note = Effect.fnUntraced(function* (findings: ReadonlyArray<Finding>) {
    for (const finding of findings) {
      all.push(finding)
      yield* report(finding)
    }
  })

  /** Makes a check, and notes what it finds. Without an answer in time, `otherwise` stands for it. */
  const look = <A extends { readonly findings: ReadonlyArray<Finding> }, R>(
    check: string,
    effect: Effect.Effect<A, never, R>,
    otherwise: Omit<NoInfer<A>, "findings">,
    into: (findings: ReadonlyArray<Finding>) => Effect.Effect<void> = note
  ): Effect.Effect<Omit<A, "findings">, never, R> =>
    effect.pipe(
      Effect.tap(({ findings }) => into(findings)),
      Effect.timeoutOrElse({
        duration: limit,
        orElse: () =>
          Effect.as(
            into([failed(check, "no answer in time", "run doctor again; if this continues, see the log")]),
            otherwise
          )
      }),
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.failCause(cause)
          : Effect.as(
              into([failed(check, `internal error, please report it: ${Cause.pretty(cause)}`, null)]),
              otherwise
            )
      )
    )
  const findings = <R>(effect: Effect.Effect<ReadonlyArray<Finding>, never, R>) =>
    Effect.map(effect, (findings) => ({ findings }))

  // A damaged database comes before everything else.
  const held: Array<Finding> = []
  const hold = (findings: ReadonlyArray<Finding>) => Effect.sync(() => void held.push(...findings))
  const { status, isInUse } = yield* look(
    "node",
    CheckReplica.node(home),
    { status: Option.none(), isInUse: true },
    hold
  )
  const database = CheckReplica.database(home, isInUse, Option.getOrUndefined(status))
  const { nodeId, isDamaged } = yield* look("database", database, { nodeId: undefined, isDamaged: false }, hold)
  if (isDamaged) yield* note(held.splice(held.findIndex(({ check }) => check === "database")))
  const { settings } = yield* look("configuration", Configuration.settings(overrides, environment), {
    settings: Option.none()
  })
  yield* look("data directory", findings(DataDirectory.examine(home)), {})
  yield* note(held)
  if (Option.isNone(settings)) {
    const message = "not checked: correct the configuration first"
    const left = ["passphrase", "certificates", "sync port", "multicast", "discovery", "peer", "clock"]
    yield* note(left.map((check) => skipped(check, message)))
    return all
  }
  const { value } = settings
  const { passphrase } = yield* look("passphrase", Configuration.passphrase(value), { passphrase: Option.none() })
  yield* look("certificates", findings(Certificates.examine(value)), {})
  yield* look("existing FERAL nodes", findings(ExistingNodes.examine(value)), {})
  yield* look("sync port", findings(Ports.examine(value, status)), {})
  const { seen } = yield* look(
    "multicast",
    Multicast.examine(value, network ?? MdnsDiscovery.networkOf({ interfaces: value.mdnsInterfaces }), nodeId),
    { seen: [] }
  )
  const self = Option.map(passphrase, (passphrase) => selfOf(nodeId, passphrase))
  const before = all.length
  yield* look(
    "peer",
    CheckPeers.examine({ settings: value, running: status, seen, self }, note).pipe(
      Effect.provide(CheckPeers.layerTransport(value)),
      Effect.catchTag("TlsMaterialInvalid", () =>
        note([skipped("peer", "not checked: correct the certificates first")])
      ),
      Effect.as({ findings: [] })
    ),
    {}
  )
  yield* look("clock", findings(CheckPeers.clock(all.slice(before), value.maxClockDriftMs)), {})
  return all
})

/** Before the first start the replica has no id: any id will do. */
const selfOf = (nodeId: NodeId | undefined, passphrase: Redacted.Redacted<string>) => ({
  nodeId: nodeId ?? NodeId.make(randomBytes(8).toString("hex")),
  passphrase,
  key: Redacted.make(deriveKey(Redacted.value(passphrase)), { label: "passphrase key" })
})
