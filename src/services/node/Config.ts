/**
 * The configuration of a node: every variable of the README's table, validated together.
 *
 * Settings that exist are valid: whatever is wrong fails once, as `ConfigInvalid`, with all problems in it. Secrets are
 * redacted. Nothing else reads the environment.
 */
import { ConfigProvider, Context, type Duration, Effect, Layer, Option, Redacted, Result } from "effect"
import * as Variables from "./Variables.ts"
import type { Address } from "../../core/peers/Address.ts"
import { ConfigInvalid } from "./NodeFailure.ts"
import type { Quota } from "../store/Opaque.ts"

/** PEM files of mode `ca`. */
export interface TlsFiles {
  readonly cert: string
  readonly key: string
  readonly ca: string
  /** Lists of revoked certificates. */
  readonly crl?: string | undefined
}

/** What a node needs to know. Durations and sizes are validated; paths are absolute. */
export interface Settings {
  readonly home: string
  readonly host: string | undefined
  readonly port: number
  readonly passphrase: Option.Option<Redacted.Redacted<string>>
  /** The one before, while the passphrase is being changed. */
  readonly passphrasePrevious: Option.Option<Redacted.Redacted<string>>
  readonly peers: ReadonlyArray<Address>
  readonly tls: Option.Option<TlsFiles>
  readonly requireClientCert: boolean
  readonly mdns: boolean
  /** Addresses of the interfaces to use; empty for all. */
  readonly mdnsInterfaces: ReadonlyArray<string>
  readonly mdnsTimeout: Duration.Duration
  readonly interval: Duration.Duration
  readonly legacy: "off" | "tls" | "on"
  readonly legacyScope: Option.Option<string>
  readonly maxClockDriftMs: number
  readonly maxFrameBytes: number
  readonly maxRecvBytes: number
  /** Bytes of the largest frame that an existing FERAL node may send which has proved itself: all that it has is in one. */
  readonly legacyMaxRecvBytes: number
  /** Bytes that rows of kinds which this version does not know may take: all of them, and those of one origin. */
  readonly maxOpaqueBytes: number
  readonly maxOpaqueOriginBytes: number
  /** Bytes that are taken from one network address in a second over a long time, 0 for any number, and at once. */
  readonly maxPeerRateBytes: number
  readonly maxPeerBurstBytes: number
  readonly apiPort: number
  readonly log: "pretty" | "json"
  readonly logLevel: "debug" | "info" | "warn" | "error"
}

/** Values that win over the environment, as texts, under the name of the variable that they stand for. */
export interface Overrides {
  readonly values?: Partial<Record<Variables.Variable, string>>
  readonly passphrase?: Redacted.Redacted<string>
  readonly passphrasePrevious?: Redacted.Redacted<string>
}

export class Config extends Context.Service<Config, Settings>()("feral-sync/services/node/Config") {
  /** The environment (the current `ConfigProvider`), and what wins over it. */
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
  const values: Partial<Record<Variables.Variable, Variables.Given>> = {}
  const empty: Array<Variables.Problem> = []
  for (const variable of Variables.variables) {
    const override = overrides.values?.[variable]
    const text = override ?? (yield* read(variable))
    if (text === undefined) continue
    const name = override === undefined ? variable : `--${Variables.flagOf(variable)}`
    // A variable that is set to nothing is unset; a flag without a value was surely not meant.
    if (override?.trim() === "") empty.push({ variable: name, problem: noValue })
    values[variable] = { name, text }
  }
  const given = overrides.passphrase ?? (yield* readSecret(Variables.passphraseVariable))
  const previous = overrides.passphrasePrevious ?? (yield* readSecret(Variables.previousVariable))
  const parsed = Variables.parse({
    values,
    passphrase: Option.fromUndefinedOr(given),
    passphrasePrevious: Option.fromUndefinedOr(previous)
  })
  const problems = [...empty, ...Result.getOrElse(Result.flip(parsed), () => [])]
  if (Result.isFailure(parsed) || problems.length > 0) return yield* new ConfigInvalid({ problems })
  return parsed.success
})

/** The data directory alone, for what needs nothing else. */
export const loadHome = Effect.fn("Config.loadHome")(function* (override?: string) {
  const text = override ?? (yield* read("FERAL_HOME"))
  if (override?.trim() === "") return yield* invalid("--home", noValue)
  if (text === undefined || text.trim() === "") {
    return yield* Effect.fromResult(Result.mapError(Variables.defaultHome(), homeless))
  }
  const parsed = Variables.path(text.trim())
  if (Result.isSuccess(parsed)) return parsed.success
  return yield* invalid(override === undefined ? "FERAL_HOME" : "--home", parsed.failure)
})

/** Whether the environment holds the passphrase. */
export const hasPassphrase = Effect.suspend(() =>
  Effect.map(read(Variables.passphraseVariable), (text) => text !== undefined)
)

/** Names of the environment that look like ours and mean nothing: most likely misspelt. */
export const strangers = (names: Iterable<string>): ReadonlyArray<string> => {
  const known = new Set<string>([...Variables.variables, Variables.passphraseVariable, Variables.previousVariable])
  return [...names].filter((name) => name.startsWith("FERAL_SYNC_") && !known.has(name)).sort()
}

const homeless = (problem: string) => new ConfigInvalid({ problems: [{ variable: "FERAL_HOME", problem }] })

const noValue = "has no value: give one, or leave the flag out"

const invalid = (variable: string, problem: string) =>
  Effect.fail(new ConfigInvalid({ problems: [{ variable, problem }] }))

/** The default provider takes a variable that is set to nothing for unset; we tell them apart. */
const read = Effect.fnUntraced(function* (variable: string) {
  const context = yield* Effect.context<never>()
  const provider =
    Context.getOrUndefined(context, ConfigProvider.ConfigProvider) ??
    ConfigProvider.fromEnv({ preserveEmptyStrings: true })
  const node = yield* provider
    .load([variable])
    .pipe(
      Effect.mapError(
        ({ message }) => new ConfigInvalid({ problems: [{ variable, problem: `cannot be read: ${message}` }] })
      )
    )
  return node?.value
})

const readSecret = Effect.fnUntraced(function* (variable: string) {
  const text = yield* read(variable)
  return text === undefined ? undefined : Redacted.make(text)
})
