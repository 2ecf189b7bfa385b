/**
 * Looks at the configuration and at the passphrase: what is set, from where, and all that is wrong with it. Shows no
 * secret.
 */
import { Effect, FileSystem, Option, Redacted } from "effect"
import * as Config from "../../node/Config.ts"
import * as Home from "../../node/Home.ts"
import * as Passphrase from "../../node/Passphrase.ts"
import { failed, type Finding, ok, skipped, warning } from "./Finding.ts"

/** The settings, if they are valid. `environment` holds the names of all variables. */
export const settings = Effect.fnUntraced(function* (overrides: Config.Overrides, environment: ReadonlyArray<string>) {
  const loaded = yield* Effect.result(Config.load(overrides))
  const unknown = Config.unknownVariables(environment).map((name) =>
    warning("configuration", `unknown variable ${name}`, "check the spelling, or unset it", {
      variable: name
    })
  )
  if (loaded._tag === "Failure") {
    const problems = loaded.failure.problems.map(
      ({ variable, problem, nextStep = `correct ${variable}, or leave it out` }) =>
        failed("configuration", `${variable}: ${problem}`, nextStep, { variable })
    )
    return { findings: [...problems, ...unknown], settings: Option.none<Config.Settings>() }
  }
  const { success: settings } = loaded
  return { findings: [ok("configuration", "valid", shown(settings)), ...unknown], settings: Option.some(settings) }
})

const shown = ({ host, port, mdns, tls, legacy, peers }: Config.Settings): Finding["facts"] => ({
  host: host ?? null,
  port,
  mdns,
  tls: Option.isSome(tls) ? "ca" : "auto",
  legacy,
  static_peers: peers.length
})

/** The passphrase that a node with these settings has. None is made. */
export const passphrase = Effect.fnUntraced(function* (settings: Config.Settings) {
  const none = Option.none<Redacted.Redacted<string>>()
  if (Option.isSome(settings.passphrase)) {
    const facts = { source: "configuration" }
    const finding = slip(settings.passphrase.value, facts) ?? ok("passphrase", "set by the configuration", facts)
    return { findings: [finding], passphrase: settings.passphrase }
  }
  const fs = yield* FileSystem.FileSystem
  const file = Home.paths(settings.home).passphrase
  const facts = { source: "file", file }
  if (!(yield* Effect.orElseSucceed(fs.exists(file), () => true))) {
    const findings = [
      skipped("passphrase", "FERAL_SYNC_PASSPHRASE is not set: a passphrase is created at the first start", facts)
    ]
    return { findings, passphrase: none }
  }
  const read = yield* Effect.result(Passphrase.fromFile(file))
  if (read._tag === "Failure") {
    const nextStep = "correct the file, or remove it and set FERAL_SYNC_PASSPHRASE"
    return { findings: [failed("passphrase", read.failure.message, nextStep, facts)], passphrase: none }
  }
  const mode = yield* Effect.option(Effect.map(fs.stat(file), ({ mode }) => mode & 0o777))
  const isOpen = Option.exists(mode, (mode) => (mode & 0o077) !== 0)
  const where = `FERAL_SYNC_PASSPHRASE is not set: this node uses the one that it created, in ${file}`
  const finding = isOpen
    ? warning("passphrase", `other users can read ${file}`, `chmod 600 ${file}`, facts)
    : (slip(read.success.passphrase, facts) ?? ok("passphrase", `${where}; the other nodes need the same`, facts))
  return { findings: [finding], passphrase: Option.some(read.success.passphrase) }
})

/** What looks like a slip: other nodes may have it without. */
const slip = (passphrase: Redacted.Redacted<string>, facts: Finding["facts"]): Finding | undefined => {
  const found = Passphrase.slipIn(passphrase)
  if (found === undefined) return undefined
  const nextStep = "check that this is intended and the same on every node"
  return warning("passphrase", `the passphrase ${found}`, nextStep, facts)
}
