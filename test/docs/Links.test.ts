/** Links of the documents lead somewhere: to a file of the repository, and to a heading in it. */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, globSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { anchorsOf, documents, linksOf, read } from "../support/Markdown.ts"

const root = join(import.meta.dirname, "../..")
const others = globSync(["bench/**/README.md", "patches/README.md"], {
  cwd: root,
  exclude: (path) => path.includes("node_modules")
})

const problemOf = (document: string, link: string): string | undefined => {
  if (/^(https?|mailto):/.test(link)) return undefined
  const [path = "", anchor] = link.split("#")
  const file = path === "" ? document : normalize(join(dirname(document), path))
  if (!existsSync(join(root, file))) return `${link}: there is no ${file}`
  if (anchor === undefined) return undefined
  return anchorsOf(read(file)).includes(anchor) ? undefined : `${link}: ${file} has no heading #${anchor}`
}

describe("links", () => {
  for (const document of [...documents, ...others]) {
    it(`of ${document} lead somewhere`, () => {
      const problems = linksOf(read(document)).flatMap((link) => problemOf(document, link) ?? [])
      assert.deepStrictEqual(problems, [])
    })
  }

  it("that lead nowhere are found", () => {
    for (const link of ["docs/nowhere.md", "#nothing", "docs/operations.md#nothing", "docs/../README.md#nothing"]) {
      assert.isDefined(problemOf("README.md", link), link)
    }
    assert.isUndefined(problemOf("docs/certificates.md", "#a-new-passphrase"))
    assert.isAtLeast(documents.flatMap((document) => linksOf(read(document))).length, 60)
  })
})
