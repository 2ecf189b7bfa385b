/**
 * The variables of the configuration: the settings that given texts mean, or all that is wrong with them.
 *
 * Every problem is found in one pass. A problem names the variable, or the flag, that the value came from, and says
 * what would be right. A variable that is set to nothing counts as unset; the passphrase alone does not, for there the
 * difference matters.
 */
import { Option, Result, Struct } from "effect"
import { join } from "node:path"
import { type AnyVariable, type Setting, type Settings, table, type Values, type Variable } from "./Settings.ts"
import { userHome } from "./UserHome.ts"

export interface Problem {
  readonly variable: string
  readonly problem: string
}

/** Every variable that has a flag. */
export const variables: ReadonlyArray<Variable> = Object.values(table).flatMap((setting) =>
  setting.isSecret ? [] : [setting.variable]
)

/** The variable that names the pager of commands. A node does not read it. */
export const pagerVariable = "FERAL_SYNC_PAGER"

/** Every variable that feral-sync reads. */
export const known: ReadonlyArray<string> = [...Object.values(table).map(({ variable }) => variable), pagerVariable]

/** A value as it was given, and the name under which the user knows it. */
export interface Given {
  readonly name: string
  readonly text: string
}

/** The given values. */
export type Input = Partial<Record<AnyVariable, Given>>

/** The data directory when nothing says otherwise. */
export const defaultHome = (): Result.Result<string, string> => {
  const home = userHome()
  return home === undefined
    ? Result.fail("is not set, and this user has no home directory: set FERAL_HOME to the data directory")
    : Result.succeed(join(home, ".feral"))
}

/** The value of an entry of the table. */
interface ValueOf extends Struct.Lambda {
  <A>(setting: Setting<AnyVariable, A>): A
  readonly "~lambda.out": this["~lambda.in"] extends { readonly default: infer A } ? A : never
}

/** What each setting is when it is not given. A user without a home directory has no default for `home`. */
export const defaults = (): Omit<Settings, "home"> =>
  settingsOf(
    Struct.map(
      table,
      Struct.lambda<ValueOf>((setting) => setting.default)
    )
  )

/** The files of certificates are one setting. */
const settingsOf = ({ tlsCert: cert, tlsKey: key, tlsCa: ca, tlsCrl: crl, ...values }: Values): Settings => {
  const isComplete = cert !== undefined && key !== undefined && ca !== undefined
  return { ...values, tls: isComplete ? Option.some({ cert, key, ca, ...(crl && { crl }) }) : Option.none() }
}

/** The settings, or everything that is wrong. */
export const parse = (input: Input): Result.Result<Settings, ReadonlyArray<Problem>> => {
  const problems: Array<Problem> = []
  const reject = (variable: AnyVariable, problem: string) =>
    problems.push({ variable: input[variable]?.name ?? variable, problem })
  const isGiven = (variable: AnyVariable): boolean => (input[variable]?.text.trim() ?? "") !== ""

  const values = Struct.map(
    table,
    Struct.lambda<ValueOf>(({ variable, form, default: fallback, isSecret }) => {
      const text = input[variable]?.text ?? ""
      if (isSecret ? text === "" : text.trim() === "") return fallback
      const parsed = form.parse(isSecret ? text : text.trim())
      if (Result.isFailure(parsed)) reject(variable, parsed.failure)
      return Result.getOrElse(parsed, () => fallback)
    })
  )

  const home = isGiven("FERAL_HOME") ? Result.succeed(values.home) : defaultHome()
  if (Result.isFailure(home)) reject("FERAL_HOME", home.failure)

  // A node accepts frames as large as those it sends, so that nodes with equal settings work together.
  const { maxFrameBytes } = values
  const isRecvGiven = isGiven("FERAL_SYNC_MAX_RECV_BYTES")
  const maxRecvBytes = isRecvGiven ? values.maxRecvBytes : Math.max(values.maxRecvBytes, maxFrameBytes)
  if (maxRecvBytes < maxFrameBytes) {
    const problem = `${maxRecvBytes} is below FERAL_SYNC_MAX_FRAME_BYTES (${maxFrameBytes}): give at least as much`
    reject("FERAL_SYNC_MAX_RECV_BYTES", problem)
  }

  const tlsFile = tlsVariables.find(isGiven)
  for (const variable of tlsFile === undefined ? [] : tlsVariables) {
    if (isGiven(variable)) continue
    const problem = `is not set, but ${input[tlsFile ?? variable]?.name} is: set all of FERAL_SYNC_TLS_CERT, _KEY and _CA, or none of them`
    problems.push({ variable, problem })
  }
  if (values.requireClientCert && tlsFile === undefined) {
    reject(
      "FERAL_SYNC_REQUIRE_CLIENT_CERT",
      "client certificates can be required only with a CA: set FERAL_SYNC_TLS_CERT, _KEY and _CA as well"
    )
  }
  // Otherwise a revoked device could connect without a certificate.
  if (isGiven("FERAL_SYNC_TLS_CRL") && !(tlsFile !== undefined && values.requireClientCert)) {
    reject(
      "FERAL_SYNC_TLS_CRL",
      tlsFile === undefined
        ? "certificates can be revoked only with a CA: set FERAL_SYNC_TLS_CERT, _KEY and _CA as well"
        : "revocation has an effect only if client certificates are required: set FERAL_SYNC_REQUIRE_CLIENT_CERT=true as well"
    )
  }

  if (input.FERAL_SYNC_PASSPHRASE?.text === "") {
    const problem = "an empty passphrase is never accepted: set one, or unset the variable to create one"
    reject("FERAL_SYNC_PASSPHRASE", problem)
  }
  if (Option.isSome(values.passphrasePrevious) && input.FERAL_SYNC_PASSPHRASE === undefined) {
    const problem = `needs the new one in FERAL_SYNC_PASSPHRASE; in a passphrase file, the old one is the second line`
    reject("FERAL_SYNC_PASSPHRASE_PREVIOUS", problem)
  }
  return problems.length === 0
    ? Result.succeed({ ...settingsOf(values), home: Result.getOrElse(home, () => ""), maxRecvBytes })
    : Result.fail(problems)
}

const tlsVariables = ["FERAL_SYNC_TLS_CERT", "FERAL_SYNC_TLS_KEY", "FERAL_SYNC_TLS_CA"] as const
