/** The blocks of TypeScript in documents, and in the comments of modules. */
import { blocksOf as fenced, read } from "./Markdown.ts"

/** Every block of TypeScript in a document of this repository, in order. */
export const blocksOf = (document: string): ReadonlyArray<string> => blocksIn(read(document))

/** Every block of TypeScript in the comments of a module, in order. */
export const commentBlocksOf = (module: string): ReadonlyArray<string> =>
  [...read(module).matchAll(/^( *)\/\*\*\n(.*?)^ *\*\/$/gms)].flatMap(([, , comment = ""]) =>
    blocksIn(comment.replaceAll(/^ *\* ?/gm, ""))
  )

const blocksIn = (text: string): ReadonlyArray<string> =>
  fenced(text).flatMap(({ language, code }) => (language === "ts" ? [code] : []))
