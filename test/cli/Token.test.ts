/** `token rotate` beside a running node. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { readFileSync, statSync } from "node:fs"
import { freePort } from "../support/Dashboard.ts"
import { Nodes, run } from "../support/Nodes.ts"

const nodes = new Nodes()
afterAll(() => nodes.dispose())

describe("token rotate", () => {
  it("makes a running node accept the new token alone, at once; its file is for the user alone", async () => {
    const port = await freePort()
    const node = await nodes.make({ FERAL_SYNC_API_PORT: port }).start()
    const statusWith = async (token: string) => {
      const headers = { authorization: `Bearer ${token}` }
      return (await fetch(`http://127.0.0.1:${port}/notes`, { headers })).status
    }
    const read = (file: string) => readFileSync(file, "utf8").trim()
    const before = read(`${node.home}/token`)
    assert.strictEqual(await statusWith(before), 200)
    const { file } = await node.cli<{ readonly file: string }>("token", "rotate")
    assert.strictEqual(file, `${node.home}/token`)
    assert.notStrictEqual(read(file), before)
    assert.deepStrictEqual([await statusWith(before), await statusWith(read(file))], [401, 200])
    assert.strictEqual(statSync(file).mode & 0o777, 0o600)
    const shown = await run(["token", "rotate", "--home", node.home], {})
    assert.include(shown.stdout, `http://127.0.0.1:${port}/notes`)
    await node.stop()
    const alone = await run(["token", "rotate", "--home", node.home], {})
    assert.strictEqual(alone.code, 0, alone.stderr)
    assert.notInclude(alone.stdout, "http://127.0.0.1")
    assert.include(alone.stdout, "status")
  })
})
