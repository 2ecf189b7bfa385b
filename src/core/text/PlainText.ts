/**
 * Text of files that people write: passphrases, keys, certificates. It is UTF-8, or it is refused.
 *
 * Taken as it is, text in another encoding would be a different passphrase on each machine.
 */
import { Result } from "effect"

/** Why bytes are not usable text, and the next step. */
export interface Unreadable {
  readonly problem: string
  readonly nextStep: string
}

const byteOrderMark = "\ufeff"

/** The text, without a byte order mark. */
export const decode = (bytes: Uint8Array): Result.Result<string, Unreadable> => {
  const [first, second] = bytes
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    return refused("the text is UTF-16")
  }
  if (bytes.includes(0)) return refused("the text holds NUL bytes, as UTF-16 does")
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
    return Result.succeed(text.startsWith(byteOrderMark) ? text.slice(1) : text)
  } catch {
    return refused("the text is not UTF-8")
  }
}

const refused = (problem: string) => Result.fail({ problem, nextStep: "save it as UTF-8" })
