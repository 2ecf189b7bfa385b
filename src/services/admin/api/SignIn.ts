/**
 * How a browser comes to be let in: `feral-sync open` asks the node for a code, and puts it into the fragment of the
 * address, which browsers do not send. The page exchanges the code, once, for a cookie.
 */
import { Clock, Effect, Option } from "effect"
import { createHash, randomBytes } from "node:crypto"
import type { Token } from "./Token.ts"
import * as Oldest from "../../../core/peers/Oldest.ts"

/** How long a code and a cookie are good (ms), and how many codes and names are kept at most: the oldest goes first. */
export const limits = { code: 300_000, cookie: 30 * 86_400_000, codes: 16, names: 16 } as const

export interface SignIn {
  /** A code that is good once. */
  readonly code: Effect.Effect<{ readonly code: string; readonly expiresAt: number }>
  /** The value of a cookie for a code, if it is a good one, which it is not any more after that. */
  exchange(code: string): Effect.Effect<Option.Option<string>>
  /**
   * The name of this node for browsers, which take every name under `localhost` for this machine. They send a cookie to
   * all ports of its name: of this name, no other program knows.
   */
  readonly host: () => string | undefined
  /** Whether it is this name, or was since the start: a page of before has to hear that it is let in no more. */
  isHost(name: string): boolean
  /** Whether the `Cookie` header of a request has a good cookie under this name, at a time (ms). */
  isKnown(header: string, name: string, now: number): boolean
}

/**
 * The name of the cookie on a port: browsers send a cookie to all ports of a machine, and nodes must not take each
 * other's.
 */
export const cookieName = (port: number): string => `feral-sync-${port}`

/** Cookie and name are derived from the token: another token ends them, a restart does not. */
export const make = (token: Token): SignIn => {
  const codes = new Map<string, number>()
  const names = new Map<string, true>()
  const host = () => {
    const secret = token.sign("name for browsers")
    if (secret === "") return undefined
    const name = `${createHash("sha256").update(secret).digest("hex").slice(0, 32)}.localhost`
    Oldest.set(names, name, true, limits.names)
    return name
  }
  return {
    host,
    isHost: (name) => host() !== undefined && names.has(name),
    code: Effect.map(Clock.currentTimeMillis, (now) => {
      const code = randomBytes(32).toString("base64url")
      const expiresAt = now + limits.code
      Oldest.set(codes, digest(code), expiresAt, limits.codes)
      return { code, expiresAt }
    }),
    exchange: (code) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const key = digest(code)
        const expiresAt = codes.get(key)
        codes.delete(key)
        if (expiresAt === undefined || expiresAt <= now) return Option.none()
        const until = String(Math.floor((now + limits.cookie) / 1000))
        return Option.some(`${until}.${token.sign(signed(until))}`)
      }),
    isKnown: (header, name, now) =>
      header.split(";").some((pair) => {
        const [key, value = ""] = pair.trim().split("=", 2)
        const [until = "", signature = ""] = value.split(".", 2)
        return (
          key === name &&
          /^\d{1,12}$/.test(until) &&
          Number(until) * 1000 > now &&
          token.verifies(signed(until), signature)
        )
      })
  }
}

const signed = (until: string): string => `browser until ${until}`

/** Codes are looked up by their digest, so that the time of a look-up says nothing of a code. */
const digest = (code: string): string => createHash("sha256").update(code).digest("base64url")
