/** The blocks of code in documents, and in the comments of modules. */
import { readFileSync } from "node:fs"

const root = new URL("../../", import.meta.url)
const read = (file: string): string => readFileSync(new URL(file, root), "utf8")

/** Every block of TypeScript in a document of this repository, in order. */
export const blocksOf = (document: string): ReadonlyArray<string> => blocksIn(read(document))

/** Every block of TypeScript in the comments of a module, in order. */
export const commentBlocksOf = (module: string): ReadonlyArray<string> =>
  [...read(module).matchAll(/^( *)\/\*\*\n(.*?)^ *\*\/$/gms)].flatMap(([, , comment = ""]) =>
    blocksIn(comment.replaceAll(/^ *\* ?/gm, ""))
  )

const blocksIn = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = ""]) => code)
