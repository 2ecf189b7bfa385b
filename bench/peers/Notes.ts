/**
 * The notes that are replicated: each is a function of its number and its version, the same in every process.
 */
import { createHash } from "node:crypto"
import type { Note } from "./Peer.ts"

const words = (
  "about again agent answer because before between clock close decide early evening every figure garden hand history " +
  "import journal kettle letter little long memory morning notice often order other paper place question quiet remember " +
  "river second signal small station story table thought three travel under value water window winter world yesterday"
).split(" ")

/** One word in five is a token that nobody has seen before, as names and numbers are: about 2 bits a character in all. */
const word = (byte: number, n: number): string =>
  byte % 5 === 0 ? (Math.imul(byte + 1, n * 2_654_435 + 97) >>> 0).toString(36) : (words[byte % words.length] ?? "")

/** Version `version` of note `n`: a random id, 300 bytes of text. */
export const note = (n: number, version = 0): Note => {
  const id = createHash("sha256").update(`note ${n}`).digest()
  const text = createHash("sha512").update(`note ${n} ${version}`).digest()
  let content = `${n}/${version}`
  for (let at = 0; content.length < 300; at++) content += ` ${word(text[at % text.length] ?? 0, n + at)}`
  return { id: id.toString("hex", 0, 16), content: content.slice(0, 300), tags: ["bench"], importance: "normal" }
}

/** The notes numbered from `from` up to `to`, not included. */
export const notes = (from: number, to: number, version = 0): ReadonlyArray<Note> =>
  Array.from({ length: to - from }, (_, n) => note(from + n, version))
