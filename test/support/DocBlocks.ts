/** The code blocks of a document. */
import { readFileSync } from "node:fs"

const root = new URL("../../", import.meta.url)

/** Every block of TypeScript in a document of this repository, in order. */
export const blocksOf = (document: string): ReadonlyArray<string> =>
  [...readFileSync(new URL(document, root), "utf8").matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = ""]) => code)
