import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as SyncFailure from "../../src/core/sync/SyncFailure.ts"
import * as client from "../../src/client.ts"
import * as library from "../../src/index.ts"
import * as testing from "../../src/testing/index.ts"
import * as NodeFailure from "../../src/services/node/NodeFailure.ts"
import { blocksOf, commentBlocksOf } from "../support/DocBlocks.ts"
import { sources } from "../support/RepositoryText.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))
const document = "docs/embedding.md"

const isError = (value: object) => "prototype" in value && value.prototype instanceof Error

describe(document, () => {
  it("every block of code, of any document or comment, compiles as a program of its own", { timeout: 120_000 }, () => {
    const named = (blocks: (file: string) => ReadonlyArray<string>) => (file: string) =>
      blocks(file).map((code, index) => [`${file.replaceAll(/[/.]/g, "-")}-${index + 1}.ts`, code] as const)
    const documents = sources(["README.md", "docs/*.md"]).flatMap(named(blocksOf))
    const comments = sources("src/**/*.ts").flatMap(named(commentBlocksOf))
    assert.isAtLeast(documents.length, 15)
    assert.isAtLeast(comments.length, 10)
    // Inside the repository: there the packages are found.
    const directory = mkdtempSync(join(root, "node_modules", ".docs-"))
    try {
      for (const [name, code] of [...documents, ...comments]) writeFileSync(join(directory, name), code)
      const paths = {
        "feral-sync": [join(root, "src/index.ts")],
        "feral-sync/core": [join(root, "src/core/index.ts")],
        "feral-sync/client": [join(root, "src/client.ts")],
        "feral-sync/testing": [join(root, "src/testing/index.ts")]
      }
      writeFileSync(
        join(directory, "tsconfig.json"),
        JSON.stringify({
          extends: join(root, "tsconfig.json"),
          // The program itself is checked anew only where it has changed.
          compilerOptions: { paths, incremental: true, tsBuildInfoFile: join(root, "node_modules/.docs.tsbuildinfo") },
          include: ["*.ts"],
          exclude: []
        })
      )
      const tsc = join(root, "node_modules/typescript/bin/tsc")
      const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", directory], { encoding: "utf8" })
      assert.strictEqual(stdout, "")
      assert.strictEqual(status, 0)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })

  it("every export that the text names is there", () => {
    const text = readFileSync(join(root, document), "utf8")
    const named = [...text.matchAll(/`([A-Z][A-Za-z]+)(?:\.([a-z][A-Za-z]+))?/g)]
    assert.isAtLeast(named.length, 40)
    const exports: Record<string, unknown> = { ...testing, ...client, ...library }
    for (const [, name = "", member] of named) {
      assert.property(exports, name, `${name} is not exported`)
      const value = exports[name]
      if (member === undefined || /^[a-z]/.test(name)) continue
      const has = (typeof value === "object" || typeof value === "function") && value !== null && member in value
      // A member of a service is not a value of its tag: it is checked by the blocks.
      assert.isTrue(has || (name === "Store" && member === "append"), `${name}.${member} is not there`)
    }
  })

  it("every failure is exported by its own name", () => {
    const failures = { ...SyncFailure, ...NodeFailure }
    const classes = Object.entries(failures).filter(([, value]) => typeof value === "function" && isError(value))
    assert.isAtLeast(classes.length, 30)
    const exports: Record<string, unknown> = library
    for (const [name, value] of classes) assert.strictEqual(exports[name], value, name)
  })
})
