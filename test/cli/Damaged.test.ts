/** Commands on a file that is damaged: each says what is wrong and what to do, and none shows a stack. */
import { assert, describe, it } from "@effect/vitest"
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { freshHome, Node, run } from "../support/Nodes.ts"
import { beside } from "../support/SqliteFiles.ts"

const page = 4096

/** The page where the rows begin. */
const rootOf = (home: string) =>
  beside(home, (db) =>
    Number(db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'operations'").get()?.["rootpage"])
  )

const kinds: Readonly<Record<string, (file: string, root: number) => void>> = {
  "a file that was cut": (file) => writeFileSync(file, readFileSync(file).subarray(0, 9 * page)),
  "a page of zeros in the middle": (file, root) =>
    writeFileSync(file, readFileSync(file).fill(0, (root - 1) * page, root * page)),
  "a header of garbage": (file) => writeFileSync(file, readFileSync(file).fill(0xa5, 0, 100)),
  "an empty file": (file) => writeFileSync(file, ""),
  "a directory": (file) => {
    rmSync(file)
    mkdirSync(file, { mode: 0o700 })
  },
  "a text file": (file) => writeFileSync(file, "no database, but some text\n".repeat(2_000))
}

const commands = ["export", "search", "list", "status", "verify", "backup", "compact"] as const
const wordsOf = (command: (typeof commands)[number], home: string) =>
  ({
    export: ["export", join(home, "..", "rows.jsonl")],
    search: ["search", "note"],
    list: ["note", "list"],
    status: ["status"],
    verify: ["verify"],
    backup: ["backup", join(home, "..", "copy.db")],
    compact: ["compact"]
  })[command]

/** What reads no row, or finds none in a file without any, may succeed. */
const maySucceed = (kind: string, command: string) => kind === "an empty file" || command === "status"

describe("commands on", () => {
  for (const [kind, damage] of Object.entries(kinds)) {
    it(`${kind} fail with a type and the next step`, async () => {
      const { home, remove } = freshHome()
      try {
        for (const command of commands) {
          rmSync(home, { recursive: true, force: true })
          await new Node(home, {}).seed(600)
          damage(join(home, "sync.db"), rootOf(home))
          const { code, stderr } = await run([...wordsOf(command, home), "--json", "--home", home])
          const where = `${command} on ${kind}: ${code} ${stderr}`
          if (code === 0 && maySucceed(kind, command)) continue
          assert.strictEqual(code, 1, where)
          const { _tag, message } = JSON.parse(stderr) as { _tag: string; message: string }
          assert.include(["StoreUnavailable", "FileUnusable", "VerificationFailed"], _tag, where)
          assert.match(message, /(restore|see|use|give|check|choose|move) /, where)
          assert.notMatch(message, /\n\s+at |SqlError|should not happen/, where)
        }
      } finally {
        remove()
      }
    }, 120_000)
  }
})
