/**
 * `start`: runs a node until it is told to stop.
 */
import { Effect, Layer, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { buffer as bytesOf } from "node:stream/consumers"
import * as Config from "../services/node/Config.ts"
import { none } from "../services/node/SettingForms.ts"
import { flagOf, table, type Variable } from "../services/node/Settings.ts"
import { variables } from "../services/node/Variables.ts"
import * as Logging from "../services/node/Logging.ts"
import * as Fields from "./Fields.ts"
import * as Globals from "./Globals.ts"

type Flagged = Extract<(typeof table)[keyof typeof table], { readonly isSecret: false }>

/** The flag of a setting. The configuration validates its value, and names the flag in its problems. */
const flag = ({ variable, form, help, shown }: Flagged) => {
  const description = shown === none ? help : `${help}; default: ${shown}`
  const flag = Flag.String(flagOf(variable)).pipe(
    Flag.withMetavar(form.metavar),
    Flag.withDescription(`${description} (${variable})`)
  )
  return Fields.maybe(form.alone === undefined ? flag : Flag.withOptionalValue(flag, form.alone))
}

/** The settings of a node: a flag for each entry of the table. `--home` is a flag of every command. */
export const flags = {
  ...Object.fromEntries(
    Object.values(table).flatMap((setting) =>
      setting.isSecret || setting === table.home ? [] : [[setting.variable, flag(setting)]]
    )
  ),
  passphraseFile: Fields.maybe(
    Flag.String("passphrase-file").pipe(
      Flag.withMetavar("FILE"),
      Flag.withDescription("Read the passphrase from a file, or from stdin with -; overrides FERAL_SYNC_PASSPHRASE")
    )
  )
}

/** The values of the flags, `--home` included. */
export const overrides = Effect.fnUntraced(function* ({
  passphraseFile,
  ...given
}: Readonly<Record<string, string | undefined>>) {
  const home = yield* Globals.Home
  const held = passphraseFile === undefined ? undefined : yield* readPassphrase(passphraseFile)
  const overrides: Config.Overrides = {
    values: defined({ ...given, FERAL_HOME: home }),
    ...(held === undefined ? {} : { passphrase: held.passphrase }),
    ...(held === undefined || Option.isNone(held.previous) ? {} : { passphrasePrevious: held.previous.value })
  }
  return overrides
})

export const command = Command.make(
  "start",
  flags,
  Effect.fnUntraced(function* (given) {
    const settings = yield* Config.load(yield* overrides(given))
    const { run } = yield* Effect.promise(() => import("./Running.ts"))
    const collector = yield* telemetry
    return yield* run(settings, yield* Globals.Json).pipe(
      Effect.provide(Layer.provideMerge(collector, Logging.layer(settings)))
    )
  }, stopped)
).pipe(
  Command.withDescription(
    "Run a node until SIGINT, SIGTERM, SIGHUP or SIGQUIT. A flag overrides the environment variable of the same name."
  ),
  Command.withShortDescription("Run a node"),
  Command.withExamples([
    { command: "feral-sync start" },
    { command: "feral-sync start --port 9190 --peers 192.168.1.5:9090,[fd00::5]:9090" },
    { command: "feral-sync start --passphrase-file - < passphrase" },
    { command: "feral-sync start --tls-cert peer-cert.pem --tls-key peer-key.pem --tls-ca ca-cert.pem" }
  ])
)

/** Traces, metrics and log for a collector, where the environment names one. */
const telemetry = Effect.suspend(() =>
  Object.entries(process.env).some(([name, value]) => value && /^OTEL_EXPORTER_OTLP_(\w+_)?ENDPOINT$/.test(name))
    ? Effect.promise(() => import("../services/node/Otlp.ts")).pipe(Effect.map(({ layer }) => layer(process.env)))
    : Effect.succeed(Layer.empty)
)

/** A node that is stopped exits with 0; for other commands, a signal is a failure. */
function stopped<A, E, R>(node: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
  return Effect.onInterrupt(node, () =>
    Effect.sync(() => {
      process.exitCode = 0
    })
  )
}

/** The contents of a file, or of stdin with `-`. */
export const readPassphrase = Effect.fnUntraced(function* (file: string) {
  const { fromFile, fromBytes } = yield* Effect.promise(() => import("../services/node/Passphrase.ts"))
  return file === "-"
    ? yield* fromBytes("stdin", yield* Effect.promise(() => bytesOf(process.stdin)))
    : yield* fromFile(file)
})

const defined = (given: Readonly<Record<string, string | undefined>>): Partial<Record<Variable, string>> => {
  const kept: Partial<Record<Variable, string>> = {}
  for (const variable of variables) {
    const value = given[variable]
    if (value !== undefined) kept[variable] = value
  }
  return kept
}
