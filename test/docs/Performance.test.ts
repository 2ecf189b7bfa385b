/** The figures of docs/performance.md are those of bench/results. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { read } from "../support/Markdown.ts"

const results = join(import.meta.dirname, "../../bench/results")

const Report = Schema.fromJsonString(
  Schema.Struct({
    rows: Schema.Array(Schema.Struct({ name: Schema.String, median: Schema.optional(Schema.Number) })),
    goals: Schema.Array(Schema.Struct({ name: Schema.String, value: Schema.Number }))
  })
)

const reportOf = (file: string) => Schema.decodeUnknownSync(Report)(readFileSync(join(results, `${file}.json`), "utf8"))

/** The median of a row, or the value of a goal, of a benchmark. */
const valueOf = (file: string, name: string): number => {
  const { rows, goals } = reportOf(file)
  const value = goals.find((goal) => goal.name === name)?.value ?? rows.find((row) => row.name === name)?.median
  if (value === undefined) throw new Error(`${file} has no ${name}`)
  return value
}

const decimals = (digits: number) => (value: number) => value.toFixed(digits)
const hundreds = (value: number) => (Math.round(value / 100) * 100).toLocaleString("en")
const seconds = (digits: number) => (value: number) => (value / 1000).toFixed(digits)

/** Where a figure stands: after these words, in one line of the document. */
const figures: ReadonlyArray<readonly [line: string, file: string, name: string, (value: number) => string]> = [
  ["S1: 100,000", "S1", "node to node", hundreds],
  ["S1: 100,000", "S1", "ratio", decimals(2)],
  ["other node committed it, p50", "S3", "2 nodes, p50", decimals(1)],
  ["other node committed it, p50", "S3", "p50 of 2 nodes", decimals(1)],
  ["S3: the same, p99", "S3", "2 nodes, p99", decimals(1)],
  ["S3: the same, p99", "S3", "p99 of 2 nodes", decimals(1)],
  ["8 nodes on two cores, p50", "S3", "8 nodes, p50", decimals(1)],
  ["8 nodes on two cores, p50", "S3", "p50 of 8 nodes", decimals(1)],
  ["S3: 8 nodes, p99", "S3", "8 nodes, p99", decimals(1)],
  ["S3: 8 nodes, p99", "S3", "p99 of 8 nodes", decimals(1)],
  ["8 nodes, just started", "S3", "p99 of 8 nodes, just started (ms)", decimals(1)],
  ["S4: equal nodes", "S4", "1,000,000 rows: ready to live", decimals(0)],
  ["S4: equal nodes", "S4", "10,000 rows: ready to live", decimals(0)],
  ["S4: bytes of both sides", "S4", "bytes in all, with the most of 1 to 10,000 origins", decimals(0)],
  ["S5: one old", "S5", "100,000 rows", decimals(0)],
  ["S5: one old", "S5", "1,000 rows", decimals(0)],
  ["S6: 8 nodes", "S6", "copies", decimals(2)],
  ["S7: start", "S7", "100,000 rows", seconds(2)],
  ["S7: start", "S7", "1,000 rows", seconds(2)],
  ["S7: `node -e 0`", "S7", "node -e 0: processor", decimals(0)],
  ["S7: `--version`", "S7", "--version, warm: processor", decimals(0)],
  ["S7: `--version`", "S7", "--version, cold: processor", decimals(0)],
  ["S7: `note list`", "S7", "note list, warm: processor", decimals(0)],
  ["S7: `note list`", "S7", "note list, cold: processor", decimals(0)],
  ["S7: `search`", "S7", "search, warm: processor", decimals(0)],
  ["S7: `search`", "S7", "search, cold: processor", decimals(0)],
  ["S7: `--help`", "S7", "--help, warm: processor", decimals(0)],
  ["S7: `--help`", "S7", "--help, cold: processor", decimals(0)],
  ["S7: `export`", "S7", "export, warm: processor", decimals(0)],
  ["S7: `export`", "S7", "export, cold: processor", decimals(0)],
  ["S7: `status`", "S7", "status, with a node, warm: processor", decimals(0)],
  ["S7: `status`", "S7", "status, with a node, cold: processor", decimals(0)],
  ["S7: the slowest, against `node -e 0`", "S7", "processor time, warm, against node -e 0", decimals(1)],
  ["S7: the slowest, against `node -e 0`", "S7", "processor time, cold, against node -e 0", decimals(1)],
  ["S8: memory of the receiver", "S8", "bulk (MiB)", decimals(0)],
  ["S8: memory at rest", "S8", "at rest (MiB)", decimals(0)],
  ["S9: growth", "S9", "growth of the sender (MiB)", decimals(0)],
  ["S10: files", "S10", "files, against one write to each", decimals(2)],
  ["S11: search", "S11", "two words, p50 (ms)", decimals(1)],
  ["S11: the same", "S11", "two words, p99 (ms)", decimals(1)],
  ["S12: a reader", "S12", "changes per second", hundreds],
  ["S12: the same", "S12", "changes per second over server-sent events", hundreds],
  ["Yjs, LevelDB", "S2", "Yjs, y-websocket, first sync, 100000: time", seconds(1)],
  ["Yjs, LevelDB", "S2", "Yjs, y-websocket, first sync, 100000: sink memory", decimals(0)],
  ["feral-sync, SQLite", "S2-again", "feral-sync, first sync, 100000: time", seconds(1)],
  ["feral-sync, SQLite", "S2", "feral-sync, first sync, 100000: time", seconds(1)],
  ["feral-sync, SQLite", "S2", "feral-sync, first sync, 100000: sink memory", decimals(0)],
  ["feral-sync, SQLite", "S2-again", "feral-sync, first sync, 100000: sink memory", decimals(0)],
  ["Effect SqlEventJournal", "S2", "Effect SqlEventJournal, first sync, 100000: time", seconds(1)],
  ["automerge-repo ", "S2", "automerge-repo, first sync, 100000: time", seconds(1)],
  ["PouchDB", "S2", "PouchDB, first sync, 100000: time", seconds(1)],
  ["Evolu", "S2", "Evolu, first sync, 100000: time", seconds(1)]
]

describe("docs/performance.md", () => {
  const lines = read("docs/performance.md").split("\n")

  for (const [start, file, name, format] of figures) {
    it(`${start}: has ${name} of ${file}`, () => {
      const line = lines.find((line) => line.includes(start)) ?? ""
      const [, figures = ""] = line.split(start)
      const numbers = figures.match(/\d[\d,]*(?:\.\d+)?/g) ?? []
      assert.include(numbers, format(valueOf(file, name)), line)
    })
  }
})
