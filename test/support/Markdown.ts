/** The documents that people read, and their parts: prose, code, tables, links, headings. */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "../..")

/** The documents, by their path in the repository. */
export const documents: ReadonlyArray<string> = [
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  "SECURITY.md",
  ...globSync("docs/*.md", { cwd: root }).sort()
]

export const read = (document: string): string => readFileSync(join(root, document), "utf8")

/** The text with every fenced block replaced by nothing. */
export const withoutBlocks = (text: string): string => text.replace(/^( *)```[^\n]*\n[^]*?^\1```$/gm, "")

/** What stands in fenced blocks, with the language of each. */
export const blocksOf = (text: string): ReadonlyArray<{ readonly language: string; readonly code: string }> =>
  [...text.matchAll(/^( *)```([^\n]*)\n([^]*?)^\1```$/gm)].map(([, , language = "", code = ""]) => ({ language, code }))

/** What stands between backticks, outside of fenced blocks. */
export const spansOf = (text: string): ReadonlyArray<string> =>
  [...withoutBlocks(text).matchAll(/(?<!`)`([^`]+)`(?!`)/g)].map(([, span = ""]) => span.replace(/\s+/g, " "))

/** Where links lead. */
export const linksOf = (text: string): ReadonlyArray<string> =>
  [...withoutBlocks(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target)

/** The anchors of the headings, as GitHub makes them. */
export const anchorsOf = (text: string): ReadonlyArray<string> => {
  const seen = new Map<string, number>()
  return [...withoutBlocks(text).matchAll(/^#{1,6} +(.+?) *$/gm)].map(([, heading = ""]) => {
    const slug = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replace(/\s/g, "-")
    const count = seen.get(slug) ?? 0
    seen.set(slug, count + 1)
    return count === 0 ? slug : `${slug}-${count}`
  })
}

/** The rows of tables, each with its cells. */
export const rowsOf = (text: string): ReadonlyArray<ReadonlyArray<string>> =>
  [...withoutBlocks(text).matchAll(/^\|(.+)\|$/gm)]
    .map(([, row = ""]) => row.split(/(?<!\\)\|/).map((cell) => cell.trim()))
    .filter((cells) => !cells.every((cell) => /^:?-+:?$/.test(cell)))

/**
 * The sentences of the prose. Headings, tables, code blocks and footnotes are none. A list item stands by itself. A piece of code is
 * one word, and so is an enumeration of such pieces, since it is read as a list.
 */
export const sentencesOf = (text: string): ReadonlyArray<string> => {
  const [body = ""] = withoutBlocks(text).split(/^\[\^[a-z]+\]: /m)
  const paragraphs: Array<string> = []
  let open = false
  for (const line of body.split("\n")) {
    if (/^\s*$|^#|^\s*\||^ {4,}[^\s*-]|^!\[/.test(line)) {
      open = false
      continue
    }
    const item = /^\s*(?:[-*]|\d+\.) +(.*)$/.exec(line)?.[1]
    if (item !== undefined || !open) paragraphs.push(item ?? line.trim())
    else paragraphs.push(`${paragraphs.pop() ?? ""} ${line.trim()}`)
    open = true
  }
  return paragraphs.flatMap((paragraph) =>
    paragraph
      .replace(/\[\^[a-z]+\]/g, "")
      .replace(/(?<!`)`[^`]+`/g, "`code`")
      .replace(/`code`(?:(?:, and |, or |, | and | or )`code`)+/g, "`code`")
      .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
      .replace(/[*_]{1,2}(?=\S)|(?<=\S)[*_]{1,2}/g, "")
      .split(/(?<=[.!?][)"”]?)\s+(?=\S)/)
      .map((sentence) => sentence.trim())
      .filter((sentence) => sentence !== "")
  )
}

/** How many words a sentence has. */
export const wordsOf = (sentence: string): number =>
  sentence.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length
