/**
 * `search`, `export` and `import` as processes, with a running node and without one.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { type Finished, freshHome, Nodes, run } from "../support/Nodes.ts"

const fresh = freshHome()
const { home } = fresh
const directory = dirname(home)
const file = join(directory, "memory.jsonl")
const nodes = new Nodes()
afterAll(async () => {
  await nodes.stop()
  fresh.remove()
})

const at = (place: string, ...args: ReadonlyArray<string>): Promise<Finished> => run([...args, "--home", place])
const ok = async (finished: Promise<Finished>): Promise<string> => {
  const { code, stdout, stderr } = await finished
  assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
  return stdout
}
const digestOf = async (place: string): Promise<string> =>
  (JSON.parse(await ok(at(place, "status", "--json"))) as { digest: string }).digest

beforeAll(async () => {
  await ok(at(home, "note", "add", "water the plants", "--tag", "garden"))
  await ok(at(home, "fact", "set", "plants", "are", "green"))
  const { id } = JSON.parse(await ok(at(home, "note", "add", "gone", "--json"))) as { id: string }
  await ok(at(home, "note", "delete", id))
}, 60_000)
