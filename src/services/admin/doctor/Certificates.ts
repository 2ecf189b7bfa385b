/**
 * Looks at the certificates that a node shows and trusts, as its start does: files, chain, key, dates, and which users
 * can read the key. None is made.
 */
import { Clock, Effect, FileSystem, Option } from "effect"
import { join } from "node:path"
import type { Settings, TlsFiles } from "../../node/Config.ts"
import type { TlsMaterialInvalid } from "../../node/NodeFailure.ts"
import * as Expiry from "../../transport/tls/Expiry.ts"
import * as Material from "../../transport/tls/Material.ts"
import { failed, type Finding, ok, skipped, warning } from "./Finding.ts"

const check = "certificates"

export const examine = Effect.fnUntraced(function* (settings: Settings) {
  return yield* Option.match(settings.tls, { onSome: ofCa(settings), onNone: () => own(settings) })
})

/** Certificates of a private CA. */
const ofCa = (settings: Settings) =>
  Effect.fnUntraced(function* (files: TlsFiles) {
    const facts = { mode: "ca", cert: files.cert, key: files.key, ca: files.ca }
    const loaded = yield* Effect.result(Material.load(settings))
    if (loaded._tag === "Failure") return [ofFailure(loaded.failure, facts)]
    const { own, authorities, lifetimes, revocations, warnings } = loaded.success
    const end = Expiry.firstEnd(lifetimes)
    const validTo = end === undefined ? "" : new Date(end).toISOString()
    const revoked = revocations.reduce((sum, list) => sum + list.revoked.size, 0)
    const listed = files.crl === undefined ? {} : { crl: files.crl, revoked }
    const named = { ...facts, certificate: own, authorities, valid_to: validTo, ...listed }
    const findings = Expiry.findings(lifetimes, yield* Clock.currentTimeMillis).map(({ status, message, next_step }) =>
      (status === "failed" ? failed : warning)(check, message, next_step, named)
    )
    for (const { file, problem, nextStep } of warnings) {
      findings.push(warning(check, `${file}: ${problem}`, nextStep, named))
    }
    return findings.length === 0 ? [ok(check, `${own}; valid until ${validTo}`, named)] : findings
  })

/** The certificate that a node makes for itself. */
const own = Effect.fnUntraced(function* (settings: Settings) {
  const fs = yield* FileSystem.FileSystem
  const paths = ["tls-key.pem", "tls-cert.pem"].map((name) => join(settings.home, name))
  const facts = { mode: "auto" }
  const there = yield* Effect.forEach(paths, (path) => Effect.orElseSucceed(fs.exists(path), () => false))
  if (there.includes(false)) return [skipped(check, "none yet: the node creates its own at the first start", facts)]
  const loaded = yield* Effect.result(Material.load(settings))
  return loaded._tag === "Failure"
    ? [ofFailure(loaded.failure, facts)]
    : [ok(check, "self-signed, authenticated by the passphrase", facts)]
})

const ofFailure = ({ file, problem, nextStep }: TlsMaterialInvalid, facts: Finding["facts"]): Finding =>
  failed(check, `${file}: ${problem}`, nextStep, facts)
