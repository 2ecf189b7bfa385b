/**
 * Makes certificates with keys on P-256, by way of @peculiar/x509.
 *
 * The library is loaded when a certificate is made, which for most nodes is once in their life. It wants the metadata
 * polyfill to be there before it.
 */
import { Effect } from "effect"
import { webcrypto } from "node:crypto"

/** A certificate and its private key, as PEM. */
export interface Made {
  readonly cert: string
  readonly key: string
}

/** A self-signed certificate for `name`. */
export const selfSigned = Effect.fnUntraced(function* (options: {
  readonly name: string
  readonly from: Date
  readonly until: Date
}) {
  return yield* Effect.promise(async (): Promise<Made> => {
    await import("reflect-metadata")
    const x509 = await import("@peculiar/x509")
    const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])
    const certificate = await x509.X509CertificateGenerator.createSelfSigned(
      {
        name: `CN=${options.name}`,
        keys,
        notBefore: options.from,
        notAfter: options.until,
        signingAlgorithm: algorithm,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true)
        ]
      },
      webcrypto
    )
    const key = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey))
    return {
      cert: `${certificate.toString("pem")}\n`,
      key: x509.PemConverter.encode(key, "PRIVATE KEY") + "\n"
    }
  })
})
