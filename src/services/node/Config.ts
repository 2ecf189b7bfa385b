/**
 * The configuration of a node: every variable of `docs/configuration.md`, validated together.
 *
 * Settings that exist are valid: whatever is wrong fails once, as `ConfigInvalid`, with all problems in it. Secrets are
 * redacted. Nothing else reads the environment.
 */
import { ConfigProvider, Context, Effect, Layer, Redacted, Result } from "effect"
import type { Advised } from "../../core/text/Explained.ts"
import { flagOf, type Settings, table, type Variable } from "./Settings.ts"
import * as Variables from "./Variables.ts"
import { ConfigInvalid } from "./NodeFailure.ts"
import type { Quota } from "../store/Opaque.ts"

export type { Settings, TlsFiles } from "./Settings.ts"

/** Values that override the environment, as texts, under the name of the variable that they stand for. */
export interface Overrides {
  readonly values?: Partial<Record<Variable, string>>
  readonly passphrase?: Redacted.Redacted<string>
  readonly passphrasePrevious?: Redacted.Redacted<string>
}

/** The settings of this node. */
export class Config extends Context.Service<Config, Settings>()("feral-sync/services/node/Config") {
  /** The environment (the current `ConfigProvider`), and what overrides it. */
  static readonly layer = (overrides: Overrides = {}): Layer.Layer<Config, ConfigInvalid> =>
    Layer.effect(
      Config,
      Effect.suspend(() => load(overrides))
    )

  /** Complete settings: those given, and the defaults for the rest. Nothing is read from the environment. */
  static readonly make = (settings: Partial<Settings> = {}): Settings => {
    const home = settings.home ?? Result.getOrThrowWith(Variables.defaultHome(), homeless)
    return { ...Variables.defaults(), ...settings, home }
  }
}

/** What rows of unknown kinds may take. */
export const quotaOf = ({ maxOpaqueBytes, maxOpaqueOriginBytes }: Settings): Quota => ({
  origin: maxOpaqueOriginBytes,
  total: maxOpaqueBytes
})

/** Reads and validates everything. Fails once, with every problem. */
export const load = Effect.fn("Config.load")(function* (overrides: Overrides = {}) {
  const given: Variables.Input = {}
  const empty: Array<Variables.Problem> = []
  const read = reader(yield* environment)
  const secrets = {
    FERAL_SYNC_PASSPHRASE: overrides.passphrase,
    FERAL_SYNC_PASSPHRASE_PREVIOUS: overrides.passphrasePrevious
  }
  for (const setting of Object.values(table)) {
    const { variable } = setting
    const flag = setting.isSecret ? undefined : overrides.values?.[setting.variable]
    const secret = setting.isSecret ? secrets[setting.variable] : undefined
    const text = flag ?? (secret && Redacted.value(secret)) ?? (yield* read(variable))
    if (text === undefined) continue
    const name = setting.isSecret || flag === undefined ? variable : `--${flagOf(setting.variable)}`
    // A variable that is set to nothing is unset; a flag without a value was surely not meant.
    if (flag?.trim() === "") empty.push({ variable: name, ...noValue })
    given[variable] = { name, text }
  }
  const parsed = Variables.parse(given)
  const problems = [...empty, ...Result.getOrElse(Result.flip(parsed), () => [])]
  if (Result.isFailure(parsed) || problems.length > 0) return yield* new ConfigInvalid({ problems })
  return parsed.success
})

/** The data directory alone, for what needs nothing else. */
export const loadHome = Effect.fn("Config.loadHome")(function* (override?: string) {
  const text = override ?? (yield* readOne("FERAL_HOME"))
  if (override?.trim() === "") return yield* new ConfigInvalid({ problems: [{ variable: "--home", ...noValue }] })
  if (text === undefined || text.trim() === "") {
    return yield* Effect.fromResult(Result.mapError(Variables.defaultHome(), homeless))
  }
  const parsed = table.home.form.parse(text.trim())
  if (Result.isSuccess(parsed)) return parsed.success
  return yield* invalid(override === undefined ? "FERAL_HOME" : "--home", parsed.failure)
})

/** Whether the environment holds the passphrase. */
export const hasPassphrase = Effect.suspend(() =>
  Effect.map(readOne(table.passphrase.variable), (text) => text !== undefined)
)

/** Names of the environment that look like ours and are unknown: probably misspelt. */
export const unknownVariables = (names: Iterable<string>): ReadonlyArray<string> =>
  [...names].filter((name) => name.startsWith("FERAL_SYNC_") && !Variables.known.includes(name)).sort()

const homeless = (problem: string) => new ConfigInvalid({ problems: [{ variable: "FERAL_HOME", problem }] })

const noValue: Advised = { problem: "has no value", nextStep: "give one, or leave the flag out" }

const invalid = (variable: string, problem: string) =>
  Effect.fail(new ConfigInvalid({ problems: [{ variable, problem }] }))

/** The default provider takes a variable that is set to nothing for unset; we tell them apart. */
const environment = Effect.map(
  Effect.context<never>(),
  (context) =>
    Context.getOrUndefined(context, ConfigProvider.ConfigProvider) ??
    ConfigProvider.fromEnv({ preserveEmptyStrings: true })
)

const reader = (provider: ConfigProvider.ConfigProvider) => (variable: string) =>
  provider.load([variable]).pipe(
    Effect.mapError(
      ({ message }) => new ConfigInvalid({ problems: [{ variable, problem: `cannot be read: ${message}` }] })
    ),
    Effect.map((node) => node?.value)
  )

const readOne = (variable: string) => Effect.flatMap(environment, (provider) => reader(provider)(variable))
