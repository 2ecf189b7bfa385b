/**
 * Writes X.509 version 3 certificates with ECDSA P-256 keys, in DER (RFC 5280, RFC 5758).
 *
 * A pure function of its arguments but for the signature, which draws its own nonce. It writes exactly what this project
 * needs: one common name for subject and issuer, basic constraints, key usage.
 */
import { sign, type KeyObject } from "node:crypto"

/** What a certificate says. */
export interface Statement {
  /** The common name of the holder. */
  readonly subject: string
  /** The holder's public key, on P-256. */
  readonly publicKey: KeyObject
  /** The common name of the signer, and its private key on P-256. The same name as `subject` makes it self-signed. */
  readonly issuer: { readonly name: string; readonly privateKey: KeyObject }
  /** 1 to 20 bytes, unique for each issuer. */
  readonly serial: Uint8Array
  readonly from: Date
  readonly until: Date
  /** Whether the holder may sign other certificates. */
  readonly ca: boolean
}

/** The signed certificate, as PEM. */
export const write = ({ subject, publicKey, issuer, serial, from, until, ca }: Statement): string => {
  const signed = sequence(
    tagged(0xa0, integer(Uint8Array.of(2))),
    integer(serial),
    ecdsaWithSha256,
    name(issuer.name),
    sequence(time(from), time(until)),
    name(subject),
    publicKey.export({ type: "spki", format: "der" }),
    tagged(0xa3, sequence(basicConstraints(ca), keyUsage(ca)))
  )
  const signature = sign("sha256", signed, issuer.privateKey)
  const der = sequence(signed, ecdsaWithSha256, bits(0, signature))
  const lines = der.toString("base64").match(/.{1,64}/g) ?? []
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n")
}

const tagged = (tag: number, ...parts: ReadonlyArray<Uint8Array>): Buffer => {
  const content = Buffer.concat(parts)
  const size = content.length
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff]
  return Buffer.concat([Uint8Array.of(tag, ...length), content])
}

const sequence = (...parts: ReadonlyArray<Uint8Array>) => tagged(0x30, ...parts)
const oid = (...encoded: ReadonlyArray<number>) => tagged(0x06, Uint8Array.from(encoded))
const bits = (unused: number, content: Uint8Array) => tagged(0x03, Uint8Array.of(unused), content)

/** A positive integer in its shortest form: no leading zero bytes but the one that keeps the sign. */
const integer = (bytes: Uint8Array) => {
  const first = bytes.findIndex((byte) => byte !== 0)
  const digits = first === -1 ? Uint8Array.of(0) : bytes.subarray(first)
  return tagged(0x02, Uint8Array.from((digits[0] ?? 0) >= 0x80 ? [0] : []), digits)
}

const name = (commonName: string) =>
  sequence(tagged(0x31, sequence(oid(0x55, 0x04, 0x03), tagged(0x0c, Buffer.from(commonName, "utf8")))))

/** UTCTime up to 2049 and GeneralizedTime from 2050 on: RFC 5280 demands the change. */
const time = (date: Date) => {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, "")
  return date.getUTCFullYear() < 2050
    ? tagged(0x17, Buffer.from(digits.slice(2), "ascii"))
    : tagged(0x18, Buffer.from(digits, "ascii"))
}

const critical = tagged(0x01, Uint8Array.of(0xff))
const extension = (id: Uint8Array, value: Uint8Array) => sequence(id, critical, tagged(0x04, value))

/** An absent `cA` means false: DER leaves defaults out. */
const basicConstraints = (ca: boolean) => extension(oid(0x55, 0x1d, 0x13), ca ? sequence(critical) : sequence())

/** keyCertSign and cRLSign, or digitalSignature. */
const keyUsage = (ca: boolean) =>
  extension(oid(0x55, 0x1d, 0x0f), ca ? bits(1, Uint8Array.of(0x06)) : bits(7, Uint8Array.of(0x80)))

const ecdsaWithSha256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02))
