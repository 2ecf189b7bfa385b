/**
 * The notes that are replicated: each is a function of its number and its version, the same in every process.
 */
import { createHash } from "node:crypto"
import type { Note } from "./Peer.ts"

const words =
  "agent answer because before clock decide evening figure garden history import journal kettle letter memory notice order paper question remember signal travel under value window yesterday"
    .split(" ")

/** Version `version` of note `n`: a random id, 300 bytes of text. */
export const note = (n: number, version = 0): Note => {
  const id = createHash("sha256").update(`note ${n}`).digest()
  const text = createHash("sha512").update(`note ${n} ${version}`).digest()
  let content = `${n}/${version}`
  for (let at = 0; content.length < 300; at = (at + 1) % text.length) {
    content += ` ${words[((text[at] ?? 0) + content.length) % words.length]}`
  }
  return { id: id.toString("hex", 0, 16), content: content.slice(0, 300), tags: ["bench"], importance: "normal" }
}

/** The notes numbered from `from` up to `to`, not included. */
export const notes = (from: number, to: number, version = 0): ReadonlyArray<Note> =>
  Array.from({ length: to - from }, (_, n) => note(from + n, version))
