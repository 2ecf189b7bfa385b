/** A copy of the program whose table of kinds has one entry more, and no other change; and an application of it. */
import { assert } from "@effect/vitest"
import { execFile } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { copied } from "../../scripts/mutants/Tree.ts"

const entry = `
  plans: make({
    name: "plans",
    path: "plans",
    verb: "draw",
    words: { command: "plan", one: "plan", many: "plans" },
    rule: "lww",
    columns: { goal: Column.text, steps: Column.texts, effort: Column.amount(1), open: Column.json, mood: Column.foreign },
    search: ["goal", "steps"],
    text: ["goal"]
  })
}

export type Table`

/** What an application of that version does. */
const application = `
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, Layer, Option } from "effect"
import { Api } from "./src/services/admin/api/Api.ts"
import * as Client from "./src/services/admin/api/Client.ts"
import * as MemoryLive from "./src/services/memory/MemoryLive.ts"
import { Memory } from "./src/services/memory/Memory.ts"
import { Config } from "./src/services/node/Config.ts"
import { HlcClock } from "./src/services/node/HlcClock.ts"
import { Store } from "./src/services/store/Store.ts"
import * as SqliteStore from "./src/services/store/SqliteStore.ts"
import { surroundings } from "./test/support/Surroundings.ts"

const home = process.argv[2] ?? ""
const use = Effect.fnUntraced(function* (memory: Memory["Service"], goal: string) {
  const written = yield* memory.plans.draw({ goal, steps: ["can", "tap"] })
  const deleted = yield* memory.plans.draw({ goal, effort: 3 })
  yield* memory.plans.delete(deleted.id)
  const error = yield* Effect.flip(memory.plans.draw({ goal: " ", effort: -1 }))
  const refused = error._tag === "InputInvalid" ? error.problems.map(({ field }) => field) : []
  const rows = yield* memory.plans.list()
  const found = yield* memory.search({ query: "wat" })
  const goals: ReadonlyArray<string> = rows.map(({ goal }) => goal)
  const efforts = found.flatMap((match) => (match.kind === "plans" ? [match.effort] : []))
  return { id: written.id, refused, rows, goals, efforts }
})
const program = Effect.gen(function* () {
  const node = Client.connect(home).pipe(Effect.map(Option.getOrThrow))
  const here = yield* use(yield* Memory, "water")
  const there = yield* use((yield* node).memory, "watch")
  return { here, there, counts: yield* (yield* Store).counts }
})
const layer = Api.layer.pipe(
  Layer.provideMerge(MemoryLive.layer),
  Layer.provideMerge(SqliteStore.layer({ home })),
  Layer.provide([HlcClock.layer, NodeFileSystem.layer, surroundings]),
  Layer.provide(Layer.succeed(Config, Config.make({ apiPort: 0, home })))
)
console.log(JSON.stringify(await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(layer)))))
`

/** Makes the copy, with the application in it. The caller removes it. */
export const fifthKind = (): string => {
  const tree = copied()
  const table = join(tree, "src/core/replica/Kind.ts")
  const text = readFileSync(table, "utf8")
  const end = "\n}\n\nexport type Table"
  assert.lengthOf(text.split(end), 2)
  writeFileSync(
    table,
    text.replace(end, () => `,${entry}`)
  )
  writeFileSync(join(tree, "application.ts"), application)
  return tree
}

/** What a program of the copy prints. */
export const output = (tree: string, args: ReadonlyArray<string>, env: NodeJS.ProcessEnv = {}): Promise<string> =>
  new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd: tree, env: { ...process.env, ...env } }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${stdout}${stderr}`))
    })
  })
