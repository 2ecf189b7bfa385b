/**
 * Looks at what existing FERAL nodes need of this one: a certificate that names its addresses, for they compare the
 * two.
 */
import { Effect, Option } from "effect"
import type { Settings } from "../../node/Config.ts"
import * as Pem from "../../transport/tls/Pem.ts"
import { type Finding, warning } from "./Finding.ts"

export const examine = Effect.fnUntraced(function* ({ tls, legacy }: Settings) {
  if (Option.isNone(tls) || legacy === "off") return []
  const { cert } = tls.value
  // A file that cannot be read is a finding of its own.
  const read = yield* Effect.option(Effect.flatMap(Pem.read(cert), (text) => Pem.certificates(cert, text)))
  const leaf = Option.getOrUndefined(read)?.[0]
  if (leaf === undefined || leaf.subjectAltName !== undefined) return []
  const message = `${cert} contains no address, so existing FERAL nodes cannot connect to this node; it connects to them, so all rows still arrive`
  const nextStep = "sign it again with a subjectAltName (see docs/existing-nodes.md), or ignore this"
  return [warning("existing FERAL nodes", message, nextStep, { cert })] satisfies ReadonlyArray<Finding>
})
