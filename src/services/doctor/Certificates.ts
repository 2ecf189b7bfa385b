/**
 * Looks at the certificates that a node shows and trusts: files, dates, chain, key, and who can read the key. None is made.
 */
import { Clock, Effect, FileSystem, Option } from "effect"
import { X509Certificate } from "node:crypto"
import { join } from "node:path"
import type { Settings, TlsFiles } from "../Config.ts"
import { type TlsMaterialInvalid, tlsNextSteps } from "../Failure.ts"
import * as Material from "../tls/Material.ts"
import { failed, type Finding, ok, skipped, warning } from "./Finding.ts"

const check = "certificates"

/** A certificate that ends within this time (ms) is about to. */
const soon = 14 * 24 * 60 * 60 * 1000

export const examine = Effect.fnUntraced(function* (settings: Settings) {
  return yield* Option.match(settings.tls, { onSome: ofCa(settings), onNone: () => own(settings) })
})

/** Certificates of a private CA. */
const ofCa = (settings: Settings) =>
  Effect.fnUntraced(function* (files: TlsFiles) {
    const facts = { mode: "ca", cert: files.cert, key: files.key, ca: files.ca }
    const loaded = yield* Effect.result(Material.load(settings))
    if (loaded._tag === "Failure") return [ofFailure(loaded.failure, facts)]
    const { cert, ca, own, authorities } = loaded.success
    const chain = certificatesIn(cert)
    const trusted = certificatesIn(Option.getOrElse(ca, () => ""))
    const named = { ...facts, certificate: own, authorities, ...datesOf(chain[0]) }
    if (!leadsTo(chain, trusted)) {
      const problem = `our certificate (${own}) was not signed by the CA in ${files.ca} (${authorities}): peers refuse it`
      return [failed(check, problem, tlsNextSteps.untrusted, named)]
    }
    const dated = yield* expiring([...chain, ...trusted], named)
    const findings = [...dated, ...(yield* openKey(files.key, named))]
    return findings.length > 0 ? findings : [ok(check, `${own}; valid until ${chain[0]?.validTo ?? ""}`, named)]
  })

/** The certificate that a node makes for itself. */
const own = Effect.fnUntraced(function* (settings: Settings) {
  const fs = yield* FileSystem.FileSystem
  const paths = ["tls-key.pem", "tls-cert.pem"].map((name) => join(settings.home, name))
  const facts = { mode: "auto" }
  const there = yield* Effect.forEach(paths, (path) => Effect.orElseSucceed(fs.exists(path), () => false))
  if (there.includes(false)) return [skipped(check, "none yet: the first start makes a key of its own", facts)]
  const loaded = yield* Effect.result(Material.load(settings))
  if (loaded._tag === "Failure") return [ofFailure(loaded.failure, facts)]
  const [certificate] = certificatesIn(loaded.success.cert)
  const findings = yield* openKey(paths[0] ?? "", facts)
  return findings.length > 0
    ? findings
    : [ok(check, "the node's own, vouched for by the passphrase", { ...facts, ...datesOf(certificate) })]
})

const ofFailure = ({ message }: TlsMaterialInvalid, facts: Finding["facts"]): Finding =>
  failed(check, message, /expired on|valid only from/.test(message) ? tlsNextSteps.expired : nextStep, facts)

const nextStep = "check FERAL_SYNC_TLS_CERT, _KEY and _CA, or sign a new certificate with the CA of the other nodes"

const certificatesIn = (pem: string): ReadonlyArray<X509Certificate> =>
  (pem.match(/-----BEGIN [A-Z0-9 ]*CERTIFICATE-----[^-]+-----END [A-Z0-9 ]*CERTIFICATE-----/g) ?? []).map(
    (block) => new X509Certificate(block)
  )

/** Whether some link of the chain was signed by a trusted authority, and every link before it by the next. */
const leadsTo = (chain: ReadonlyArray<X509Certificate>, trusted: ReadonlyArray<X509Certificate>): boolean => {
  const isSignedBy = (link: X509Certificate) => (by: X509Certificate) =>
    link.checkIssued(by) && link.verify(by.publicKey)
  for (const [index, link] of chain.entries()) {
    if (trusted.some(isSignedBy(link))) return true
    if (!chain.slice(index + 1, index + 2).some(isSignedBy(link))) return false
  }
  return false
}

const datesOf = (certificate: X509Certificate | undefined): Finding["facts"] =>
  certificate === undefined ? {} : { valid_from: certificate.validFrom, valid_to: certificate.validTo }

/** Which of them end soon, or have ended. */
const expiring = Effect.fnUntraced(function* (certificates: ReadonlyArray<X509Certificate>, facts: Finding["facts"]) {
  const now = yield* Clock.currentTimeMillis
  return certificates
    .filter(({ validTo }) => Date.parse(validTo) - now < soon)
    .map((certificate) => {
      const verb = Date.parse(certificate.validTo) < now ? "has expired" : "expires soon"
      const text = `${Material.describe(certificate)}, ${verb} (${certificate.validTo})`
      return warning(check, text, tlsNextSteps.expired, { ...facts, ...datesOf(certificate) })
    })
})

/** A key that others can read is no secret. */
const openKey = Effect.fnUntraced(function* (file: string, facts: Finding["facts"]) {
  const fs = yield* FileSystem.FileSystem
  const mode = yield* Effect.option(fs.stat(file))
  return Option.exists(mode, ({ mode }) => (mode & 0o077) !== 0)
    ? [warning(check, `others can read the key ${file}`, `chmod 600 ${file}`, facts)]
    : []
})
