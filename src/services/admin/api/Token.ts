/**
 * The token of the local interface: who shows it on the port may do what the owner of the data directory may do.
 *
 * It is a file of the data directory, for this user alone, made at the first start. A node sees another token at once:
 * it looks at the file with each request. It never leaves the process in a log, an address or a page.
 */
import { Effect, FileSystem, Redacted } from "effect"
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto"
import { readFileSync, statSync } from "node:fs"
import * as Home from "../../node/Home.ts"

export interface Token {
  /** Whether a text is the token. Takes the same time whatever the text is. */
  matches(text: string): boolean
  /** A value that only the holder of the token can make of a text. */
  sign(text: string): string
  /** Whether `signature` was made of `text` with the present token. */
  verifies(text: string, signature: string): boolean
}

/** Of a node without a data directory: nothing is the token. */
export const none: Token = { matches: () => false, sign: () => "", verifies: () => false }

/** Writes another token into a data directory. Programs with the former token get nothing from then on. */
export const rotate = (home: string) =>
  Home.writeSecret(Home.paths(home).token, `${randomBytes(32).toString("base64url")}\n`)

/** The token in a data directory, which is made if it is not there. */
export const make = Effect.fn("Token.make")(function* (home: string) {
  const fs = yield* FileSystem.FileSystem
  const { token: path } = Home.paths(home)
  if (!(yield* fs.exists(path).pipe(Effect.mapError(Home.unusable(path))))) yield* rotate(home)
  return ofFile(path)
})

const ofFile = (path: string): Token => {
  let seen = ""
  let held: Redacted.Redacted<string> | undefined
  const current = (): string | undefined => {
    try {
      const { ino, size, mtimeNs } = statSync(path, { bigint: true })
      const look = `${ino} ${size} ${mtimeNs}`
      if (look !== seen) {
        const text = readFileSync(path, "utf8").trim()
        held = text === "" ? undefined : Redacted.make(text, { label: "token" })
        seen = look
      }
      return held && Redacted.value(held)
    } catch {
      // Without a file no program has the token.
      return undefined
    }
  }
  const sign = (text: string) => {
    const token = current()
    return token === undefined ? "" : createHmac("sha256", token).update(text).digest("base64url")
  }
  return {
    matches: (text) => {
      const token = current()
      return token !== undefined && isEqual(text, token)
    },
    sign,
    verifies: (text, signature) => {
      const expected = sign(text)
      return expected !== "" && isEqual(signature, expected)
    }
  }
}

/** Digests have one length, so the comparison shows nothing of the texts. */
const isEqual = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b))

const digest = (text: string) => createHash("sha256").update(text).digest()
